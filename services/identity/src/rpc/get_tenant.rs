//! Answers one tenant.

use aex_error::Check;
use aex_kit::Call;
use aex_proto::aex::identity::v1::{GetTenantRequest, GetTenantResponse};
use aex_types::TenantId;

use crate::{App, Error, store::tenants};

pub(super) async fn get_tenant(
    app: &App,
    mut call: Call,
    request: GetTenantRequest,
) -> Result<GetTenantResponse, Error> {
    let mut check = Check::of(&request);
    let id: Option<TenantId> = check.parse("tenant_id", &request.tenant_id);
    let id = check.finish(|| id)?;
    if !call.may_see(id) {
        return Err(Error::TenantNotFound(id));
    }

    app.store
        .read(&mut call, async |tx| {
            let tenant = tenants::find(tx, id).await?.ok_or(Error::TenantNotFound(id))?;
            Ok(GetTenantResponse {
                tenant: Some(tenant.into()),
            })
        })
        .await
}
