use aex_proto::aex::identity::v1 as pb;
use aex_testkit::Refused;
use tonic::Code;

use crate::fixture::{Identity, NOBODY, activate};

#[tokio::test]
async fn a_suspended_tenant_trades_again_after_activation() {
    let mut identity = Identity::new().await;
    let ada = identity.create("Ada").await;
    identity.suspend(&ada).await;
    let tenant = identity
        .operator
        .activate_tenant(activate(&ada))
        .await
        .unwrap()
        .into_inner()
        .tenant
        .unwrap();
    assert_eq!(
        (tenant.status(), tenant.suspension_reason.as_str()),
        (pb::TenantStatus::Active, "")
    );
}

#[tokio::test]
async fn only_a_suspended_tenant_can_be_activated() {
    let mut identity = Identity::new().await;
    let ada = identity.create("Ada").await;
    let refused = Refused::from(identity.operator.activate_tenant(activate(&ada)).await);
    assert_eq!(refused.why(), (Code::FailedPrecondition, "TENANT_NOT_SUSPENDED"));
    let refused = Refused::from(identity.operator.activate_tenant(activate(NOBODY)).await);
    assert_eq!(refused.why(), (Code::NotFound, "TENANT_NOT_FOUND"));
}
