//! The background of provider-registry: it follows work and offers it.

use std::sync::Arc;

use aex_kit::{Hosted as _, Link};
use aex_proto::aex::common::v1::Event;
use aex_store::{Failure, Follower, Store, Tx, feed};

use crate::{App, Error, convert, domain::opportunity, store::opportunities};

/// Offers work as it is published, and takes the offers back when bidding is over.
#[derive(Debug)]
struct Works;

/// Starts the follower.
pub(crate) fn follow_works(store: &Store, ledger: Link) {
    feed::follow(store, App::NAME, ledger, Arc::new(Works));
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
    type Error = Error;

    async fn handle(&self, tx: &mut Tx<'_>, events: &[Event]) -> Result<(), Error> {
        for event in events {
            if event.r#type == "work.submitted" {
                open(tx, event).await?;
            } else {
                close(tx, event).await?;
            }
        }
        Ok(())
    }
}

async fn open(tx: &mut Tx<'_>, event: &Event) -> Result<(), Error> {
    let work = convert::published(event)?;
    if opportunities::lock(tx, work.shown.work_id).await?.is_some() {
        return Ok(());
    }
    let matched = opportunities::matched(tx, &work).await?;
    let opened = opportunity::open(&work, matched, tx.now());
    opportunities::record(tx, None, &opened, &event.event_id).await?;
    Ok(())
}

async fn close(tx: &mut Tx<'_>, event: &Event) -> Result<(), Error> {
    let Some(reason) = convert::ends_bidding(event) else {
        return Ok(());
    };
    let work_id = event
        .aggregate_id
        .parse()
        .map_err(|_| Failure::corrupt(format!("event {} is of no work", event.event_id)))?;
    let Some(opportunity) = opportunities::lock(tx, work_id).await? else {
        return Ok(());
    };
    if let Some(closed) = opportunity::close(&opportunity, reason, tx.now()) {
        opportunities::record(tx, Some(opportunity), &closed, &event.event_id).await?;
    }
    Ok(())
}
