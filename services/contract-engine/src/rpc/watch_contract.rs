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
    app.seen(&mut call, id).await?;
    call.principal()?;
    let watch = Watch {
        store: app.store.clone(),
        watched: app.store.watched(id.uuid(), request.resume_token),
        is_over: false,
    };
    Ok((call, watch))
}

pub(super) struct Watch {
    store: Store,
    watched: Watched,
    is_over: bool,
}

impl Watcher for Watch {
    type Reply = WatchContractResponse;
    type Error = Error;

    fn signal(&self) -> Signal {
        self.watched.signal()
    }

    async fn round(&mut self, call: &mut Call) -> Result<Vec<Self::Reply>, Error> {
        let watched = &mut self.watched;
        let news: Vec<(u64, WatchContractResponse)> =
            self.store.read(call, async |tx| watched.news(tx).await).await?;
        let last = news.last().and_then(|(_, reply)| reply.contract.as_ref());
        self.is_over = last.is_some_and(|contract| is_end(contract.status()));
        let resumable = |(resume_token, reply)| WatchContractResponse {
            resume_token,
            ..reply
        };
        Ok(news.into_iter().map(resumable).collect())
    }

    fn heartbeat(&self) -> Self::Reply {
        WatchContractResponse {
            contract: None,
            resume_token: self.watched.version(),
        }
    }

    fn is_over(&self) -> bool {
        self.is_over
    }
}

const fn is_end(status: ContractStatus) -> bool {
    matches!(
        status,
        ContractStatus::Void | ContractStatus::Settled | ContractStatus::Failed | ContractStatus::Expired
    )
}
