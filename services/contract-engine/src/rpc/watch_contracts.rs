//! Streams what happens to all contracts of a provider, or of the calling tenant.

use aex_error::Check;
use aex_kit::{Call, Signal, Watcher};
use aex_proto::aex::contract_engine::v1::{WatchContractsRequest, WatchContractsResponse};
use aex_store::{Store, Watched};
use aex_types::ProviderId;

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
        watched: app.store.watched(resource, request.resume_token),
    };
    Ok((call, watch))
}

pub(super) struct Watch {
    store: Store,
    watched: Watched,
}

impl Watcher for Watch {
    type Reply = WatchContractsResponse;
    type Error = Error;

    fn signal(&self) -> Signal {
        self.watched.signal()
    }

    async fn round(&mut self, call: &mut Call) -> Result<Vec<Self::Reply>, Error> {
        let watched = &mut self.watched;
        let news: Vec<(u64, WatchContractsResponse)> =
            self.store.read(call, async |tx| watched.news(tx).await).await?;
        let resumable = |(resume_token, reply)| WatchContractsResponse {
            resume_token,
            ..reply
        };
        Ok(news.into_iter().map(resumable).collect())
    }

    fn heartbeat(&self) -> Self::Reply {
        WatchContractsResponse {
            contract: None,
            resume_token: self.watched.version(),
        }
    }
}
