//! Activates a suspended tenant.

use aex_kit::Call;
use aex_proto::aex::identity::v1::{ActivateTenantRequest, ActivateTenantResponse};

use crate::{App, Error, domain::tenant, store::tenants};

pub(super) async fn activate_tenant(
    app: &App,
    mut call: Call,
    request: ActivateTenantRequest,
) -> Result<ActivateTenantResponse, Error> {
    let command = tenant::Activate::try_from(&request)?;

    app.store
        .transact(&mut call, &request, async |tx| {
            let id = command.tenant_id;
            let tenant = tenants::lock(tx, id).await?.ok_or(Error::TenantNotFound(id))?;
            let events = tenant::activate(&tenant, tx.now())?;
            let tenant = tenants::record(tx, Some(tenant), &events).await?;
            Ok(ActivateTenantResponse {
                tenant: Some(tenant.into()),
            })
        })
        .await
}
