//! What bid-gateway does by itself: it follows what becomes of works and their bids.

use std::{collections::BTreeMap, sync::Arc};

use aex_kit::Hosted as _;
use aex_proto::aex::common::v1::Event;
use aex_store::{Follower, Tx, feed};
use aex_types::{BidId, ContractId};

use crate::{
    App, Error, convert,
    domain::book::{self, Terms},
    store::books::Books,
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
    /// Each changes all bids of a work. The award itself does not wait for that.
    const PATIENT: &'static [&'static str] = &["bids.evaluated", "contract.awarded"];
    type Error = Error;

    async fn handle(&self, tx: &mut Tx<'_>, events: &[Event]) -> Result<(), Error> {
        let mut heard = Vec::with_capacity(events.len());
        for event in events {
            heard.extend(convert::heard(event)?.map(|(work, news)| (&event.event_id, work, news)));
        }
        let mut books = Books::lock(tx, heard.iter().map(|(_, work, _)| *work)).await?;
        let now = tx.now();
        for (cause, work, news) in &heard {
            if let News::Cancelled(terms) = news {
                books.open(tx, *terms).await?;
            }
            let Some((book, bids)) = books.get(*work) else {
                continue;
            };
            let decided = match news {
                News::Cancelled(_) => book::abandon(book, bids, "work_cancelled", now),
                News::Failed => book::abandon(book, bids, "work_failed", now),
                News::Evaluated(verdicts) => book::evaluated(book, bids, verdicts, now),
                News::Awarded(winner, contract) => book::awarded(book, bids, *winner, *contract, now),
            };
            books.fold(decided, cause)?;
        }
        books.record(tx).await?;
        Ok(())
    }
}
