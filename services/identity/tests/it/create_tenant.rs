use aex_proto::aex::identity::v1 as pb;
use aex_testkit::{Refused, Shape};
use tonic::Code;

use crate::fixture::{Identity, create};

#[tokio::test]
async fn a_tenant_is_active_as_soon_as_it_is_created() {
    for shape in Shape::ALL {
        let mut identity = Identity::in_shape(shape).await;
        let tenant = identity
            .operator
            .create_tenant(create("Ada"))
            .await
            .unwrap()
            .into_inner()
            .tenant
            .unwrap();
        assert_eq!(
            (tenant.display_name.as_str(), tenant.status()),
            ("Ada", pb::TenantStatus::Active)
        );
        assert_eq!(tenant.create_time, tenant.update_time);
        let events = identity.database.events().await;
        assert_eq!(events.len(), 1);
        assert_eq!(
            (events[0].r#type.as_str(), events[0].aggregate_version),
            ("tenant.created", 1)
        );
        assert_eq!(events[0].visible_to, [tenant.tenant_id]);
        assert_eq!(
            (events[0].producer.as_str(), events[0].schema_version),
            ("identity", 1)
        );
    }
}

#[tokio::test]
async fn every_wrong_field_is_named_at_once() {
    let mut identity = Identity::new().await;
    let request = pb::CreateTenantRequest {
        contact_email: "nobody".to_owned(),
        ..Default::default()
    };
    let refused = Refused::from(identity.operator.create_tenant(request).await);
    assert_eq!(refused.why(), (Code::InvalidArgument, "REQUEST_INVALID"));
    assert_eq!(
        refused.fields,
        ["idempotency_key", "display_name", "type", "contact_email"]
    );
    assert!(identity.database.events().await.is_empty());
}

#[tokio::test]
async fn many_concurrent_copies_of_one_request_create_one_tenant() {
    let mut identity = Identity::new().await;
    let request = create("Ada");
    let copies = (0..32).map(|_| {
        let (mut operator, request) = (identity.operator.clone(), request.clone());
        tokio::spawn(async move { operator.create_tenant(request).await.unwrap().into_inner() })
    });
    let mut answers = Vec::new();
    for copy in copies.collect::<Vec<_>>() {
        answers.push(copy.await.unwrap());
    }
    assert!(answers.windows(2).all(|pair| pair[0] == pair[1]));
    assert_eq!(identity.database.event_types().await, ["tenant.created"]);
    let listed = identity
        .operator
        .list_tenants(pb::ListTenantsRequest::default())
        .await
        .unwrap()
        .into_inner();
    assert_eq!(listed.tenants.len(), 1);
}
