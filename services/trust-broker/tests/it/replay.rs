use std::time::Duration;

use aex_proto::aex::{contract_engine::v1::Party, trust_broker::v1 as pb};
use aex_store::Store;
use aex_testkit::Database;
use aex_trust_broker::{App, Config, SCHEMA};

use crate::fixture::Broker;

#[tokio::test]
async fn folding_all_events_again_gives_the_same_tables() {
    let mut broker = Broker::at_work().await;
    let (ada, house) = (broker.registered(false), broker.registered(true));
    let stranger = broker.stranger();
    let friend = broker.new_id::<aex_types::id::kind::Tenant>();
    for _ in 0..16 {
        broker.settle_for(&ada, &friend);
    }
    broker.settle_for(&ada, &ada.owner_id);
    for seller in [&ada, &house, &stranger] {
        broker.settle(seller);
        broker.fail(seller, "rejected_by_consumer", Party::Provider);
        broker.expire(seller);
    }
    broker.told("trust.outcome_recorded", 26).await;
    broker.verify(&ada.provider_id, [true, true, true]).await;
    broker.verify(&ada.provider_id, [true, false, true]).await;
    broker.told("trust.verification_changed", 4).await;
    broker.world.advance(Duration::from_hours(31 * 24));
    let last = broker.settle(&stranger);
    broker.told("trust.outcome_recorded", 27).await;
    let events = {
        let mut count = 1;
        loop {
            let events = broker.ledger.told_by("trust-broker", count).await;
            // Both that the registry told of are worth a month more; the stranger's tenure has not begun.
            let is_tenure = |event: &&aex_proto::aex::common::v1::Event| {
                event.r#type == "trust.score_updated"
                    && event.payload.windows(6).any(|word| word == b"tenure")
            };
            if broker.database.events().await.is_empty() && events.iter().filter(is_tenure).count() >= 2 {
                break events;
            }
            count = events.len() + usize::from(!broker.database.events().await.is_empty());
            tokio::task::yield_now().await;
        }
    };
    assert!(events.iter().any(|event| {
        event
            .payload
            .windows(last.len())
            .any(|word| word == last.as_bytes())
    }));

    let empty = Database::of(&SCHEMA).await;
    let store = Store::attach(&SCHEMA, empty.connect(), broker.world.runtime());
    let replayed = App::on(store, &Config::default(), broker.world.mesh());
    // In two parts: a replay goes on from what is there.
    let (early, late) = events.split_at(events.len() / 2);
    replayed.replay(early).await.unwrap();
    replayed.replay(late).await.unwrap();
    assert_eq!(empty.state().await, broker.database.state().await);
    assert_eq!(broker.database.differences(&empty).await, [""; 0]);
    assert!(
        replayed.replay(early).await.is_err(),
        "an event that does not follow is refused"
    );

    let audit = broker
        .operator
        .audit(pb::AuditRequest::default())
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        (audit.violations.as_slice(), audit.facts.len()),
        ([].as_slice(), 27)
    );
}

#[tokio::test]
async fn every_statement_fits_the_schema() {
    Broker::new()
        .await
        .database
        .check_statements("aex-trust-broker")
        .await;
}

#[tokio::test]
async fn the_audit_computes_every_score_again_and_names_those_that_differ() {
    let mut broker = Broker::at_work().await;
    let sellers: Vec<_> = (0..4).map(|_| broker.registered(false)).collect();
    for seller in &sellers {
        broker.settle(seller);
    }
    broker.told("trust.outcome_recorded", 4).await;
    let mut damage = Vec::new();
    for (seller, statement) in sellers.iter().zip([
        "UPDATE trust SET score = 0.9",
        "UPDATE trust SET successful = 7",
        "UPDATE outcome SET in_window = false",
        "UPDATE trust SET tier = 'VERIFIED'",
    ]) {
        let id = seller.provider_id.parse::<aex_types::ProviderId>().unwrap();
        broker
            .database
            .execute(&format!("{statement} WHERE provider_id = '{}'", id.uuid()))
            .await;
        damage.push(id);
    }
    damage.sort();
    let found = broker
        .operator
        .audit(pb::AuditRequest::default())
        .await
        .unwrap()
        .into_inner()
        .violations;
    let subjects: Vec<aex_types::ProviderId> = found.iter().map(|one| one.subject.parse().unwrap()).collect();
    assert_eq!(subjects, damage);
    assert!(found.iter().all(|one| one.invariant == "I13"));
}
