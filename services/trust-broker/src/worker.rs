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
    domain::decide,
    store::records::{self, Records},
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
        let mut told = Vec::with_capacity(events.len());
        for event in events {
            told.extend(Told::read(event)?.map(|told| (&event.event_id, told)));
        }
        let providers = told.iter().map(|(_, told)| told.provider_id()).collect();
        let contracts: Vec<_> = told.iter().filter_map(|(_, told)| told.contract_id()).collect();
        let mut records = Records::lock(tx, providers, &contracts).await?;
        let now = tx.now();
        for (cause, told) in &told {
            let Some(record) = records.get(told.provider_id()) else {
                continue;
            };
            let decided = match told {
                Told::Registered(command) => Ok(decide::register(record, command, now)),
                Told::Ended(command) => {
                    let known = records.outcome(command.contract_id);
                    decide::record_outcome(record, known, command, now)
                }
            };
            match decided {
                Ok(events) => records.fold(events, cause)?,
                // The first end of a contract stands. That it is told to have ended in two ways is for people to look at,
                // and no reason to hear nothing more.
                Err(refusal) => tracing::warn!(%refusal, cause, "an outcome is left out"),
            }
        }
        records.record(tx).await?;
        Ok(())
    }
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
                records::record(tx, record, events).await?;
                Ok(())
            })
            .await
    }
}
