//! Ends a tenant for good and revokes its keys.

use aex_kit::Call;
use aex_proto::aex::identity::v1::{TerminateTenantRequest, TerminateTenantResponse};

use crate::{
    App, Error,
    domain::{api_key, tenant},
    store::{api_keys, tenants},
};

pub(super) async fn terminate_tenant(
    app: &App,
    mut call: Call,
    request: TerminateTenantRequest,
) -> Result<TerminateTenantResponse, Error> {
    let command = tenant::Terminate::try_from(&request)?;

    app.store
        .transact(&mut call, &request, async |tx| {
            let id = command.tenant_id;
            let tenant = tenants::lock(tx, id).await?.ok_or(Error::TenantNotFound(id))?;
            let events = tenant::terminate(&tenant, &command, tx.now())?;
            for key in api_keys::lock_active(tx, id).await? {
                let revoked = api_key::revoke(&key, tx.now())?;
                api_keys::record(tx, Some(key), &revoked).await?;
            }
            let tenant = tenants::record(tx, Some(tenant), &events).await?;
            Ok(TerminateTenantResponse {
                tenant: Some(tenant.into()),
            })
        })
        .await
}
