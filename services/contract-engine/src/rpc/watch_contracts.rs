//! Streams what happens to all contracts of a provider, or of the calling tenant.

use aex_error::Check;
use aex_kit::{Call, Signal, Watcher};
use aex_proto::aex::contract_engine::v1::{WatchContractsRequest, WatchContractsResponse};
use aex_store::{Store, Watched};
use aex_types::ProviderId;
use uuid::Uuid;

use crate::{App, Error};

pub(super) async fn watch_contracts(
    app: &App,
    call: Call,
    request: WatchContractsRequest,
) -> Result<(Call, Watch), Error> {
    let mut check = Check::of(&request);
    let named: Option<Option<ProviderId>> = check.maybe("provider_id", &request.provider_id);
    let named = check.finish(|| named)?;
    let (tenant, bound) = {
        let principal = call.principal()?;
        (principal.tenant, principal.provider)
    };
    // A key that is bound to one provider watches that one only.
    let resource = match (named, bound) {
        (Some(named), Some(bound)) if named != bound => return Err(Error::ProviderNotFound(named)),
        (Some(provider), _) | (None, Some(provider)) => {
            let (owner, _) = app.peers.provider(&call, provider).await?;
            if owner != tenant {
                return Err(Error::ProviderNotFound(provider));
            }
            provider.uuid()
        }
        (None, None) => tenant.uuid(),
    };
    let watch = Watch {
        store: app.store.clone(),
        watched: app.store.watched(resource),
        resource,
        token: request.resume_token,
    };
    Ok((call, watch))
}

pub(super) struct Watch {
    store: Store,
    watched: Watched,
    resource: Uuid,
    token: u64,
}

impl Watcher for Watch {
    type Reply = WatchContractsResponse;
    type Error = Error;

    fn signal(&self) -> Signal {
        self.watched.signal()
    }

    async fn round(&mut self, call: &mut Call) -> Result<Vec<Self::Reply>, Error> {
        let (resource, after) = (self.resource, self.token);
        let told: Vec<(u64, WatchContractsResponse)> = self
            .store
            .read(call, async |tx| Ok::<_, Error>(tx.told(resource, after).await?))
            .await?;
        let news: Vec<_> = told
            .into_iter()
            .map(|(version, reply)| WatchContractsResponse {
                resume_token: version,
                ..reply
            })
            .collect();
        self.token = news.last().map_or(self.token, |last| last.resume_token);
        Ok(news)
    }

    fn heartbeat(&self) -> Self::Reply {
        WatchContractsResponse {
            contract: None,
            resume_token: self.token,
        }
    }
}
