//! Streams what happens to a contract.

use aex_error::Check;
use aex_kit::{Call, Signal, Watcher};
use aex_proto::aex::contract_engine::v1::{ContractStatus, WatchContractRequest, WatchContractResponse};
use aex_store::{Store, Watched};
use aex_types::ContractId;

use crate::{App, Error};

pub(super) async fn watch_contract(
    app: &App,
    mut call: Call,
    request: WatchContractRequest,
) -> Result<(Call, Watch), Error> {
    let mut check = Check::of(&request);
    let id: Option<ContractId> = check.parse("contract_id", &request.contract_id);
    let id = check.finish(|| id)?;
    let contract = app.seen(&mut call, id).await?;
    call.principal()?;
    let watch = Watch {
        store: app.store.clone(),
        watched: app.store.watched(id.uuid()),
        contract: contract.id,
        token: request.resume_token,
        is_over: false,
    };
    Ok((call, watch))
}

pub(super) struct Watch {
    store: Store,
    watched: Watched,
    contract: ContractId,
    token: u64,
    is_over: bool,
}

impl Watcher for Watch {
    type Reply = WatchContractResponse;
    type Error = Error;

    fn signal(&self) -> Signal {
        self.watched.signal()
    }

    async fn round(&mut self, call: &mut Call) -> Result<Vec<Self::Reply>, Error> {
        let (resource, after) = (self.contract.uuid(), self.token);
        let told: Vec<(u64, WatchContractResponse)> = self
            .store
            .read(call, async |tx| Ok::<_, Error>(tx.told(resource, after).await?))
            .await?;
        let news: Vec<_> = told
            .into_iter()
            .map(|(version, reply)| WatchContractResponse {
                resume_token: version,
                ..reply
            })
            .collect();
        if let Some(last) = news.last() {
            self.token = last.resume_token;
            let status = last
                .contract
                .as_ref()
                .map(aex_proto::aex::contract_engine::v1::Contract::status);
            self.is_over = matches!(
                status,
                Some(
                    ContractStatus::Void
                        | ContractStatus::Settled
                        | ContractStatus::Failed
                        | ContractStatus::Expired
                )
            );
        }
        Ok(news)
    }

    fn heartbeat(&self) -> Self::Reply {
        WatchContractResponse {
            contract: None,
            resume_token: self.token,
        }
    }

    fn is_over(&self) -> bool {
        self.is_over
    }
}
