use std::{collections::HashMap, sync::Arc, time::Duration};

use aex_identity::App as Identity;
use aex_kit::{Hosted as _, Wire};
use aex_proto::aex::{
    common::v1::Event,
    identity::v1::{self as pb, identity_service_client::IdentityServiceClient},
};
use aex_store::Store;
use aex_testkit::{Database, Shape, Who, World};
use prost::Message as _;

use crate::{
    fixture::{self, Client, Ledger, key, listed},
    reader::eventually,
};

type Operator = IdentityServiceClient<Wire>;

/// Identity in a world, with its relay at work.
async fn identity(world: &mut World, database: &Database) -> Operator {
    let store = Store::attach(&aex_identity::SCHEMA, database.connect(), world.runtime());
    let app = Arc::new(Identity::on(
        store,
        &aex_identity::Config::default(),
        world.mesh(),
    ));
    world.host(&app).await;
    app.start_workers();
    Operator::new(world.client(&Who::Operator, Identity::NAME))
}

/// A tenant with a history of three events.
async fn live(operator: &mut Operator) {
    let create = pb::CreateTenantRequest {
        idempotency_key: key(),
        display_name: "Ada".to_owned(),
        r#type: pb::TenantType::Both.into(),
        contact_email: String::new(),
        internal: false,
    };
    let made = operator.create_tenant(create).await.unwrap().into_inner();
    let tenant_id = made.tenant.unwrap().tenant_id;
    let suspend = pb::SuspendTenantRequest {
        idempotency_key: key(),
        tenant_id: tenant_id.clone(),
        reason: "billing overdue".to_owned(),
    };
    operator.suspend_tenant(suspend).await.unwrap();
    let activate = pb::ActivateTenantRequest {
        idempotency_key: key(),
        tenant_id,
    };
    operator.activate_tenant(activate).await.unwrap();
}

async fn log(client: &mut Client) -> Vec<Event> {
    let stored = listed(client, None).await;
    stored
        .iter()
        .map(|stored| Event::decode(stored.event.clone()).unwrap())
        .collect()
}

#[tokio::test]
async fn events_wait_for_a_ledger_that_is_away_and_arrive_in_order() {
    for shape in Shape::ALL {
        let mut world = World::new(shape);
        let database = Database::of(&aex_identity::SCHEMA).await;
        let mut operator = identity(&mut world, &database).await;
        for _ in 0..5 {
            live(&mut operator).await;
            // Facts of one moment have no order between aggregates, and the relay may be sending some of them already.
            world.advance(Duration::from_millis(1));
        }
        let published = database.events().await;
        assert_eq!(published.len(), 15, "nothing is lost while the ledger is away");

        let log_database = Database::of(&aex_event_ledger::SCHEMA).await;
        world.host(&fixture::app(&world, &log_database)).await;
        let mut ledger = Client::new(world.client(&Who::Operator, "event-ledger"));
        eventually("the outbox is empty", async || {
            database.events().await.is_empty().then_some(())
        })
        .await;
        assert_eq!(log(&mut ledger).await, published);
        live(&mut operator).await;
        eventually("the outbox is empty again", async || {
            database.events().await.is_empty().then_some(())
        })
        .await;
        assert_eq!(log(&mut ledger).await.len(), 18);
    }
}

#[tokio::test]
async fn two_relays_of_one_service_neither_repeat_nor_reorder() {
    let mut ledger = Ledger::new().await;
    let database = Database::of(&aex_identity::SCHEMA).await;
    let mut other = World::new(Shape::InProcess);
    other.host(&fixture::app(&other, &ledger.database)).await;
    let mut here = identity(&mut ledger.world, &database).await;
    let mut there = identity(&mut other, &database).await;
    for _ in 0..10 {
        tokio::join!(live(&mut here), live(&mut there));
        // The lease of one ends while it may be sending, and the other takes over; then the other way round.
        other.advance(Duration::from_secs(11));
        tokio::join!(live(&mut here), live(&mut there));
        ledger.world.advance(Duration::from_secs(22));
        other.advance(Duration::from_secs(11));
    }
    eventually("the outbox is empty", async || {
        database.events().await.is_empty().then_some(())
    })
    .await;

    let events = log(&mut ledger.operator).await;
    assert_eq!(events.len(), 10 * 2 * 2 * 3);
    let mut versions: HashMap<String, u64> = HashMap::new();
    for event in &events {
        let last = versions.entry(event.aggregate_id.clone()).or_default();
        *last += 1;
        assert_eq!(event.aggregate_version, *last);
    }
    assert_eq!(ledger.verify().await.broken_sequence, 0);
}
