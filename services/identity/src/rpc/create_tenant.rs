//! Creates a tenant, active at once.

use aex_kit::Call;
use aex_proto::aex::identity::v1::{CreateTenantRequest, CreateTenantResponse};

use crate::{App, Error, domain::tenant, store::tenants};

pub(super) async fn create_tenant(
    app: &App,
    mut call: Call,
    request: CreateTenantRequest,
) -> Result<CreateTenantResponse, Error> {
    let command = tenant::Create::try_from(&request)?;

    app.store
        .transact(&mut call, &request, async |tx| {
            let created = tenant::create(tx.id(), command.clone(), tx.now());
            let tenant = tenants::record(tx, None, &[created]).await?;
            Ok(CreateTenantResponse {
                tenant: Some(tenant.into()),
            })
        })
        .await
}
