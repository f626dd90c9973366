//! Changes what a tenant is called and how it is reached.

use aex_kit::Call;
use aex_proto::aex::identity::v1::{UpdateTenantRequest, UpdateTenantResponse};

use crate::{App, Error, domain::tenant, store::tenants};

pub(super) async fn update_tenant(
    app: &App,
    mut call: Call,
    request: UpdateTenantRequest,
) -> Result<UpdateTenantResponse, Error> {
    let command = tenant::Update::try_from(&request)?;
    if !call.may_see(command.tenant_id) {
        return Err(Error::TenantNotFound(command.tenant_id));
    }

    app.store
        .transact(&mut call, &request, async |tx| {
            let id = command.tenant_id;
            let tenant = tenants::lock(tx, id).await?.ok_or(Error::TenantNotFound(id))?;
            let events = tenant::update(&tenant, &command, tx.now())?;
            let tenant = tenants::record(tx, Some(tenant), &events).await?;
            Ok(UpdateTenantResponse {
                tenant: Some(tenant.into()),
            })
        })
        .await
}
