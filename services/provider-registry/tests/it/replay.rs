use std::collections::BTreeSet;

use aex_proto::aex::{provider_registry::v1 as pb, work_publisher::v1 as work};
use aex_provider_registry::{App, Config, SCHEMA};
use aex_store::Store;
use aex_testkit::Database;

use crate::{
    fixture::{Registry, activate, cancel, key, reinstate, retire, subscribe, usd},
    opportunities::{new_work, of_work, submitted},
    status::stopped,
};

#[tokio::test]
async fn folding_all_events_again_gives_the_same_tables() {
    let mut registry = Registry::at_work().await;
    let (ada, house) = (
        registry.tenant("Ada").await,
        registry.tenant_of_house("House", true).await,
    );
    let (one, two) = (
        registry.register(&ada, "one").await,
        registry.register(&house, "two").await,
    );
    let agent = registry.register_agent(&ada, &one, 1).await.agent_id;
    registry.register_agent(&house, &two, 2).await;
    let ended = registry
        .subscribe(&ada, &one, &["vision.*", "audio"])
        .await
        .subscription_id;
    let rich = pb::CreateSubscriptionRequest {
        min_budget: Some(usd("0.25")),
        min_latency: Some(prost_types::Duration { seconds: 1, nanos: 0 }),
        regions: vec!["eu".to_owned()],
        ..subscribe(&two, &["*"])
    };
    registry.client(&house).create_subscription(rich).await.unwrap();
    let update = pb::UpdateProviderRequest {
        idempotency_key: key(),
        provider_id: one.clone(),
        update_mask: Some(prost_types::FieldMask {
            paths: vec!["description".to_owned(), "capabilities".to_owned()],
        }),
        ..Default::default()
    };
    registry.client(&ada).update_provider(update).await.unwrap();
    registry.deactivate(&ada, &one).await;
    registry
        .client(&ada)
        .activate_provider(activate(&one))
        .await
        .unwrap();
    let (open, closed) = (new_work(&registry), new_work(&registry));
    let runtime = registry.world.runtime().clone();
    let told =
        [&open, &closed].map(|id| of_work(&runtime, "work.submitted", id, 1, &submitted(&registry, id)));
    registry.ledger.append(told);
    registry.ledger.append([of_work(
        &runtime,
        "work.awarded",
        &closed,
        2,
        &work::WorkAwarded::default(),
    )]);
    registry.ledger.told_by("provider-registry", 12).await;
    registry.client(&ada).retire_agent(retire(&agent)).await.unwrap();
    registry
        .client(&ada)
        .cancel_subscription(cancel(&ended))
        .await
        .unwrap();
    registry.suspend(&two).await;
    registry
        .operator
        .reinstate_provider(reinstate(&two))
        .await
        .unwrap();
    registry.suspend(&one).await;
    registry.ledger.append([stopped(&registry, &house)]);
    let events = registry.ledger.told_by("provider-registry", 18).await;
    assert_eq!(events.len(), 18);

    let empty = Database::of(&SCHEMA).await;
    let store = Store::attach(&SCHEMA, empty.connect(), registry.world.runtime());
    let replayed = App::on(store, &Config::default(), registry.world.mesh());
    // In two parts: a replay goes on from what is there.
    let (early, late) = events.split_at(events.len() / 2);
    replayed.replay(early).await.unwrap();
    replayed.replay(late).await.unwrap();
    assert_eq!(empty.state().await, registry.database.state().await);
    assert!(
        replayed.replay(&events[..1]).await.is_err(),
        "an event that does not follow is refused"
    );
}

#[tokio::test]
async fn every_statement_fits_the_schema() {
    let registry = Registry::new().await;
    registry.database.check_statements("aex-provider-registry").await;
}

#[tokio::test]
async fn the_audit_states_where_everything_stands_and_names_what_is_broken() {
    let mut registry = Registry::new().await;
    let ada = registry.tenant("Ada").await;
    let provider = registry.register(&ada, "Ada's").await;
    let agent = registry.register_agent(&ada, &provider, 1).await.agent_id;
    let made = registry.subscribe(&ada, &provider, &["*"]).await.subscription_id;
    let clean = registry
        .operator
        .audit(pb::AuditRequest::default())
        .await
        .unwrap()
        .into_inner();
    assert!(clean.violations.is_empty());
    let facts: Vec<_> = clean
        .facts
        .iter()
        .map(|fact| (fact.kind.as_str(), fact.subject.as_str(), fact.value.as_str()))
        .collect();
    assert_eq!(
        facts,
        [
            ("agent.status", agent.as_str(), "ACTIVE"),
            ("provider.status", provider.as_str(), "ACTIVE"),
            ("subscription.status", made.as_str(), "ACTIVE"),
        ]
    );

    registry.client(&ada).retire_agent(retire(&agent)).await.unwrap();
    registry
        .client(&ada)
        .cancel_subscription(cancel(&made))
        .await
        .unwrap();
    registry.suspend(&provider).await;
    let ended = registry
        .operator
        .audit(pb::AuditRequest::default())
        .await
        .unwrap()
        .into_inner();
    let values: Vec<_> = ended.facts.iter().map(|fact| fact.value.as_str()).collect();
    assert_eq!(values, ["RETIRED", "SUSPENDED", "CANCELLED"]);

    registry.database.execute("DELETE FROM provider").await;
    let work = new_work(&registry);
    let id = work.parse::<aex_types::WorkId>().unwrap().uuid();
    let offer = format!("INSERT INTO offer (provider_id, work_id) VALUES ('{id}', '{id}')");
    registry.database.execute(&offer).await;
    let broken = registry
        .operator
        .audit(pb::AuditRequest::default())
        .await
        .unwrap()
        .into_inner();
    let subjects: Vec<_> = broken
        .violations
        .iter()
        .map(|found| found.subject.as_str())
        .collect();
    assert_eq!(subjects, [agent, made, work]);
}

#[tokio::test]
async fn the_facts_are_complete_over_pages() {
    let mut registry = Registry::new().await;
    let ada = registry.tenant("Ada").await;
    let provider = registry.register(&ada, "Ada's").await;
    registry.register_agent(&ada, &provider, 1).await;
    let many = "INSERT INTO subscription SELECT tenant_id, provider_id, gen_random_uuid(), '{*}', '{*}', NULL, NULL, NULL,
                '{}', 1, create_time, NULL FROM provider, generate_series(1, 450)";
    registry.database.execute(many).await;
    let mut request = pb::AuditRequest::default();
    let (mut subjects, mut pages) = (BTreeSet::new(), 0);
    loop {
        let page = registry
            .operator
            .audit(request.clone())
            .await
            .unwrap()
            .into_inner();
        subjects.extend(page.facts.into_iter().map(|fact| fact.subject));
        pages += 1;
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    assert_eq!((subjects.len(), pages), (452, 3));
}
