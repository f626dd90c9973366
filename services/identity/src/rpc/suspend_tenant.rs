//! Suspends a tenant: nothing new is accepted from it.

use aex_kit::Call;
use aex_proto::aex::identity::v1::{SuspendTenantRequest, SuspendTenantResponse};

use crate::{App, Error, domain::tenant, store::tenants};

pub(super) async fn suspend_tenant(
    app: &App,
    mut call: Call,
    request: SuspendTenantRequest,
) -> Result<SuspendTenantResponse, Error> {
    let command = tenant::Suspend::try_from(&request)?;

    app.store
        .transact(&mut call, &request, async |tx| {
            let id = command.tenant_id;
            let tenant = tenants::lock(tx, id).await?.ok_or(Error::TenantNotFound(id))?;
            let events = tenant::suspend(&tenant, &command, tx.now())?;
            let tenant = tenants::record(tx, Some(tenant), &events).await?;
            Ok(SuspendTenantResponse {
                tenant: Some(tenant.into()),
            })
        })
        .await
}
