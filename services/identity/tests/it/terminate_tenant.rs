use aex_proto::aex::identity::v1 as pb;
use aex_testkit::Refused;
use tonic::Code;

use crate::fixture::{Identity, activate, terminate};

#[tokio::test]
async fn a_terminated_tenant_takes_its_keys_with_it_and_never_comes_back() {
    let mut identity = Identity::new().await;
    let ada = identity.create("Ada").await;
    let (_, secret) = identity.create_key(&ada, &["*"]).await;
    identity.create_key(&ada, &["work:read"]).await;
    identity.terminate(&ada).await;
    let mut types = identity.database.event_types().await;
    types.sort();
    assert_eq!(
        types,
        [
            "apikey.created",
            "apikey.created",
            "apikey.revoked",
            "apikey.revoked",
            "tenant.created",
            "tenant.terminated"
        ]
    );
    assert_eq!(identity.verdict(&secret).await, pb::KeyVerdict::Revoked);
    let refused = Refused::from(identity.operator.activate_tenant(activate(&ada)).await);
    assert_eq!(refused.why(), (Code::FailedPrecondition, "TENANT_NOT_SUSPENDED"));
    let refused = Refused::from(identity.operator.terminate_tenant(terminate(&ada)).await);
    assert_eq!(refused.why(), (Code::FailedPrecondition, "TENANT_TERMINATED"));
}
