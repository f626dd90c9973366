use aex_identity::App;
use aex_kit::Hosted as _;
use aex_proto::aex::identity::v1::{self as pb, identity_service_server::SERVICE_NAME};
use aex_testkit::{
    Database, Shape, Who, World,
    conformance::{self, Conforms},
};
use prost::Message as _;

use crate::fixture::{Identity, activate, create, create_key, key, suspend, terminate};

impl Conforms for Identity {
    const SERVICE: &'static str = SERVICE_NAME;
    const NAME: &'static str = App::NAME;

    fn world(&self) -> &World {
        &self.world
    }

    fn database(&self) -> &Database {
        &self.database
    }

    async fn valid(&mut self, method: &str) -> Option<(Who, Vec<u8>)> {
        let tenant_id = self.create("Ada").await;
        let idempotency_key = key();
        let request = match method {
            "CreateTenant" => create("Grace").encode_to_vec(),
            "GetTenant" => pb::GetTenantRequest { tenant_id }.encode_to_vec(),
            "ListTenants" => pb::ListTenantsRequest {
                page_size: 5,
                ..Default::default()
            }
            .encode_to_vec(),
            "UpdateTenant" => pb::UpdateTenantRequest {
                idempotency_key,
                tenant_id,
                display_name: "Countess".to_owned(),
                update_mask: Some(prost_types::FieldMask {
                    paths: vec!["display_name".to_owned()],
                }),
                ..Default::default()
            }
            .encode_to_vec(),
            "SuspendTenant" => suspend(&tenant_id).encode_to_vec(),
            "ActivateTenant" => {
                self.suspend(&tenant_id).await;
                activate(&tenant_id).encode_to_vec()
            }
            "TerminateTenant" => terminate(&tenant_id).encode_to_vec(),
            "CreateApiKey" => create_key(&tenant_id, &["work:read"]).encode_to_vec(),
            "GetApiKey" => {
                let key_id = self.create_key(&tenant_id, &["*"]).await.0.key_id;
                pb::GetApiKeyRequest { key_id }.encode_to_vec()
            }
            "ListApiKeys" => pb::ListApiKeysRequest {
                tenant_id,
                ..Default::default()
            }
            .encode_to_vec(),
            "RotateApiKey" => {
                let key_id = self.create_key(&tenant_id, &["*"]).await.0.key_id;
                pb::RotateApiKeyRequest {
                    idempotency_key,
                    key_id,
                }
                .encode_to_vec()
            }
            "RevokeApiKey" => {
                let key_id = self.create_key(&tenant_id, &["*"]).await.0.key_id;
                pb::RevokeApiKeyRequest {
                    idempotency_key,
                    key_id,
                }
                .encode_to_vec()
            }
            "VerifyApiKey" => {
                let secret = self.create_key(&tenant_id, &["*"]).await.1;
                return Some((
                    Who::Service("gateway"),
                    pb::VerifyApiKeyRequest { secret }.encode_to_vec(),
                ));
            }
            "Audit" => pb::AuditRequest::default().encode_to_vec(),
            _ => return None,
        };
        Some((Who::Operator, request))
    }
}

#[tokio::test]
async fn every_method_conforms_in_process() {
    conformance::check(&mut Identity::in_shape(Shape::InProcess).await).await;
}

#[tokio::test]
async fn every_method_conforms_over_mutual_tls() {
    conformance::check(&mut Identity::in_shape(Shape::MutualTls).await).await;
}
