//! What work-publisher does by itself: ends bidding, gives up on work that nobody awards, and follows the events of
//! others.

use std::sync::Arc;

use aex_kit::{Call, Hosted as _};
use aex_proto::aex::common::v1::Event;
use aex_store::{Follower, Job, Timers, Tx, feed};
use uuid::Uuid;

use crate::{
    App, Error, convert,
    domain::work::{self, Status},
    store::works::{self, Works},
};

/// Ends bidding.
pub(crate) const CLOSE: &str = "work.close";
/// Tells watchers that bidding is about to end.
pub(crate) const CLOSING: &str = "work.closing";
/// Gives up on work that nobody awards.
pub(crate) const GIVE_UP: &str = "work.give_up";

/// Starts all workers.
pub(crate) fn start(app: &Arc<App>) {
    Timers::new(&app.store, App::NAME, Arc::new(Close(Arc::clone(app)))).start();
    Timers::new(&app.store, App::NAME, Arc::new(Closing(Arc::clone(app)))).start();
    Timers::new(&app.store, App::NAME, Arc::new(GiveUp(Arc::clone(app)))).start();
    feed::follow(&app.store, App::NAME, app.ledger.clone(), Arc::new(Market));
}

struct Close(Arc<App>);

impl Job for Close {
    const KIND: &'static str = CLOSE;
    type Error = Error;

    async fn run(&self, mut call: Call, key: Uuid) -> Result<(), Error> {
        let award = self.0.times.award();
        self.0
            .store
            .work(&mut call, async |tx| {
                let Some(work) = works::lock(tx, key.into()).await? else {
                    tx.done(CLOSE, key);
                    return Ok(());
                };
                let events = work::close(&work, award, tx.now());
                // An open work whose moment has not come keeps its timer.
                if events.is_empty() && work.status != Status::Open {
                    tx.done(CLOSE, key);
                }
                works::record(tx, Some(work), events).await?;
                Ok(())
            })
            .await
    }
}

struct Closing(Arc<App>);

impl Job for Closing {
    const KIND: &'static str = CLOSING;
    type Error = Error;

    async fn run(&self, mut call: Call, key: Uuid) -> Result<(), Error> {
        self.0
            .store
            .work(&mut call, async |tx| {
                let work = works::lock(tx, key.into()).await?;
                let now = tx.now();
                if work.is_some_and(|work| work.status == Status::Open && now < work.close_time) {
                    tx.tell(key, &convert::closing(now));
                }
                tx.done(CLOSING, key);
                Ok(())
            })
            .await
    }
}

struct GiveUp(Arc<App>);

impl Job for GiveUp {
    const KIND: &'static str = GIVE_UP;
    type Error = Error;

    async fn run(&self, mut call: Call, key: Uuid) -> Result<(), Error> {
        self.0
            .store
            .work(&mut call, async |tx| {
                let Some(work) = works::lock(tx, key.into()).await? else {
                    tx.done(GIVE_UP, key);
                    return Ok(());
                };
                let events = work::give_up(&work, tx.now());
                if events.is_empty() && work.status != Status::Evaluating {
                    tx.done(GIVE_UP, key);
                }
                works::record(tx, Some(work), events).await?;
                Ok(())
            })
            .await
    }
}

/// What the rest of the market does with works.
struct Market;

impl Follower for Market {
    const NAME: &'static str = "work-publisher";
    const TYPES: &'static [&'static str] = convert::KNOWN;
    type Error = Error;

    async fn handle(&self, tx: &mut Tx<'_>, events: &[Event]) -> Result<(), Error> {
        let mut heard = Vec::with_capacity(events.len());
        for event in events {
            heard.extend(convert::heard(event)?.map(|(work, news)| (&event.event_id, work, news)));
        }
        let mut works = Works::lock(tx, heard.iter().map(|(_, work, _)| *work)).await?;
        for (cause, work, news) in &heard {
            if let Some(work) = works.get(*work) {
                let decided = work::hear(work, news, tx.now());
                works.fold(decided, cause)?;
            }
        }
        works.record(tx).await?;
        Ok(())
    }
}
