//! The background of trust-broker: it follows providers and the ends of contracts, and lets tenure grow.

use std::sync::Arc;

use aex_kit::{Call, Hosted as _, Link};
use aex_proto::aex::common::v1::Event;
use aex_store::{Follower, Job, Store, Timers, Tx, feed};
use aex_types::ProviderId;
use uuid::Uuid;

use crate::{
    App, Error,
    convert::Told,
    domain::decide::{self, RecordOutcome},
    store::{outcomes, records},
};

/// Starts the follower and the timer.
pub(crate) fn start(store: &Store, ledger: Link) {
    feed::follow(store, App::NAME, ledger, Arc::new(Endings));
    let tenure = Tenure { store: store.clone() };
    Timers::new(store, App::NAME, Arc::new(tenure)).start();
}

/// Records how contracts end, and who their providers are.
#[derive(Debug)]
struct Endings;

impl Follower for Endings {
    const NAME: &'static str = "trust-broker.endings";
    const TYPES: &'static [&'static str] = &[
        "provider.registered",
        "contract.settled",
        "contract.failed",
        "contract.expired",
    ];
    type Error = Error;

    async fn handle(&self, tx: &mut Tx<'_>, events: &[Event]) -> Result<(), Error> {
        for event in events {
            match Told::read(event)? {
                Some(Told::Registered(command)) => {
                    let record = records::lock(tx, command.provider_id).await?;
                    let events = decide::register(&record, &command, tx.now());
                    records::record(tx, record, &events, Some(&event.event_id)).await?;
                }
                Some(Told::Ended(command)) => end(tx, &command, &event.event_id).await?,
                None => {}
            }
        }
        Ok(())
    }
}

async fn end(tx: &mut Tx<'_>, command: &RecordOutcome, cause: &str) -> Result<(), Error> {
    let record = records::lock(tx, command.provider_id).await?;
    let known = outcomes::of_contract(tx, command.contract_id).await?;
    match decide::record_outcome(&record, known.as_ref(), command, tx.now()) {
        Ok(events) => {
            records::record(tx, record, &events, Some(cause)).await?;
        }
        // The first end of a contract stands. That it is told to have ended in two ways is for people to look at, and no
        // reason to hear nothing more.
        Err(refusal) => tracing::warn!(%refusal, cause, "an outcome is left out"),
    }
    Ok(())
}

/// Makes an event of each month more of tenure.
#[derive(Debug)]
struct Tenure {
    store: Store,
}

impl Job for Tenure {
    const KIND: &'static str = records::TENURE;
    type Error = Error;

    async fn run(&self, mut call: Call, key: Uuid) -> Result<(), Error> {
        self.store
            .work(&mut call, async |tx| {
                let record = records::lock(tx, ProviderId::from(key)).await?;
                let events = decide::refresh(&record, tx.now());
                records::record(tx, record, &events, None).await?;
                Ok(())
            })
            .await
    }
}
