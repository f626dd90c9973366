//! What bid-gateway does by itself: it follows what becomes of works and their bids.

use std::{collections::BTreeMap, sync::Arc};

use aex_kit::Hosted as _;
use aex_proto::aex::common::v1::Event;
use aex_store::{Follower, Tx, feed};
use aex_types::{BidId, ContractId, WorkId};

use crate::{
    App, Error, convert,
    domain::book::{self, Terms},
    store::books,
};

/// Starts all workers.
pub(crate) fn start(app: &Arc<App>) {
    feed::follow(&app.store, App::NAME, app.ledger.clone(), Arc::new(Market));
}

/// What became of a work, as far as its book is concerned.
#[derive(Debug)]
pub(crate) enum News {
    /// It is withdrawn. Without a book it gets a sealed one, so that no first bid can come after all.
    Cancelled(Terms),
    /// It failed.
    Failed,
    /// Its bids are judged: `None` is valid, a text says why not.
    Evaluated(BTreeMap<BidId, Option<String>>),
    /// One bid won.
    Awarded(BidId, ContractId),
}

struct Market;

impl Follower for Market {
    const NAME: &'static str = "bid-gateway";
    const TYPES: &'static [&'static str] = convert::HEARD;
    type Error = Error;

    async fn handle(&self, tx: &mut Tx<'_>, events: &[Event]) -> Result<(), Error> {
        for event in events {
            hear(tx, event).await?;
        }
        Ok(())
    }
}

async fn hear(tx: &mut Tx<'_>, event: &Event) -> Result<(), Error> {
    let Some((work_id, news)) = convert::heard(event)? else {
        return Ok(());
    };
    let Some(book) = held(tx, work_id, &news).await? else {
        return Ok(());
    };
    let bids = books::final_set(tx, work_id).await?;
    let now = tx.now();
    let events = match &news {
        News::Cancelled(_) => book::abandon(&book, &bids, "work_cancelled", now),
        News::Failed => book::abandon(&book, &bids, "work_failed", now),
        News::Evaluated(verdicts) => book::evaluated(&book, &bids, verdicts, now),
        News::Awarded(winner, contract) => book::awarded(&book, &bids, *winner, *contract, now),
    };
    books::record(tx, book, bids, &events, &event.event_id).await?;
    Ok(())
}

async fn held(tx: &mut Tx<'_>, work_id: WorkId, news: &News) -> Result<Option<book::Book>, Error> {
    Ok(match news {
        News::Cancelled(terms) => Some(books::lock_or_open(tx, *terms).await?),
        _ => books::lock(tx, work_id).await?,
    })
}
