use std::{sync::Arc, time::Duration};

use aex_kit::Hosted as _;
use aex_proto::aex::work_publisher::v1 as pb;
use aex_store::Store;
use aex_testkit::Database;
use aex_work_publisher::{App, Config, SCHEMA};
use rand_like::Dice;

use crate::fixture::{Publisher, release, seconds, work};

/// A small deterministic source of choices.
pub mod rand_like {
    pub struct Dice(pub u64);

    impl Dice {
        pub fn roll(&mut self, sides: u64) -> u64 {
            self.0 = self
                .0
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (self.0 >> 33) % sides
        }
    }
}

#[tokio::test]
async fn folding_all_events_again_gives_the_same_tables() {
    let mut market = Publisher::new().await;
    let mut dice = Dice(7);
    let mut works = Vec::new();
    let contracts: Vec<_> = (0..3).map(|_| market.contract()).collect();
    for step in 0..160_u64 {
        if step % 8 == 0 {
            let request = pb::PublishWorkRequest {
                constraints: (step % 16 == 0).then(|| pb::Constraints {
                    max_latency: Some(seconds(2)),
                    required_fields: vec!["digit".to_owned(), "a,b".to_owned()],
                    min_trust_tier: 3,
                    internal_only: true,
                    regions: vec!["eu.north".to_owned()],
                }),
                payload: b"{\"digit\": \"?\"}".as_slice().into(),
                payload_content_type: "application/json".to_owned(),
                auto_award: step % 16 == 0,
                ..work()
            };
            works.push(market.publish(request).await);
        }
        let work = works[usize::try_from(dice.roll(works.len() as u64)).unwrap()].clone();
        let contract = contracts[usize::try_from(dice.roll(3)).unwrap()].clone();
        match dice.roll(6) {
            0 => drop(market.cancel(&work.work_id).await),
            1 | 2 => drop(market.reserve(&work, &contract).await),
            3 => drop(market.confirm(&work.work_id, &contract).await),
            4 => {
                let request = pb::ReleaseAwardRequest {
                    r#final: dice.roll(4) == 0,
                    sealed: dice.roll(2) == 0,
                    ..release(&work.work_id, &contract)
                };
                market.release(request).await;
            }
            _ => market.world.advance(Duration::from_secs(dice.roll(10))),
        }
    }

    let events = market.database.events().await;
    assert!(events.len() > 30, "{}", events.len());
    market.assert_replays(&events).await;
}

#[tokio::test]
async fn a_rebuilt_publisher_still_ends_the_windows_that_were_open() {
    let market = Publisher::new().await;
    let published = market.publish(work()).await;
    let empty = Database::of(&SCHEMA).await;
    let store = Store::attach(&SCHEMA, empty.connect(), market.world.runtime());
    let replayed = Arc::new(App::on(store, &Config::default(), market.world.mesh()));
    replayed.replay(&market.database.events().await).await.unwrap();
    Arc::clone(&replayed).start_workers();
    market.world.advance(Duration::from_secs(30));
    let closed = market.ledger.seen("work.bid_window_closed", |_| true).await;
    assert_eq!(closed.aggregate_id, published.work_id);
}

#[tokio::test]
async fn every_statement_fits_the_schema() {
    let market = Publisher::new().await;
    market.database.check_statements("aex-work-publisher").await;
}

#[tokio::test]
async fn the_audit_states_every_work_and_names_what_is_broken() {
    let mut market = Publisher::new().await;
    let request = pb::PublishWorkRequest {
        payload: b"{}".as_slice().into(),
        payload_content_type: "application/json".to_owned(),
        ..work()
    };
    let published = market.publish(request).await;
    let contract = market.contract();
    let held = market.publish(work()).await;
    market.reserve(&held, &contract).await.unwrap();
    let audit = pb::AuditRequest::default;
    let clean = market.operator.audit(audit()).await.unwrap().into_inner();
    assert!(clean.violations.is_empty(), "{:?}", clean.violations);
    let facts: Vec<_> = clean
        .facts
        .iter()
        .map(|fact| (fact.kind.as_str(), fact.subject.as_str(), fact.value.as_str()))
        .collect();
    for fact in [
        ("work.status", published.work_id.as_str(), "OPEN"),
        ("work.status", held.work_id.as_str(), "AWARDING"),
        ("work.contract", held.work_id.as_str(), contract.as_str()),
    ] {
        assert!(facts.contains(&fact), "{fact:?} is not among {facts:?}");
    }
    market.database.execute("DELETE FROM timer").await;
    market.database.execute("DELETE FROM payload").await;
    let broken = market.operator.audit(audit()).await.unwrap().into_inner();
    assert_eq!(broken.violations.len(), 2);
    assert!(
        broken
            .violations
            .iter()
            .all(|found| found.subject == published.work_id)
    );
}
