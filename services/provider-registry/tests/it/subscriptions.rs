use aex_proto::aex::provider_registry::v1 as pb;
use aex_testkit::Refused;
use tonic::Code;

use crate::fixture::{NOBODY, Registry, bound, cancel, subscribe, usd};

fn list(provider_id: &str) -> pb::ListSubscriptionsRequest {
    pb::ListSubscriptionsRequest {
        provider_id: provider_id.to_owned(),
        ..Default::default()
    }
}

#[tokio::test]
async fn a_subscription_keeps_what_was_asked_for() {
    let mut registry = Registry::new().await;
    let ada = registry.tenant("Ada").await;
    let provider = registry.register(&ada, "Ada's").await;
    let span = |nanos| prost_types::Duration { seconds: 1, nanos };
    let request = pb::CreateSubscriptionRequest {
        min_budget: Some(usd("0.000001")),
        min_latency: Some(span(500_000_999)),
        regions: vec!["eu".to_owned(), "eu".to_owned()],
        ..subscribe(&provider, &["vision.*", "audio", "vision.*"])
    };
    let mut client = registry.client(&ada);
    let made = client
        .create_subscription(request)
        .await
        .unwrap()
        .into_inner()
        .subscription
        .unwrap();
    assert_eq!(made.categories, ["vision.*", "audio"]);
    assert_eq!(
        (made.min_budget.clone(), made.min_latency),
        (Some(usd("0.000001")), Some(span(500_000_000)))
    );
    assert_eq!(
        (made.regions.as_slice(), made.status()),
        (["eu".to_owned()].as_slice(), pb::SubscriptionStatus::Active)
    );
    let listed = client
        .list_subscriptions(list(&provider))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(listed.subscriptions, [made]);
}

#[tokio::test]
async fn a_subscription_is_cancelled_once_and_only_by_its_own() {
    let mut registry = Registry::new().await;
    let (ada, bob) = (registry.tenant("Ada").await, registry.tenant("Bob").await);
    let (one, two) = (
        registry.register(&ada, "one").await,
        registry.register(&ada, "two").await,
    );
    let made = registry.subscribe(&ada, &one, &["*"]).await.subscription_id;
    for stranger in [&bob, &bound(&ada, &two)] {
        let mut client = registry.client(stranger);
        let refused = Refused::from(client.cancel_subscription(cancel(&made)).await);
        assert_eq!(refused.why(), (Code::NotFound, "SUBSCRIPTION_NOT_FOUND"));
        let refused = Refused::from(client.list_subscriptions(list(&one)).await);
        assert_eq!(refused.why(), (Code::NotFound, "PROVIDER_NOT_FOUND"));
        let refused = Refused::from(client.create_subscription(subscribe(&one, &["*"])).await);
        assert_eq!(refused.why(), (Code::NotFound, "PROVIDER_NOT_FOUND"));
    }
    let mut own = registry.client(&bound(&ada, &one));
    let ended = own
        .cancel_subscription(cancel(&made))
        .await
        .unwrap()
        .into_inner()
        .subscription
        .unwrap();
    assert_eq!(ended.status(), pb::SubscriptionStatus::Cancelled);
    let refused = Refused::from(own.cancel_subscription(cancel(&made)).await);
    assert_eq!(
        refused.why(),
        (Code::FailedPrecondition, "SUBSCRIPTION_CANCELLED")
    );
    let refused = Refused::from(registry.client(&ada).list_subscriptions(list(NOBODY)).await);
    assert_eq!(refused.why(), (Code::NotFound, "PROVIDER_NOT_FOUND"));
}

#[tokio::test]
async fn a_provider_has_at_most_a_hundred_live_subscriptions() {
    let mut registry = Registry::new().await;
    let ada = registry.tenant("Ada").await;
    let provider = registry.register(&ada, "Ada's").await;
    let first = registry.subscribe(&ada, &provider, &["*"]).await;
    for number in 1..100 {
        registry
            .subscribe(&ada, &provider, &[&format!("vision.n{number}")])
            .await;
    }
    let refused = Refused::from(
        registry
            .client(&ada)
            .create_subscription(subscribe(&provider, &["*"]))
            .await,
    );
    assert_eq!(
        refused.why(),
        (Code::FailedPrecondition, "SUBSCRIPTION_LIMIT_REACHED")
    );
    registry
        .client(&ada)
        .cancel_subscription(cancel(&first.subscription_id))
        .await
        .unwrap();
    registry.subscribe(&ada, &provider, &["*"]).await;
    let foreign = pb::ListSubscriptionsRequest {
        page_token: "AAAA".to_owned(),
        ..list(&provider)
    };
    let refused = Refused::from(registry.client(&ada).list_subscriptions(foreign).await);
    assert_eq!(refused.why(), (Code::InvalidArgument, "PAGE_TOKEN_INVALID"));
}
