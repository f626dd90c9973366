//! Makes an API key and shows its secret, this once.

use aex_kit::Call;
use aex_proto::aex::identity::v1::{CreateApiKeyRequest, CreateApiKeyResponse};

use super::{granter, whose};
use crate::{
    App, Error, convert,
    domain::api_key,
    store::{api_keys, tenants},
};

pub(super) async fn create_api_key(
    app: &App,
    mut call: Call,
    request: CreateApiKeyRequest,
) -> Result<CreateApiKeyResponse, Error> {
    let command = api_key::Create::try_from(&request)?;
    let tenant_id = whose(&call, &request.tenant_id)?;
    let granter = granter(&call)?;
    let (secret, hash) = app.new_secret(&call)?;

    app.store
        .transact(&mut call, &request, async |tx| {
            let tenant = tenants::lock(tx, tenant_id)
                .await?
                .ok_or(Error::TenantNotFound(tenant_id))?;
            let active = api_keys::lock_active(tx, tenant_id).await?.len();
            let new = (tx.id(), secret.shown());
            let created = api_key::create(new, &tenant, active, &command, &granter, tx.now())?;
            let key = api_keys::record(tx, None, &created).await?;
            api_keys::keep_secret(tx, key.id, &hash).await?;
            let api_key = Some(convert::api_key(key, tx.now()));
            Ok(CreateApiKeyResponse {
                api_key,
                secret: secret.reveal().to_owned(),
            })
        })
        .await
}
