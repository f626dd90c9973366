//! Revokes a key and makes one like it in its place.

use aex_error::Check;
use aex_kit::Call;
use aex_proto::aex::identity::v1::{RotateApiKeyRequest, RotateApiKeyResponse};

use super::{granter, own};
use crate::{
    App, Error, convert,
    domain::api_key,
    store::{api_keys, tenants},
};

pub(super) async fn rotate_api_key(
    app: &App,
    mut call: Call,
    request: RotateApiKeyRequest,
) -> Result<RotateApiKeyResponse, Error> {
    let mut check = Check::of(&request);
    let id = check.parse("key_id", &request.key_id);
    let id = check.finish(|| id)?;
    let (visible, granter) = (own(&call), granter(&call)?);
    let (secret, hash) = app.new_secret(&call)?;

    app.store
        .transact(&mut call, &request, async |tx| {
            let key = api_keys::find(tx, id)
                .await?
                .filter(visible)
                .ok_or(Error::ApiKeyNotFound(id))?;
            // The tenant before its keys: the order in which all of identity locks.
            let tenant = tenants::lock(tx, key.tenant_id)
                .await?
                .ok_or(Error::TenantNotFound(key.tenant_id))?;
            let key = api_keys::lock(tx, id).await?.ok_or(Error::ApiKeyNotFound(id))?;
            let revoked = api_key::revoke(&key, tx.now())?;
            let active = api_keys::lock_active(tx, tenant.id)
                .await?
                .len()
                .saturating_sub(1);
            let command = api_key::replacement(&key);
            let created = api_key::create(
                (tx.id(), secret.shown()),
                &tenant,
                active,
                &command,
                &granter,
                tx.now(),
            )?;
            let revoked = api_keys::record(tx, Some(key), &revoked).await?;
            let key = api_keys::record(tx, None, &created).await?;
            api_keys::keep_secret(tx, key.id, &hash).await?;
            Ok(RotateApiKeyResponse {
                revoked: Some(convert::api_key(revoked, tx.now())),
                api_key: Some(convert::api_key(key, tx.now())),
                secret: secret.reveal().to_owned(),
            })
        })
        .await
}
