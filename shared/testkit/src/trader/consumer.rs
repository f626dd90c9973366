//! Who buys.

use std::ops::Deref;

use aex_proto::aex::{
    bid_evaluator::v1::{Evaluation, GetEvaluationRequest},
    bid_gateway::v1::{Bid, ListBidsRequest},
    contract_engine::v1::{
        AcceptContractRequest, AwardContractRequest, Contract, ContractStatus, FailContractRequest,
        GetContractRequest, ListContractsRequest, RejectContractRequest, WatchContractRequest,
        WatchContractResponse, contract_engine_service_client::ContractEngineServiceClient,
    },
    settlement::v1::{Deposit, RequestDepositRequest},
    work_publisher::v1::{
        CancelWorkRequest, GetWorkRequest, PublishWorkRequest, VerificationMethod, WatchWorkRequest,
        WatchWorkResponse, Work, WorkStatus, WorkUpdateKind,
        work_publisher_service_client::WorkPublisherServiceClient,
    },
};
use prost_types::Duration as Span;

use super::{
    ask::{ask, listen},
    exchange::{PAGE, Trader, usd},
};
use crate::Refused;

/// What a work asks for. The default takes bids for 5 s on up to 10 dollars, and the consumer chooses and accepts.
#[derive(Clone, Debug)]
pub struct Terms {
    /// Its category.
    pub category: String,
    /// The most that is paid, in dollars.
    pub max_price: String,
    /// How long bids are taken, in seconds, 5 to 300.
    pub window_seconds: i64,
    /// The best bid wins by itself.
    pub auto_award: bool,
    /// How the outcome is verified.
    pub verification: VerificationMethod,
    /// What is to be worked on; empty when nothing is.
    pub payload: Vec<u8>,
}

impl Default for Terms {
    fn default() -> Self {
        Self {
            category: "trade".to_owned(),
            max_price: "10".to_owned(),
            window_seconds: 5,
            auto_award: false,
            verification: VerificationMethod::ConsumerConfirm,
            payload: Vec::new(),
        }
    }
}

/// Who buys. Clones are the same tenant on the same connection.
#[derive(Clone, Debug)]
pub struct Consumer(Trader);

impl Deref for Consumer {
    type Target = Trader;

    fn deref(&self) -> &Trader {
        &self.0
    }
}

impl Consumer {
    /// A tenant as a consumer.
    pub fn of(trader: Trader) -> Self {
        Self(trader)
    }

    /// The same consumer over a connection of its own.
    pub fn another_connection(&self) -> Self {
        Self(self.0.another_connection())
    }

    /// Deposits dollars on the rail of test deployments, where they are there at once.
    pub async fn deposit(&self, amount: &str) -> Result<Deposit, Refused> {
        self.deposit_under(&self.key("deposit"), amount).await
    }

    /// The same under a key of the caller's choice.
    pub async fn deposit_under(&self, key: &str, amount: &str) -> Result<Deposit, Refused> {
        let request = RequestDepositRequest {
            idempotency_key: key.to_owned(),
            amount: Some(usd(amount)),
            rail: "test".to_owned(),
        };
        let reply = ask!(self, money.request_deposit, request)?;
        Ok(reply.deposit.unwrap_or_default())
    }

    /// Publishes a work.
    pub async fn publish(&self, terms: &Terms) -> Result<Work, Refused> {
        let span = |seconds| Some(Span { seconds, nanos: 0 });
        let payload_content_type = if terms.payload.is_empty() {
            ""
        } else {
            "text/plain"
        };
        let request = PublishWorkRequest {
            idempotency_key: self.key("publish"),
            category: terms.category.clone(),
            description: "something to do".to_owned(),
            max_price: Some(usd(&terms.max_price)),
            bid_window: span(terms.window_seconds),
            auto_award: terms.auto_award,
            verification_method: terms.verification.into(),
            payload: terms.payload.clone().into(),
            payload_content_type: payload_content_type.to_owned(),
            // Nobody disputes here: what is rejected comes back at once.
            dispute_window: span(0),
            ..Default::default()
        };
        Ok(ask!(self, works.publish_work, request)?.work.unwrap_or_default())
    }

    /// A work as it stands.
    pub async fn work(&self, work_id: &str) -> Result<Work, Refused> {
        let request = GetWorkRequest {
            work_id: work_id.to_owned(),
        };
        Ok(ask!(self, works.get_work, request)?.work.unwrap_or_default())
    }

    /// Withdraws a work.
    pub async fn cancel(&self, work_id: &str) -> Result<Work, Refused> {
        let request = CancelWorkRequest {
            idempotency_key: self.key("cancel"),
            work_id: work_id.to_owned(),
        };
        Ok(ask!(self, works.cancel_work, request)?.work.unwrap_or_default())
    }

    /// The live bids on a work.
    pub async fn bids_on(&self, work_id: &str) -> Result<Vec<Bid>, Refused> {
        let mut bids = Vec::new();
        let mut page_token = String::new();
        loop {
            let request = ListBidsRequest {
                work_id: work_id.to_owned(),
                page_size: PAGE,
                page_token,
                ..Default::default()
            };
            let page = ask!(self, bids.list_bids, request)?;
            bids.extend(page.bids);
            page_token = page.next_page_token;
            if page_token.is_empty() {
                return Ok(bids);
            }
        }
    }

    /// The ranking of a work.
    pub async fn evaluation(&self, work_id: &str) -> Result<Evaluation, Refused> {
        let request = GetEvaluationRequest {
            work_id: work_id.to_owned(),
        };
        let reply = ask!(self, evaluations.get_evaluation, request)?;
        Ok(reply.evaluation.unwrap_or_default())
    }

    /// Awards a work to a bid.
    pub async fn award(&self, work_id: &str, bid_id: &str) -> Result<Contract, Refused> {
        self.award_under(&self.key("award"), work_id, bid_id).await
    }

    /// The same under a key of the caller's choice.
    pub async fn award_under(&self, key: &str, work_id: &str, bid_id: &str) -> Result<Contract, Refused> {
        let request = AwardContractRequest {
            idempotency_key: key.to_owned(),
            work_id: work_id.to_owned(),
            bid_id: bid_id.to_owned(),
        };
        let reply = ask!(self, contracts.award_contract, request)?;
        Ok(reply.contract.unwrap_or_default())
    }

    /// A contract as it stands.
    pub async fn contract(&self, contract_id: &str) -> Result<Contract, Refused> {
        let request = GetContractRequest {
            contract_id: contract_id.to_owned(),
        };
        let reply = ask!(self, contracts.get_contract, request)?;
        Ok(reply.contract.unwrap_or_default())
    }

    /// All contracts of a work, those that came to nothing too; of all works when none is named.
    pub async fn contracts_of(&self, work_id: &str) -> Result<Vec<Contract>, Refused> {
        let mut contracts = Vec::new();
        let mut page_token = String::new();
        loop {
            let request = ListContractsRequest {
                work_id: work_id.to_owned(),
                page_size: PAGE,
                page_token,
                ..Default::default()
            };
            let page = ask!(self, contracts.list_contracts, request)?;
            contracts.extend(page.contracts);
            page_token = page.next_page_token;
            if page_token.is_empty() {
                return Ok(contracts);
            }
        }
    }

    /// Accepts what was delivered.
    pub async fn accept(&self, contract_id: &str) -> Result<Contract, Refused> {
        self.accept_under(&self.key("accept"), contract_id).await
    }

    /// The same under a key of the caller's choice.
    pub async fn accept_under(&self, key: &str, contract_id: &str) -> Result<Contract, Refused> {
        let request = AcceptContractRequest {
            idempotency_key: key.to_owned(),
            contract_id: contract_id.to_owned(),
        };
        let reply = ask!(self, contracts.accept_contract, request)?;
        Ok(reply.contract.unwrap_or_default())
    }

    /// Rejects what was delivered.
    pub async fn reject(&self, contract_id: &str, reason: &str) -> Result<Contract, Refused> {
        let request = RejectContractRequest {
            idempotency_key: self.key("reject"),
            contract_id: contract_id.to_owned(),
            reason: reason.to_owned(),
        };
        let reply = ask!(self, contracts.reject_contract, request)?;
        Ok(reply.contract.unwrap_or_default())
    }

    /// Gives a contract up.
    pub async fn give_up(&self, contract_id: &str, reason: &str) -> Result<Contract, Refused> {
        let request = FailContractRequest {
            idempotency_key: self.key("fail"),
            contract_id: contract_id.to_owned(),
            reason: reason.to_owned(),
        };
        let reply = ask!(self, contracts.fail_contract, request)?;
        Ok(reply.contract.unwrap_or_default())
    }

    /// Waits until a work has had a status that is waited for, and answers what was told with it.
    pub async fn until_work(&self, work_id: &str, waited: &[WorkStatus]) -> WatchWorkResponse {
        self.hear_of_work(work_id, |told| waited.contains(&told.status()))
            .await
    }

    /// Waits until a work's bids are ranked.
    pub async fn until_evaluated(&self, work_id: &str) -> Evaluation {
        self.hear_of_work(work_id, |told| told.kind() == WorkUpdateKind::Evaluated)
            .await;
        self.evaluation(work_id).await.expect("what was told is there")
    }

    /// Waits until something that a work's watch tells is what is waited for.
    pub async fn hear_of_work(
        &self,
        work_id: &str,
        is_waited: impl Fn(&WatchWorkResponse) -> bool,
    ) -> WatchWorkResponse {
        let open = |resume_token| {
            let mut works = WorkPublisherServiceClient::new(self.wire(None));
            let request = WatchWorkRequest {
                work_id: work_id.to_owned(),
                resume_token,
            };
            async move { works.watch_work(request).await }
        };
        listen(work_id, open, |told: WatchWorkResponse| {
            (told.resume_token, is_waited(&told).then_some(told))
        })
        .await
    }

    /// Waits until a contract has had a status that is waited for, and answers how it stood then.
    pub async fn until_contract(&self, contract_id: &str, waited: &[ContractStatus]) -> Contract {
        let open = |resume_token| {
            let mut contracts = ContractEngineServiceClient::new(self.wire(None));
            let request = WatchContractRequest {
                contract_id: contract_id.to_owned(),
                resume_token,
            };
            async move { contracts.watch_contract(request).await }
        };
        listen(contract_id, open, |told: WatchContractResponse| {
            let contract = told
                .contract
                .filter(|contract| waited.contains(&contract.status()));
            (told.resume_token, contract)
        })
        .await
    }
}
