use aex_proto::aex::provider_registry::v1 as pb;
use aex_testkit::Refused;
use prost::Message as _;
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
