use aex_proto::aex::identity::v1 as pb;
use aex_testkit::Refused;
use tonic::Code;

use crate::fixture::Identity;

#[tokio::test]
async fn pages_are_complete_and_in_order_and_bound_to_their_filter() {
    let mut identity = Identity::new().await;
    let mut created = Vec::new();
    for number in 0..7 {
        created.push(identity.create(&format!("tenant {number}")).await);
    }
    created.sort();
    let mut found = Vec::new();
    let mut request = pb::ListTenantsRequest {
        page_size: 3,
        ..Default::default()
    };
    let mut sizes = Vec::new();
    loop {
        let page = identity
            .operator
            .list_tenants(request.clone())
            .await
            .unwrap()
            .into_inner();
        sizes.push(page.tenants.len());
        found.extend(page.tenants.into_iter().map(|tenant| tenant.tenant_id));
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    assert_eq!((found, sizes.as_slice()), (created, [3, 3, 1].as_slice()));

    request.status = pb::TenantStatus::Suspended.into();
    let refused = Refused::from(identity.operator.list_tenants(request).await);
    assert_eq!(refused.why(), (Code::InvalidArgument, "PAGE_TOKEN_INVALID"));
}

#[tokio::test]
async fn a_filter_shows_only_tenants_of_that_status() {
    let mut identity = Identity::new().await;
    let (ada, _bob) = (identity.create("Ada").await, identity.create("Bob").await);
    identity.suspend(&ada).await;
    let request = pb::ListTenantsRequest {
        status: pb::TenantStatus::Suspended.into(),
        ..Default::default()
    };
    let page = identity
        .operator
        .list_tenants(request)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        page.tenants
            .iter()
            .map(|tenant| tenant.tenant_id.as_str())
            .collect::<Vec<_>>(),
        [ada]
    );
}
