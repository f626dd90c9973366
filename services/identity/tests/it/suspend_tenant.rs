use aex_proto::aex::identity::v1 as pb;
use aex_testkit::{Refused, Shape};
use tonic::Code;

use crate::fixture::{Identity, NOBODY, suspend};

#[tokio::test]
async fn asking_again_with_the_same_key_answers_the_same_and_does_nothing() {
    for shape in Shape::ALL {
        let mut identity = Identity::in_shape(shape).await;
        let request = suspend(&identity.create("Ada").await);
        let first = identity
            .operator
            .suspend_tenant(request.clone())
            .await
            .unwrap()
            .into_inner();
        let again = identity
            .operator
            .suspend_tenant(request.clone())
            .await
            .unwrap()
            .into_inner();
        assert_eq!(first, again);
        assert_eq!(
            identity.database.event_types().await,
            ["tenant.created", "tenant.suspended"]
        );
        let other = pb::SuspendTenantRequest {
            reason: "fraud".to_owned(),
            ..request
        };
        let refused = Refused::from(identity.operator.suspend_tenant(other).await);
        assert_eq!(refused.why(), (Code::InvalidArgument, "IDEMPOTENCY_KEY_REUSED"));
    }
}

#[tokio::test]
async fn only_an_active_tenant_can_be_suspended() {
    let mut identity = Identity::new().await;
    let ada = identity.create("Ada").await;
    identity.suspend(&ada).await;
    let refused = Refused::from(identity.operator.suspend_tenant(suspend(&ada)).await);
    assert_eq!(refused.why(), (Code::FailedPrecondition, "TENANT_NOT_ACTIVE"));
    assert_eq!(
        (
            refused.metadata["tenant_id"].as_str(),
            refused.metadata["status"].as_str()
        ),
        (ada.as_str(), "SUSPENDED")
    );
    let refused = Refused::from(identity.operator.suspend_tenant(suspend(NOBODY)).await);
    assert_eq!(refused.why(), (Code::NotFound, "TENANT_NOT_FOUND"));
}

#[tokio::test]
async fn a_refusal_is_judged_anew_when_it_is_asked_again() {
    let mut identity = Identity::new().await;
    let ada = identity.create("Ada").await;
    identity.suspend(&ada).await;
    let request = suspend(&ada);
    let refused = Refused::from(identity.operator.suspend_tenant(request.clone()).await);
    assert_eq!(refused.reason, "TENANT_NOT_ACTIVE");
    identity
        .operator
        .activate_tenant(crate::fixture::activate(&ada))
        .await
        .unwrap();
    assert!(identity.operator.suspend_tenant(request).await.is_ok());
}
