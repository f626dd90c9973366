use aex_error::wire;
use aex_kit::Principal;
use aex_proto::aex::{common::v1::Event, identity::v1 as identity, provider_registry::v1 as pb};
use aex_testkit::Refused;
use aex_types::EventId;
use prost::{Message, Name};
use tonic::Code;

use crate::fixture::{NOBODY, Registry, activate, deactivate, reinstate, suspend};

const INVALID: (Code, &str) = (Code::FailedPrecondition, "PROVIDER_STATUS_INVALID");

#[tokio::test]
async fn a_tenant_deactivates_and_activates_its_provider_and_cannot_end_a_suspension() {
    let mut registry = Registry::new().await;
    let ada = registry.tenant("Ada").await;
    let id = registry.register(&ada, "Ada's").await;
    let mut client = registry.client(&ada);
    assert_eq!(
        Refused::from(client.activate_provider(activate(&id)).await).why(),
        INVALID
    );
    let stopped = client
        .deactivate_provider(deactivate(&id))
        .await
        .unwrap()
        .into_inner()
        .provider
        .unwrap();
    assert_eq!(stopped.status(), pb::ProviderStatus::Inactive);
    assert_eq!(
        Refused::from(client.deactivate_provider(deactivate(&id)).await).why(),
        INVALID
    );
    let back = client
        .activate_provider(activate(&id))
        .await
        .unwrap()
        .into_inner()
        .provider
        .unwrap();
    assert_eq!(back.status(), pb::ProviderStatus::Active);

    registry.suspend(&id).await;
    assert_eq!(
        Refused::from(client.activate_provider(activate(&id)).await).why(),
        INVALID
    );
    assert_eq!(
        Refused::from(client.deactivate_provider(deactivate(&id)).await).why(),
        INVALID
    );
    let refused = Refused::from(registry.operator.suspend_provider(suspend(&id)).await);
    assert_eq!(
        (refused.why(), refused.metadata["status"].as_str()),
        (INVALID, "SUSPENDED")
    );
}

#[tokio::test]
async fn an_operator_suspends_what_is_not_and_reinstates_what_is() {
    let mut registry = Registry::new().await;
    let ada = registry.tenant("Ada").await;
    let id = registry.register(&ada, "Ada's").await;
    let refused = Refused::from(registry.operator.reinstate_provider(reinstate(&id)).await);
    assert_eq!(refused.why(), INVALID);
    registry.deactivate(&ada, &id).await;
    let stopped = registry
        .operator
        .suspend_provider(suspend(&id))
        .await
        .unwrap()
        .into_inner()
        .provider
        .unwrap();
    assert_eq!(
        (stopped.status(), stopped.status_reason.as_str()),
        (pb::ProviderStatus::Suspended, "under review")
    );
    let back = registry
        .operator
        .reinstate_provider(reinstate(&id))
        .await
        .unwrap()
        .into_inner()
        .provider
        .unwrap();
    assert_eq!(
        (back.status(), back.status_reason.as_str()),
        (pb::ProviderStatus::Active, "")
    );
    for refused in [
        Refused::from(registry.operator.suspend_provider(suspend(NOBODY)).await),
        Refused::from(registry.operator.reinstate_provider(reinstate(NOBODY)).await),
    ] {
        assert_eq!(refused.why(), (Code::NotFound, "PROVIDER_NOT_FOUND"));
    }

    let events = registry.database.events().await;
    assert!(
        events
            .iter()
            .all(|event| event.visible_to == [ada.tenant.to_string()])
    );
    let versions: Vec<_> = events.iter().map(|event| event.aggregate_version).collect();
    assert_eq!(versions, [1, 2, 3, 4]);
    let last = pb::ProviderStatusChanged::decode(events[3].payload.clone()).unwrap();
    let (from, to) = (last.previous_status(), last.status());
    assert_eq!(
        (from, to),
        (pb::ProviderStatus::Suspended, pb::ProviderStatus::Active)
    );
}

#[tokio::test]
async fn a_stranger_finds_no_provider_to_stop() {
    let mut registry = Registry::new().await;
    let (ada, bob) = (registry.tenant("Ada").await, registry.tenant("Bob").await);
    let id = registry.register(&ada, "Ada's").await;
    let mut client = registry.client(&bob);
    for refused in [
        Refused::from(client.deactivate_provider(deactivate(&id)).await),
        Refused::from(client.activate_provider(activate(&id)).await),
    ] {
        assert_eq!(refused.why(), (Code::NotFound, "PROVIDER_NOT_FOUND"));
    }
}

/// An event of identity about a tenant.
pub fn of_tenant<P: Message + Name>(
    registry: &Registry,
    kind: &str,
    tenant: &Principal,
    payload: &P,
) -> Event {
    let runtime = registry.world.runtime();
    let event_id: EventId = runtime.id();
    Event {
        event_id: event_id.to_string(),
        r#type: kind.to_owned(),
        payload_type: P::full_name(),
        payload: payload.encode_to_vec().into(),
        aggregate_type: "tenant".to_owned(),
        aggregate_id: tenant.tenant.to_string(),
        aggregate_version: 2,
        occur_time: Some(wire::time(runtime.now())),
        producer: "identity".to_owned(),
        ..Event::default()
    }
}

pub fn stopped(registry: &Registry, tenant: &Principal) -> Event {
    let payload = identity::TenantSuspended {
        tenant_id: tenant.tenant.to_string(),
        reason: "unpaid".to_owned(),
    };
    of_tenant(registry, "tenant.suspended", tenant, &payload)
}

#[tokio::test]
async fn active_providers_stop_with_their_tenant_and_work_again_with_it() {
    use pb::ProviderStatus::{Active, Inactive, Suspended};
    let mut registry = Registry::at_work().await;
    let (ada, bob) = (registry.tenant("Ada").await, registry.tenant("Bob").await);
    let [works, idle, banned] = ["works", "idle", "banned"].map(str::to_owned);
    let [works, idle, banned] = [
        registry.register(&ada, &works).await,
        registry.register(&ada, &idle).await,
        registry.register(&ada, &banned).await,
    ];
    let other = registry.register(&bob, "other").await;
    registry.deactivate(&ada, &idle).await;
    registry.suspend(&banned).await;
    let event = stopped(&registry, &ada);
    let cause = event.event_id.clone();
    registry.ledger.append([event]);
    let told = registry
        .ledger
        .seen("provider.status_changed", |event| event.causation_id == cause)
        .await;
    assert_eq!(told.aggregate_id, works, "it says what it follows from");

    let stand = async |registry: &Registry| {
        let mut found = Vec::new();
        for (tenant, id) in [(&ada, &works), (&ada, &idle), (&ada, &banned), (&bob, &other)] {
            let provider = registry.get(tenant, id).await;
            found.push((provider.status(), provider.status_reason));
        }
        found
    };
    let reasons = |reasons: [&str; 4], statuses: [pb::ProviderStatus; 4]| {
        let pairs = statuses.into_iter().zip(reasons.map(str::to_owned));
        pairs.collect::<Vec<_>>()
    };
    let while_stopped = reasons(
        ["unpaid", "", "under review", ""],
        [Suspended, Inactive, Suspended, Active],
    );
    assert_eq!(stand(&registry).await, while_stopped);
    let refused = Refused::from(registry.operator.reinstate_provider(reinstate(&works)).await);
    assert_eq!(refused.why(), INVALID, "its tenant has to be active first");

    let active = identity::TenantActivated {
        tenant_id: ada.tenant.to_string(),
    };
    let event = of_tenant(&registry, "tenant.activated", &ada, &active);
    registry.ledger.append([event]);
    registry.ledger.told_by("provider-registry", 8).await;
    let afterwards = reasons(
        ["", "", "under review", ""],
        [Active, Inactive, Suspended, Active],
    );
    assert_eq!(stand(&registry).await, afterwards);
}
