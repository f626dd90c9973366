use aex_kit::Hosted as _;
use aex_proto::aex::identity::v1 as pb;
use aex_testkit::{Refused, Who};
use tonic::Code;

use crate::fixture::{Client, Identity, NOBODY};

fn get(tenant_id: &str) -> pb::GetTenantRequest {
    pb::GetTenantRequest {
        tenant_id: tenant_id.to_owned(),
    }
}

#[tokio::test]
async fn a_tenant_sees_itself_and_finds_nobody_else() {
    let mut identity = Identity::new().await;
    let (ada, bob) = (identity.create("Ada").await, identity.create("Bob").await);
    let mut client = identity.tenant(&identity.principal_of(&ada));
    let own = client
        .get_tenant(get(&ada))
        .await
        .unwrap()
        .into_inner()
        .tenant
        .unwrap();
    assert_eq!(own.display_name, "Ada");
    let mut foreign = Refused::from(client.get_tenant(get(&bob)).await);
    let mut absent = Refused::from(client.get_tenant(get(NOBODY)).await);
    assert_eq!(foreign.why(), (Code::NotFound, "TENANT_NOT_FOUND"));
    // The two differ in nothing but the id that was asked for.
    for refused in [&mut foreign, &mut absent] {
        refused.metadata.clear();
        refused.message = refused.message.replace(&bob, "").replace(NOBODY, "");
    }
    assert_eq!(foreign, absent);
}

#[tokio::test]
async fn services_that_check_tenants_see_any() {
    let mut identity = Identity::new().await;
    let ada = identity.create("Ada").await;
    for service in ["provider-registry", "settlement"] {
        let mut client = Client::new(
            identity
                .world
                .client(&Who::Service(service), aex_identity::App::NAME),
        );
        assert!(client.get_tenant(get(&ada)).await.is_ok());
    }
}
