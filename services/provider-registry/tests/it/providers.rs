use aex_proto::aex::{identity::v1 as identity, provider_registry::v1 as pb};
use aex_testkit::{Refused, Shape, Who};
use tonic::Code;

use crate::fixture::{Client, NOBODY, Registry, bound, key, register};

#[tokio::test]
async fn asking_again_with_the_same_key_answers_the_same_and_does_nothing() {
    for shape in Shape::ALL {
        let mut registry = Registry::in_shape(shape).await;
        let ada = registry.tenant("Ada").await;
        let request = register("Ada's");
        let first = registry
            .client(&ada)
            .register_provider(request.clone())
            .await
            .unwrap()
            .into_inner();
        let provider = first.provider.clone().unwrap();
        assert_eq!(provider.tenant_id, ada.tenant.to_string());
        assert_eq!(
            (provider.status(), provider.internal),
            (pb::ProviderStatus::Active, false)
        );
        // The reply of the first call stands, whatever became of the tenant since.
        let suspend = identity::SuspendTenantRequest {
            idempotency_key: key(),
            tenant_id: ada.tenant.to_string(),
            reason: "billing".to_owned(),
        };
        registry.identity.suspend_tenant(suspend).await.unwrap();
        let again = registry
            .client(&ada)
            .register_provider(request.clone())
            .await
            .unwrap()
            .into_inner();
        assert_eq!(first, again);
        assert_eq!(registry.database.event_types().await, ["provider.registered"]);
    }
}

#[tokio::test]
async fn only_an_active_tenant_registers_and_its_providers_are_of_its_house() {
    let mut registry = Registry::new().await;
    let house = registry.tenant_of_house("House", true).await;
    let made = registry.register(&house, "In-house").await;
    assert!(registry.get(&house, &made).await.internal);

    let ada = registry.tenant("Ada").await;
    let suspend = identity::SuspendTenantRequest {
        idempotency_key: key(),
        tenant_id: ada.tenant.to_string(),
        reason: "billing".to_owned(),
    };
    registry.identity.suspend_tenant(suspend).await.unwrap();
    let refused = Refused::from(registry.client(&ada).register_provider(register("Ada's")).await);
    assert_eq!(refused.why(), (Code::FailedPrecondition, "TENANT_NOT_ACTIVE"));
    let stranger = aex_testkit::principal(&registry.world);
    let refused = Refused::from(
        registry
            .client(&stranger)
            .register_provider(register("No one's"))
            .await,
    );
    assert_eq!(refused.why(), (Code::FailedPrecondition, "TENANT_NOT_ACTIVE"));
}

#[tokio::test]
async fn an_endpoint_without_tls_is_refused() {
    let mut registry = Registry::new().await;
    let ada = registry.tenant("Ada").await;
    let request = pb::RegisterProviderRequest {
        endpoint: "http://agents.example".to_owned(),
        ..register("Ada's")
    };
    let refused = Refused::from(registry.client(&ada).register_provider(request).await);
    assert_eq!(refused.why(), (Code::InvalidArgument, "REQUEST_INVALID"));
    assert_eq!(refused.fields, ["endpoint"]);
}

#[tokio::test]
async fn the_hundred_and_first_provider_is_refused() {
    let mut registry = Registry::new().await;
    let ada = registry.tenant("Ada").await;
    let mut client = registry.client(&ada);
    for number in 0..99 {
        client
            .register_provider(register(&format!("number {number}")))
            .await
            .unwrap();
    }
    // Two at once, where one has room.
    let mut other = registry.client(&ada);
    let (one, two) = tokio::join!(
        client.register_provider(register("one")),
        other.register_provider(register("two"))
    );
    assert_eq!(u8::from(one.is_ok()) + u8::from(two.is_ok()), 1);
    let refused = Refused::from(client.register_provider(register("too many")).await);
    assert_eq!(
        refused.why(),
        (Code::FailedPrecondition, "PROVIDER_LIMIT_REACHED")
    );
}

#[tokio::test]
async fn everyone_sees_a_provider_and_only_its_tenant_why_it_is_suspended() {
    let mut registry = Registry::new().await;
    let (ada, bob) = (registry.tenant("Ada").await, registry.tenant("Bob").await);
    let provider = registry.register(&ada, "Ada's").await;
    registry.suspend(&provider).await;
    assert_eq!(registry.get(&ada, &provider).await.status_reason, "under review");
    let seen = registry.get(&bob, &provider).await;
    assert_eq!(
        (seen.status(), seen.status_reason.as_str()),
        (pb::ProviderStatus::Suspended, "")
    );
    let mut gateway = Client::new(
        registry
            .world
            .client(&Who::Service("bid-gateway"), "provider-registry"),
    );
    let request = pb::GetProviderRequest {
        provider_id: provider,
        ..Default::default()
    };
    let seen = gateway
        .get_provider(request)
        .await
        .unwrap()
        .into_inner()
        .provider
        .unwrap();
    assert_eq!(seen.status_reason, "under review");
    let nobody = pb::GetProviderRequest {
        provider_id: NOBODY.to_owned(),
        ..Default::default()
    };
    let refused = Refused::from(gateway.get_provider(nobody).await);
    assert_eq!(refused.why(), (Code::NotFound, "PROVIDER_NOT_FOUND"));
}

#[tokio::test]
async fn a_tenant_lists_its_own_in_order_and_an_operator_all() {
    let mut registry = Registry::new().await;
    let (ada, bob) = (registry.tenant("Ada").await, registry.tenant("Bob").await);
    let mut own = Vec::new();
    for number in 0..5 {
        own.push(registry.register(&ada, &format!("number {number}")).await);
        registry.register(&bob, &format!("other {number}")).await;
    }
    own.sort();
    let (mut found, mut sizes) = (Vec::new(), Vec::new());
    let mut request = pb::ListProvidersRequest {
        page_size: 2,
        ..Default::default()
    };
    loop {
        let page = registry
            .client(&ada)
            .list_providers(request.clone())
            .await
            .unwrap()
            .into_inner();
        sizes.push(page.providers.len());
        found.extend(page.providers.into_iter().map(|provider| provider.provider_id));
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    assert_eq!((&found, sizes.as_slice()), (&own, [2, 2, 1].as_slice()));
    let refused = Refused::from(registry.client(&bob).list_providers(request).await);
    assert_eq!(refused.why(), (Code::InvalidArgument, "PAGE_TOKEN_INVALID"));
    let all = registry
        .operator
        .list_providers(pb::ListProvidersRequest::default())
        .await
        .unwrap();
    assert_eq!(all.into_inner().providers.len(), 10);
    let narrow = registry.client(&bound(&ada, &own[3]));
    let listed = { narrow }
        .list_providers(pb::ListProvidersRequest::default())
        .await
        .unwrap()
        .into_inner();
    let listed: Vec<_> = listed
        .providers
        .into_iter()
        .map(|provider| provider.provider_id)
        .collect();
    assert_eq!(listed, [own[3].clone()], "a bound key knows its provider alone");
}

#[tokio::test]
async fn a_search_finds_active_providers_of_the_category_or_one_above_it() {
    let mut registry = Registry::new().await;
    let (ada, bob) = (registry.tenant("Ada").await, registry.tenant("Bob").await);
    let with = |capabilities: &[&str]| pb::RegisterProviderRequest {
        capabilities: capabilities.iter().map(ToString::to_string).collect(),
        ..register("some")
    };
    let mut ids = Vec::new();
    for capabilities in [
        ["vision"],
        ["vision.classification"],
        ["vision.classification.digits"],
        ["visions"],
    ] {
        let made = registry
            .client(&ada)
            .register_provider(with(&capabilities))
            .await
            .unwrap();
        ids.push(made.into_inner().provider.unwrap().provider_id);
    }
    let search = |category: &str| pb::SearchProvidersRequest {
        category: category.to_owned(),
        ..Default::default()
    };
    let mut client = registry.client(&bob);
    let mut found = async |category: &str| -> Vec<String> {
        let page = client
            .search_providers(search(category))
            .await
            .unwrap()
            .into_inner();
        let mut ids: Vec<_> = page
            .providers
            .into_iter()
            .map(|provider| provider.provider_id)
            .collect();
        ids.sort();
        ids
    };
    let sorted = |ids: &[&String]| {
        let mut ids: Vec<String> = ids.iter().map(|id| (*id).clone()).collect();
        ids.sort();
        ids
    };
    assert_eq!(found("vision.classification").await, sorted(&[&ids[0], &ids[1]]));
    assert_eq!(found("vision").await, sorted(&[&ids[0]]));
    assert_eq!(
        found("vision.classification.digits.mnist").await,
        sorted(&[&ids[0], &ids[1], &ids[2]])
    );
    assert!(found("audio").await.is_empty());
    registry.deactivate(&ada, &ids[0]).await;
    registry.suspend(&ids[1]).await;
    assert!(
        found("vision.classification").await.is_empty(),
        "only active ones are found"
    );
    let page = pb::SearchProvidersRequest {
        page_size: 1,
        ..search("vision.classification.digits")
    };
    let mut client = registry.client(&bob);
    client.search_providers(page.clone()).await.unwrap();
    let refused = Refused::from(
        client
            .search_providers(pb::SearchProvidersRequest {
                page_token: "AAAA".to_owned(),
                ..page
            })
            .await,
    );
    assert_eq!(refused.why(), (Code::InvalidArgument, "PAGE_TOKEN_INVALID"));
}

fn update(provider_id: &str, paths: &[&str]) -> pb::UpdateProviderRequest {
    pb::UpdateProviderRequest {
        idempotency_key: key(),
        provider_id: provider_id.to_owned(),
        display_name: "Lovelace".to_owned(),
        description: String::new(),
        endpoint: "https://lovelace.example".to_owned(),
        capabilities: vec!["maths".to_owned(), "maths".to_owned()],
        update_mask: Some(prost_types::FieldMask {
            paths: paths.iter().map(ToString::to_string).collect(),
        }),
    }
}

#[tokio::test]
async fn only_what_the_mask_names_is_changed() {
    let mut registry = Registry::new().await;
    let ada = registry.tenant("Ada").await;
    let id = registry.register(&ada, "Ada's").await;
    let mut client = registry.client(&ada);
    let mut change = async |paths: &[&str]| {
        let changed = client.update_provider(update(&id, paths)).await.unwrap();
        changed.into_inner().provider.unwrap()
    };
    let renamed = change(&["display_name"]).await;
    assert_eq!(
        (renamed.display_name.as_str(), renamed.description.as_str()),
        ("Lovelace", "reads digits")
    );
    let moved = change(&["description", "endpoint", "capabilities"]).await;
    assert_eq!(
        (moved.description.as_str(), moved.endpoint.as_str()),
        ("", "https://lovelace.example")
    );
    assert_eq!(moved.capabilities, ["maths"], "each once");
    // What is so already needs no event.
    change(&["display_name", "description", "endpoint", "capabilities"]).await;
    let types = registry.database.event_types().await;
    assert_eq!(
        types,
        ["provider.registered", "provider.updated", "provider.updated"]
    );
    let refused = Refused::from(client.update_provider(update(&id, &["internal"])).await);
    assert_eq!(refused.why(), (Code::InvalidArgument, "REQUEST_INVALID"));
    assert_eq!(refused.fields, ["update_mask"]);
}

#[tokio::test]
async fn a_foreign_provider_is_not_there_and_neither_is_another_than_the_keys() {
    let mut registry = Registry::new().await;
    let (ada, bob) = (registry.tenant("Ada").await, registry.tenant("Bob").await);
    let (one, two) = (
        registry.register(&ada, "one").await,
        registry.register(&ada, "two").await,
    );
    for (caller, provider) in [
        (&bob, &one),
        (&bound(&ada, &one), &two),
        (&ada, &NOBODY.to_owned()),
    ] {
        let refused = Refused::from(
            registry
                .client(caller)
                .update_provider(update(provider, &["endpoint"]))
                .await,
        );
        assert_eq!(refused.why(), (Code::NotFound, "PROVIDER_NOT_FOUND"));
    }
    let mut bound = registry.client(&bound(&ada, &one));
    bound.update_provider(update(&one, &["endpoint"])).await.unwrap();
    let refused = Refused::from(bound.register_provider(register("three")).await);
    assert_eq!(refused.why(), (Code::PermissionDenied, "AUDIENCE_DENIED"));
}
