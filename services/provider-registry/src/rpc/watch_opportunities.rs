//! Streams the work offered to a provider, as it opens and closes.

use aex_error::Check;
use aex_kit::{Call, Signal, Watcher};
use aex_proto::aex::provider_registry::v1::{WatchOpportunitiesRequest, WatchOpportunitiesResponse};
use aex_store::{Store, Watched};
use aex_types::{ProviderId, WorkId};

use super::Acting;
use crate::{
    App, Error, convert,
    store::{opportunities, providers},
};

/// Opportunities that one round reads while the watch tells what was open before it began.
const ROUND: i64 = 100;

pub(super) async fn watch_opportunities(
    app: &App,
    mut call: Call,
    request: WatchOpportunitiesRequest,
) -> Result<(Call, Opportunities), Error> {
    Check::of(&request).finish(|| Some(()))?;
    let acting = Acting::of(&call)?;
    let provider = convert::bound_or_named(acting.bound, &request.provider_id)?;
    app.store
        .read(&mut call, async |tx| {
            acting.own(providers::find(tx, provider).await?, provider)
        })
        .await?;
    let place = match request.resume_token {
        0 => Place::Before {
            after: None,
            until: None,
        },
        version => Place::At(version),
    };
    let watcher = Opportunities {
        store: app.store.clone(),
        provider,
        place,
        watched: app.store.watched(provider.uuid()),
    };
    Ok((call, watcher))
}

/// One open watch of a provider.
#[derive(Debug)]
pub(super) struct Opportunities {
    store: Store,
    provider: ProviderId,
    place: Place,
    watched: Watched,
}

/// How far a watch has come.
#[derive(Debug, Clone, Copy)]
enum Place {
    /// It tells what was open when it began: behind this work, and then goes on from this version. Who leaves meanwhile
    /// begins again; work that opens meanwhile may be told twice.
    Before {
        after: Option<WorkId>,
        until: Option<u64>,
    },
    /// It told everything up to this version.
    At(u64),
}

impl Watcher for Opportunities {
    type Reply = WatchOpportunitiesResponse;
    type Error = Error;

    fn signal(&self) -> Signal {
        self.watched.signal()
    }

    async fn round(&mut self, call: &mut Call) -> Result<Vec<WatchOpportunitiesResponse>, Error> {
        match self.place {
            Place::Before { after, until } => self.still_open(call, after, until).await,
            Place::At(version) => self.told_since(call, version).await,
        }
    }

    fn heartbeat(&self) -> WatchOpportunitiesResponse {
        let resume_token = match self.place {
            Place::Before { .. } => 0,
            Place::At(version) => version,
        };
        WatchOpportunitiesResponse {
            resume_token,
            ..Default::default()
        }
    }
}

impl Opportunities {
    async fn still_open(
        &mut self,
        call: &mut Call,
        after: Option<WorkId>,
        until: Option<u64>,
    ) -> Result<Vec<WatchOpportunitiesResponse>, Error> {
        let provider = self.provider;
        let (until, open) = self
            .store
            .read(call, async |tx| {
                let until = match until {
                    Some(version) => version,
                    None => tx.told_until(provider.uuid()).await?,
                };
                let open = opportunities::open_for(tx, provider, after, ROUND).await?;
                Ok::<_, Error>((until, open))
            })
            .await?;
        let is_last = i64::try_from(open.len()).unwrap_or(i64::MAX) < ROUND;
        self.place = match (open.last(), is_last) {
            (Some(last), false) => Place::Before {
                after: Some(last.work_id),
                until: Some(until),
            },
            _ => Place::At(until),
        };
        let mut told: Vec<_> = open.iter().map(convert::told_opened).collect();
        if let (Some(last), true) = (told.last_mut(), is_last) {
            last.resume_token = until;
        }
        Ok(told)
    }

    async fn told_since(
        &mut self,
        call: &mut Call,
        version: u64,
    ) -> Result<Vec<WatchOpportunitiesResponse>, Error> {
        let provider = self.provider.uuid();
        let told: Vec<(u64, WatchOpportunitiesResponse)> = self
            .store
            .read(call, async |tx| tx.told(provider, version).await)
            .await?;
        if let Some((last, _)) = told.last() {
            self.place = Place::At(*last);
        }
        let resumable = |(resume_token, message)| WatchOpportunitiesResponse {
            resume_token,
            ..message
        };
        Ok(told.into_iter().map(resumable).collect())
    }
}
