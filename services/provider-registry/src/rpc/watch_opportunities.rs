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
    let watcher = Opportunities {
        store: app.store.clone(),
        provider,
        watched: app.store.watched(provider.uuid(), request.resume_token),
        place: match request.resume_token {
            0 => Place::Begin,
            _ => Place::Told,
        },
    };
    Ok((call, watcher))
}

/// One open watch of a provider.
#[derive(Debug)]
pub(super) struct Opportunities {
    store: Store,
    provider: ProviderId,
    /// What was told since the watch began.
    watched: Watched,
    place: Place,
}

/// How far a watch has come with what was open when it began. Who leaves before the end of that begins again; work that
/// opens meanwhile may be told twice.
#[derive(Debug, Clone, Copy)]
enum Place {
    /// Nothing of it is told.
    Begin,
    /// It is told up to this work.
    Behind(WorkId),
    /// All of it is told.
    Told,
}

impl Watcher for Opportunities {
    type Reply = WatchOpportunitiesResponse;
    type Error = Error;

    fn signal(&self) -> Signal {
        self.watched.signal()
    }

    async fn round(&mut self, call: &mut Call) -> Result<Vec<WatchOpportunitiesResponse>, Error> {
        match self.place {
            Place::Begin => self.still_open(call, None).await,
            Place::Behind(work) => self.still_open(call, Some(work)).await,
            Place::Told => self.told_since(call).await,
        }
    }

    fn heartbeat(&self) -> WatchOpportunitiesResponse {
        let resume_token = match self.place {
            Place::Begin | Place::Behind(_) => 0,
            Place::Told => self.watched.version(),
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
    ) -> Result<Vec<WatchOpportunitiesResponse>, Error> {
        let (provider, watched) = (self.provider, &mut self.watched);
        let open = self
            .store
            .read(call, async |tx| {
                if after.is_none() {
                    watched.skip(tx).await?;
                }
                opportunities::open_for(tx, provider, after, ROUND).await
            })
            .await?;
        let is_last = i64::try_from(open.len()).unwrap_or(i64::MAX) < ROUND;
        self.place = match (open.last(), is_last) {
            (Some(last), false) => Place::Behind(last.work_id),
            _ => Place::Told,
        };
        let mut told: Vec<_> = open.iter().map(convert::told_opened).collect();
        if let (Some(last), true) = (told.last_mut(), is_last) {
            last.resume_token = self.watched.version();
        }
        Ok(told)
    }

    async fn told_since(&mut self, call: &mut Call) -> Result<Vec<WatchOpportunitiesResponse>, Error> {
        let watched = &mut self.watched;
        let news: Vec<(u64, WatchOpportunitiesResponse)> =
            self.store.read(call, async |tx| watched.news(tx).await).await?;
        let resumable = |(resume_token, message)| WatchOpportunitiesResponse {
            resume_token,
            ..message
        };
        Ok(news.into_iter().map(resumable).collect())
    }
}
