//! The methods of contract-engine: the table of contents.

mod accept_contract;
mod audit;
mod award_contract;
mod complete_contract;
mod fail_contract;
mod get_contract;
mod get_contract_keys;
mod get_contract_payload;
mod get_contract_result;
mod get_contract_token;
mod list_contracts;
mod reject_contract;
mod report_progress;
mod start_contract;
mod watch_contract;
mod watch_contracts;

use std::time::Duration;

use aex_kit::{Call, Caller, Principal, Reply, Stream, stream, unary};
use aex_proto::aex::contract_engine::v1::{
    self as pb, contract_engine_service_server::ContractEngineService,
};
use aex_types::ContractId;
use tonic::Request;

use self::{
    accept_contract::accept_contract, audit::audit, award_contract::award_contract,
    complete_contract::complete_contract, fail_contract::fail_contract, get_contract::get_contract,
    get_contract_keys::get_contract_keys, get_contract_payload::get_contract_payload,
    get_contract_result::get_contract_result, get_contract_token::get_contract_token,
    list_contracts::list_contracts, reject_contract::reject_contract, report_progress::report_progress,
    start_contract::start_contract, watch_contract::watch_contract, watch_contracts::watch_contracts,
};
use crate::{
    App, Error,
    domain::contract::{Contract, Party, Status},
    store::contracts,
};

#[tonic::async_trait]
impl ContractEngineService for App {
    type WatchContractStream = Stream<pb::WatchContractResponse>;
    type WatchContractsStream = Stream<pb::WatchContractsResponse>;

    async fn award_contract(
        &self,
        request: Request<pb::AwardContractRequest>,
    ) -> Reply<pb::AwardContractResponse> {
        unary(request, |call, request| award_contract(self, call, request)).await
    }

    async fn start_contract(
        &self,
        request: Request<pb::StartContractRequest>,
    ) -> Reply<pb::StartContractResponse> {
        unary(request, |call, request| start_contract(self, call, request)).await
    }

    async fn report_progress(
        &self,
        request: Request<pb::ReportProgressRequest>,
    ) -> Reply<pb::ReportProgressResponse> {
        unary(request, |call, request| report_progress(self, call, request)).await
    }

    async fn complete_contract(
        &self,
        request: Request<pb::CompleteContractRequest>,
    ) -> Reply<pb::CompleteContractResponse> {
        unary(request, |call, request| complete_contract(self, call, request)).await
    }

    async fn accept_contract(
        &self,
        request: Request<pb::AcceptContractRequest>,
    ) -> Reply<pb::AcceptContractResponse> {
        unary(request, |call, request| accept_contract(self, call, request)).await
    }

    async fn reject_contract(
        &self,
        request: Request<pb::RejectContractRequest>,
    ) -> Reply<pb::RejectContractResponse> {
        unary(request, |call, request| reject_contract(self, call, request)).await
    }

    async fn fail_contract(
        &self,
        request: Request<pb::FailContractRequest>,
    ) -> Reply<pb::FailContractResponse> {
        unary(request, |call, request| fail_contract(self, call, request)).await
    }

    async fn get_contract(&self, request: Request<pb::GetContractRequest>) -> Reply<pb::GetContractResponse> {
        unary(request, |call, request| get_contract(self, call, request)).await
    }

    async fn list_contracts(
        &self,
        request: Request<pb::ListContractsRequest>,
    ) -> Reply<pb::ListContractsResponse> {
        unary(request, |call, request| list_contracts(self, call, request)).await
    }

    async fn get_contract_payload(
        &self,
        request: Request<pb::GetContractPayloadRequest>,
    ) -> Reply<pb::GetContractPayloadResponse> {
        unary(request, |call, request| get_contract_payload(self, call, request)).await
    }

    async fn get_contract_result(
        &self,
        request: Request<pb::GetContractResultRequest>,
    ) -> Reply<pb::GetContractResultResponse> {
        unary(request, |call, request| get_contract_result(self, call, request)).await
    }

    async fn get_contract_token(
        &self,
        request: Request<pb::GetContractTokenRequest>,
    ) -> Reply<pb::GetContractTokenResponse> {
        unary(request, |call, request| get_contract_token(self, call, request)).await
    }

    async fn get_contract_keys(
        &self,
        request: Request<pb::GetContractKeysRequest>,
    ) -> Reply<pb::GetContractKeysResponse> {
        unary(request, |call, request| get_contract_keys(self, call, request)).await
    }

    async fn watch_contract(
        &self,
        request: Request<pb::WatchContractRequest>,
    ) -> Reply<Self::WatchContractStream> {
        stream(request, |call, request| watch_contract(self, call, request)).await
    }

    async fn watch_contracts(
        &self,
        request: Request<pb::WatchContractsRequest>,
    ) -> Reply<Self::WatchContractsStream> {
        stream(request, |call, request| watch_contracts(self, call, request)).await
    }

    async fn audit(&self, request: Request<pb::AuditRequest>) -> Reply<pb::AuditResponse> {
        unary(request, |call, request| audit(self, call, request)).await
    }
}

/// The longest that a completing call waits for the payment; a job pays what it leaves.
const PAYMENT: Duration = Duration::from_secs(1);

impl App {
    /// One contract as one of its parties, or an operator, sees it.
    async fn seen(&self, call: &mut Call, id: ContractId) -> Result<Contract, Error> {
        let caller = call.caller().clone();
        self.store
            .read_one(call, async |tx| {
                let contract = contracts::find(tx, id).await?;
                contract
                    .filter(|contract| may_see(&caller, contract))
                    .ok_or(Error::ContractNotFound(id))
            })
            .await
    }

    /// Pays at once what a call has completed, if settlement is quick; the reply does not depend on it.
    async fn pay_soon(&self, call: &mut Call, id: ContractId, answered: Option<&pb::Contract>) {
        if answered.is_none_or(|contract| contract.status() != pb::ContractStatus::Completed) {
            return;
        }
        let paid = async {
            let contract = self
                .store
                .read_one(call, async |tx| {
                    contracts::find(tx, id).await?.ok_or(Error::ContractNotFound(id))
                })
                .await?;
            if contract.status == Status::Completed {
                self.settle(call, &contract).await?;
            }
            Ok::<_, Error>(())
        };
        match tokio::time::timeout(PAYMENT, paid).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::info!(contract = %id, %error, "a worker pays"),
            Err(_) => tracing::info!(contract = %id, "a worker pays"),
        }
    }
}

fn may_see(caller: &Caller, contract: &Contract) -> bool {
    match caller {
        Caller::Public => false,
        Caller::Tenant(principal) => party(principal, contract).is_some(),
        Caller::Operator(_) | Caller::Service(_) => true,
    }
}

/// Which side of the contract the caller is on; `None` for everybody else, and for the provider as long as it does not
/// know of it. A key that is bound to one provider sells for that one only; who is both sides is the buyer, unless its
/// key is bound to the provider.
fn party(principal: &Principal, contract: &Contract) -> Option<Party> {
    let is_provider = is_provider(principal, contract);
    if principal.tenant == contract.terms.consumer_id && !(is_provider && principal.provider.is_some()) {
        return Some(Party::Consumer);
    }
    is_provider.then_some(Party::Provider)
}

fn is_provider(principal: &Principal, contract: &Contract) -> bool {
    let terms = &contract.terms;
    principal.tenant == terms.provider_tenant_id
        && principal.provider.is_none_or(|bound| bound == terms.provider_id)
        && contract.status.is_known_to_provider()
}

/// Refuses everyone but the awarded provider.
fn as_provider(principal: &Principal, contract: &Contract) -> Result<(), Error> {
    if is_provider(principal, contract) {
        Ok(())
    } else {
        Err(not_for(principal, contract))
    }
}

/// Refuses everyone but the consumer.
fn as_consumer(principal: &Principal, contract: &Contract) -> Result<(), Error> {
    if principal.tenant == contract.terms.consumer_id {
        Ok(())
    } else {
        Err(not_for(principal, contract))
    }
}

/// A party is told whose part it is; for everybody else there is no such contract.
fn not_for(principal: &Principal, contract: &Contract) -> Error {
    if party(principal, contract).is_some() {
        Error::OtherParty(contract.id)
    } else {
        Error::ContractNotFound(contract.id)
    }
}
