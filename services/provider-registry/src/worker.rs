//! The background of provider-registry: it follows work and offers it, and follows tenants, with which providers stop.

use std::sync::Arc;

use aex_kit::{Hosted as _, Link};
use aex_proto::aex::common::v1::Event;
use aex_store::{Failure, Follower, Store, Tx, feed};
use aex_types::WorkId;

use crate::{
    App, Error, convert,
    domain::{
        opportunity::{self, Published, Reason},
        provider::follow_tenant,
    },
    store::{
        opportunities::{self, Opportunities},
        providers,
    },
};

/// Offers work as it is published, and takes the offers back when bidding is over.
#[derive(Debug)]
struct Works;

/// Starts the follower.
pub(crate) fn follow_works(store: &Store, ledger: Link) {
    feed::follow(store, App::NAME, ledger, Arc::new(Works));
}

/// Stops the providers of tenants that were stopped, and lets them work again with these.
#[derive(Debug)]
struct Tenants;

/// Starts the follower.
pub(crate) fn follow_tenants(store: &Store, ledger: Link) {
    feed::follow(store, App::NAME, ledger, Arc::new(Tenants));
}

impl Follower for Tenants {
    const NAME: &'static str = "provider-registry.tenants";
    const TYPES: &'static [&'static str] = &["tenant.suspended", "tenant.activated", "tenant.terminated"];
    type Error = Error;

    async fn handle(&self, tx: &mut Tx<'_>, events: &[Event]) -> Result<(), Error> {
        // Operators stop tenants, a few on a bad day: each has its own statements.
        for event in events {
            let (tenant, standing) = convert::standing(event)?;
            let now = tx.now();
            let mut decided = Vec::new();
            for provider in providers::lock_of(tx, tenant).await? {
                let events = follow_tenant(&provider, &standing, now);
                if !events.is_empty() {
                    decided.push((provider, events));
                }
            }
            providers::record_heard(tx, decided, &event.event_id).await?;
        }
        Ok(())
    }
}

impl Follower for Works {
    const NAME: &'static str = "provider-registry.works";
    const TYPES: &'static [&'static str] = &[
        "work.submitted",
        "work.bid_window_closed",
        "work.award_released",
        "work.awarded",
        "work.cancelled",
        "work.failed",
    ];
    /// The book takes no bid any more, whether or not the watchers know it, and there may be a thousand of them.
    const PATIENT: &'static [&'static str] =
        &["work.bid_window_closed", "work.award_released", "work.awarded"];
    type Error = Error;

    async fn handle(&self, tx: &mut Tx<'_>, events: &[Event]) -> Result<(), Error> {
        let mut heard = Vec::with_capacity(events.len());
        for event in events {
            heard.extend(News::read(event)?.map(|news| (&event.event_id, news)));
        }
        let mut known = Opportunities::lock(tx, heard.iter().map(|(_, news)| news.work_id())).await?;
        let now = tx.now();
        for (cause, news) in &heard {
            let decided = match (news, known.get(news.work_id())) {
                (News::Published(work), None) => {
                    let matched = opportunities::matched(tx, work).await?;
                    Some(opportunity::open(work, matched, now))
                }
                (News::Ends(_, reason), Some(opportunity)) => opportunity::close(opportunity, *reason, now),
                _ => None,
            };
            if let Some(event) = decided {
                known.fold(event, cause)?;
            }
        }
        known.record(tx).await?;
        Ok(())
    }
}

/// What became of work, as far as it can be bid on.
#[derive(Debug)]
enum News {
    Published(Box<Published>),
    Ends(WorkId, Reason),
}

impl News {
    /// `None` when the event says nothing of that.
    fn read(event: &Event) -> Result<Option<Self>, Failure> {
        if event.r#type == "work.submitted" {
            return Ok(Some(Self::Published(Box::new(convert::published(event)?))));
        }
        let Some(reason) = convert::ends_bidding(event) else {
            return Ok(None);
        };
        let work_id = event
            .aggregate_id
            .parse()
            .map_err(|_| Failure::corrupt(format!("event {} is of no work", event.event_id)))?;
        Ok(Some(Self::Ends(work_id, reason)))
    }

    const fn work_id(&self) -> WorkId {
        match self {
            Self::Published(work) => work.shown.work_id,
            Self::Ends(work_id, _) => *work_id,
        }
    }
}
