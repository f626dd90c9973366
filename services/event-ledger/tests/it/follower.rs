use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use aex_proto::aex::common::v1::Event;
use aex_store::{Failure, Follower, Store, Tx, feed};
use aex_testkit::{Database, Shape, World};

use crate::{
    fixture::{Ledger, app},
    reader::{READER, SCHEMA, eventually, see, seen, store},
};

/// Notes every event of a work; fails at some, after their effect, as often as it is told.
#[derive(Default)]
struct Reader {
    failures: Mutex<HashMap<String, u32>>,
}

impl Reader {
    fn failing(failures: &[(&Event, u32)]) -> Arc<Self> {
        let failures = failures
            .iter()
            .map(|(event, times)| (event.event_id.clone(), *times));
        Arc::new(Self {
            failures: Mutex::new(failures.collect()),
        })
    }
}

impl Follower for Reader {
    const NAME: &'static str = "reader";
    const TYPES: &'static [&'static str] = &["work.*"];
    type Error = Failure;

    async fn handle(&self, tx: &mut Tx<'_>, events: &[Event]) -> Result<(), Failure> {
        for event in events {
            see(tx, &event.event_id).await?;
            let mut failures = self.failures.lock().unwrap();
            if let Some(left) = failures.get_mut(&event.event_id).filter(|left| **left > 0) {
                *left -= 1;
                return Err(Failure::corrupt("the process dies here"));
            }
        }
        Ok(())
    }
}

fn start(store: &Store, world: &World, reader: &Arc<Reader>) {
    let link = world.mesh().link(READER, "event-ledger");
    feed::follow(store, READER, link, Arc::clone(reader));
}

fn ids(events: &[Event]) -> Vec<(String, i32)> {
    events.iter().map(|event| (event.event_id.clone(), 1)).collect()
}

async fn sees(store: &Store, events: &[Event]) {
    let expected = ids(events);
    eventually("the follower has seen everything once and in order", async || {
        (seen(store).await == expected).then_some(())
    })
    .await;
}

#[tokio::test]
async fn an_effect_that_fails_before_the_commit_comes_once_all_the_same() {
    let mut ledger = Ledger::new().await;
    let database = Database::of(&SCHEMA).await;
    let events: Vec<_> = (0..20).map(|work| ledger.work(work, 1)).collect();
    let reader = Reader::failing(&[(&events[3], 2), (&events[11], 1), (&events[19], 3)]);
    let store = store(&database, ledger.world.runtime());
    ledger.append(&events[..12]).await;
    start(&store, &ledger.world, &reader);
    sees(&store, &events[..12]).await;
    ledger.append(&events[12..]).await;
    sees(&store, &events).await;
}

#[tokio::test]
async fn a_follower_goes_on_where_the_process_before_it_ended() {
    let mut ledger = Ledger::new().await;
    let database = Database::of(&SCHEMA).await;
    let events: Vec<_> = (0..30).map(|work| ledger.work(work, 1)).collect();
    for life in 0..3 {
        // A process of its own: clock, tasks, connections, and a way to the same log.
        let mut process = World::new(Shape::InProcess);
        process.host(&app(&process, &ledger.database)).await;
        let store = store(&database, process.runtime());
        let (old, new) = (life * 10, life * 10 + 10);
        ledger.append(&events[old..new]).await;
        let reader = Reader::failing(&[(&events[old + 5], 1)]);
        start(&store, &process, &reader);
        sees(&store, &events[..new]).await;
        assert!(process.runtime().shutdown(Duration::from_secs(10)).await);
    }
}

#[tokio::test]
async fn two_replicas_of_a_follower_share_one_position() {
    let mut ledger = Ledger::new().await;
    let database = Database::of(&SCHEMA).await;
    let events: Vec<_> = (0..60).map(|work| ledger.work(work, 1)).collect();
    let reader = Reader::failing(&[(&events[7], 1), (&events[40], 1)]);
    let stores = [
        store(&database, ledger.world.runtime()),
        store(&database, ledger.world.runtime()),
    ];
    for store in &stores {
        start(store, &ledger.world, &reader);
    }
    for batch in events.chunks(4) {
        ledger.append(batch).await;
    }
    sees(&stores[0], &events).await;
}

#[tokio::test]
async fn a_bad_event_holds_up_only_what_comes_after_it() {
    let mut ledger = Ledger::new().await;
    let database = Database::of(&SCHEMA).await;
    let events: Vec<_> = (0..10).map(|work| ledger.work(work, 1)).collect();
    let reader = Reader::failing(&[(&events[6], u32::MAX)]);
    let store = store(&database, ledger.world.runtime());
    ledger.append(&events).await;
    start(&store, &ledger.world, &reader);
    sees(&store, &events[..6]).await;
    // It has tried the bad one, again and again; nothing of it or behind it is there.
    eventually("the bad event was tried again", async || {
        (reader.failures.lock().unwrap()[&events[6].event_id] < u32::MAX - 3).then_some(())
    })
    .await;
    assert_eq!(seen(&store).await, ids(&events[..6]));
    reader.failures.lock().unwrap().clear();
    sees(&store, &events).await;
}
