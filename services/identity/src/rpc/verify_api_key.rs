//! Tells whom a key speaks for, or why it speaks for nobody.

use aex_error::{Check, wire};
use aex_kit::Call;
use aex_proto::aex::identity::v1::{KeyVerdict, VerifyApiKeyRequest, VerifyApiKeyResponse};

use crate::{
    App, Error, convert,
    domain::{api_key, tenant},
    store::{api_keys, tenants},
};

pub(super) async fn verify_api_key(
    app: &App,
    mut call: Call,
    request: VerifyApiKeyRequest,
) -> Result<VerifyApiKeyResponse, Error> {
    Check::of(&request).finish(|| Some(()))?;
    let Some(hash) = app.mint.hash(&request.secret) else {
        return Ok(verdict(KeyVerdict::Unknown));
    };

    let key = app
        .store
        .read_one(&mut call, async |tx| api_keys::by_secret(tx, &hash).await)
        .await?;
    let Some(key) = key else {
        return Ok(verdict(KeyVerdict::Unknown));
    };
    match key.status(call.now()) {
        api_key::Status::Active => {}
        api_key::Status::Revoked => return Ok(verdict(KeyVerdict::Revoked)),
        api_key::Status::Expired => return Ok(verdict(KeyVerdict::Expired)),
    }
    // A key's tenant never changes, so the two may be read one after the other.
    let tenant = app
        .store
        .read_one(&mut call, async |tx| {
            let found = tenants::find(tx, key.tenant_id).await?;
            found.ok_or(Error::TenantNotFound(key.tenant_id))
        })
        .await?;
    if tenant::active(&tenant).is_err() {
        return Ok(verdict(KeyVerdict::TenantNotActive));
    }
    Ok(VerifyApiKeyResponse {
        key_id: key.id.to_string(),
        tenant_id: tenant.id.to_string(),
        tenant_type: convert::tenant_type_out(tenant.tenant_type).into(),
        internal: tenant.internal,
        scopes: key.scopes.iter().map(ToString::to_string).collect(),
        provider_id: key
            .provider_id
            .map(|provider| provider.to_string())
            .unwrap_or_default(),
        expire_time: key.expire_time.map(wire::time),
        ..verdict(KeyVerdict::Valid)
    })
}

fn verdict(verdict: KeyVerdict) -> VerifyApiKeyResponse {
    VerifyApiKeyResponse {
        verdict: verdict.into(),
        ..VerifyApiKeyResponse::default()
    }
}
