use aex_proto::aex::identity::v1 as pb;
use aex_testkit::Refused;
use tonic::Code;

use crate::fixture::{Identity, key};

fn update(tenant_id: &str, paths: &[&str]) -> pb::UpdateTenantRequest {
    pb::UpdateTenantRequest {
        idempotency_key: key(),
        tenant_id: tenant_id.to_owned(),
        display_name: "Lovelace".to_owned(),
        contact_email: String::new(),
        update_mask: Some(prost_types::FieldMask {
            paths: paths.iter().map(ToString::to_string).collect(),
        }),
    }
}

#[tokio::test]
async fn only_what_the_mask_names_is_changed() {
    let mut identity = Identity::new().await;
    let ada = identity.create("Ada").await;
    let mut client = identity.tenant(&identity.principal_of(&ada));
    let renamed = client
        .update_tenant(update(&ada, &["display_name"]))
        .await
        .unwrap()
        .into_inner()
        .tenant
        .unwrap();
    assert_eq!(
        (renamed.display_name.as_str(), renamed.contact_email.as_str()),
        ("Lovelace", "desk@example.com")
    );
    let silent = client
        .update_tenant(update(&ada, &["contact_email"]))
        .await
        .unwrap()
        .into_inner()
        .tenant
        .unwrap();
    assert_eq!(
        (silent.display_name.as_str(), silent.contact_email.as_str()),
        ("Lovelace", "")
    );
    // What is so already needs no event.
    client
        .update_tenant(update(&ada, &["display_name", "contact_email"]))
        .await
        .unwrap();
    let types = identity.database.event_types().await;
    assert_eq!(types, ["tenant.created", "tenant.updated", "tenant.updated"]);
}

#[tokio::test]
async fn an_unknown_path_a_foreign_tenant_and_a_terminated_one_are_refused() {
    let mut identity = Identity::new().await;
    let (ada, bob) = (identity.create("Ada").await, identity.create("Bob").await);
    let mut client = identity.tenant(&identity.principal_of(&ada));
    let refused = Refused::from(client.update_tenant(update(&ada, &["internal"])).await);
    assert_eq!(
        (refused.why(), refused.fields.as_slice()),
        (
            (Code::InvalidArgument, "REQUEST_INVALID"),
            ["update_mask".to_owned()].as_slice()
        )
    );
    let refused = Refused::from(client.update_tenant(update(&bob, &["display_name"])).await);
    assert_eq!(refused.why(), (Code::NotFound, "TENANT_NOT_FOUND"));
    identity.terminate(&bob).await;
    let refused = Refused::from(
        identity
            .operator
            .update_tenant(update(&bob, &["display_name"]))
            .await,
    );
    assert_eq!(refused.why(), (Code::FailedPrecondition, "TENANT_TERMINATED"));
}
