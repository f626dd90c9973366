//! Evaluates the bids on a work when its bid window closes, and brings an evaluation about for whoever asks.

use std::{sync::Arc, time::Duration};

use aex_kit::{Call, Hosted as _};
use aex_proto::aex::common::v1::Event as Stored;
use aex_store::{Ahead, Follower, Job, Timers, Tx, feed::follow};
use aex_types::WorkId;
use uuid::Uuid;

use crate::{
    App, Error, convert,
    domain::evaluation::{self, Evaluate, Evaluation},
    store::evaluations,
};

/// Evaluates the bids on a work; by work.
const EVALUATE: &str = "evaluate";

/// May bids still come?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bidding {
    /// The work's window has closed, so the work is there and its book may be sealed.
    IsOver,
    /// Nobody has said.
    MayGoOn,
}

/// Starts everything.
pub(crate) fn start(app: &Arc<App>) {
    aex_store::relay(&app.store, App::NAME, app.ledger.clone());
    let closed = Closed {
        app: Arc::clone(app),
        ahead: Ahead::of(app.store.runtime(), App::NAME, EVALUATE),
    };
    follow(&app.store, App::NAME, app.ledger.clone(), Arc::new(closed));
    Timers::new(&app.store, App::NAME, Arc::new(EvaluateJob(Arc::clone(app)))).start();
}

/// A bid window has closed: its bids are evaluated at once.
struct Closed {
    app: Arc<App>,
    ahead: Ahead,
}

impl Closed {
    /// Begins an evaluation. Answers how long its job is to wait.
    fn begin(&self, work: WorkId) -> Duration {
        let app = Arc::clone(&self.app);
        self.ahead.begin(work.uuid(), async move |mut call| {
            app.evaluated(&mut call, work, Bidding::IsOver).await.map(drop)
        })
    }
}

impl Follower for Closed {
    const NAME: &'static str = "bid-window-closed";
    const TYPES: &'static [&'static str] = &["work.bid_window_closed"];
    type Error = Error;

    async fn handle(&self, tx: &mut Tx<'_>, events: &[Stored]) -> Result<(), Error> {
        for event in events {
            let work = convert::closed_work(event)?;
            let due = tx.now().saturating_add(self.begin(work));
            tx.schedule(EVALUATE, work.uuid(), due);
        }
        Ok(())
    }
}

struct EvaluateJob(Arc<App>);

impl Job for EvaluateJob {
    const KIND: &'static str = EVALUATE;
    type Error = Error;

    async fn run(&self, mut call: Call, key: Uuid) -> Result<(), Error> {
        match self.0.evaluated(&mut call, key.into(), Bidding::IsOver).await {
            // A work that is gone needs no ranking.
            Ok(_) | Err(Error::WorkNotFound(_)) => {}
            Err(error) => return Err(error),
        }
        self.0
            .store
            .work(&mut call, async |tx| {
                tx.done(EVALUATE, key);
                Ok(())
            })
            .await
    }
}

impl App {
    /// The evaluation of a work's bids: the stored one, or the one that is made now. Two who make it at once make the
    /// same, and one of them stores it.
    pub(crate) async fn evaluated(
        &self,
        call: &mut Call,
        work: WorkId,
        bidding: Bidding,
    ) -> Result<Evaluation, Error> {
        let stored = self
            .store
            .read_one(call, async |tx| {
                Ok::<_, Error>(evaluations::of_work(tx, work).await?)
            })
            .await?;
        if let Some(evaluation) = stored {
            return Ok(evaluation);
        }
        let command = self.asked(call, work, bidding).await?;
        let events = evaluation::evaluate(None, &command, call.now())?;
        let recorded = self
            .store
            .work(call, async |tx| {
                let evaluation = evaluations::record(tx, &events).await?;
                tx.unschedule(EVALUATE, work.uuid());
                Ok::<_, Error>(evaluation)
            })
            .await;
        match recorded {
            // Somebody else was first; the sealed book is the same, but the trust of a moment later may differ, and the
            // first one holds.
            Err(Error::Store(failure)) if evaluations::is_second(&failure) => {
                self.store
                    .read_one(call, async |tx| {
                        let first = evaluations::of_work(tx, work).await?;
                        first.ok_or(Error::EvaluationNotFound(work))
                    })
                    .await
            }
            recorded => recorded,
        }
    }

    /// Asks the others for what an evaluation is made of.
    async fn asked(&self, call: &Call, work: WorkId, bidding: Bidding) -> Result<Evaluate, Error> {
        let (asked, book) = match bidding {
            Bidding::IsOver => tokio::join!(self.peers.work(call, work), self.peers.seal(call, work)),
            // The work is asked first: bidding is not ended for a work that nobody can evaluate.
            Bidding::MayGoOn => (
                Ok(self.peers.work(call, work).await?),
                self.peers.seal(call, work).await,
            ),
        };
        let (asked, book) = (asked?, book?);
        let standings = self
            .peers
            .standings(call, book.bids.iter().map(|bid| bid.provider_id))
            .await?;
        Ok(Evaluate {
            evaluation_id: call.id(),
            work_id: work,
            consumer_id: asked.consumer_id,
            total_bids: book.total_bids,
            terms: asked.terms(self.rules),
            auto_award: asked.auto_award,
            bids: book.bids,
            standings,
            sealed_at: book.sealed_at,
        })
    }
}
