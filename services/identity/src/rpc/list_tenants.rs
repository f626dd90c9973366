//! Lists tenants, oldest first.

use aex_error::Check;
use aex_kit::Call;
use aex_proto::aex::identity::v1::{ListTenantsRequest, ListTenantsResponse, TenantStatus};
use aex_store::Page;

use crate::{App, Error, store::tenants};

pub(super) async fn list_tenants(
    app: &App,
    mut call: Call,
    request: ListTenantsRequest,
) -> Result<ListTenantsResponse, Error> {
    Check::of(&request).finish(|| Some(()))?;
    let status = match request.status() {
        TenantStatus::Unspecified => None,
        status => Some(status.as_str_name().trim_start_matches("TENANT_STATUS_")),
    };
    let page = Page::read(request.page_size, &request.page_token, status.unwrap_or_default())?;

    app.store
        .read(&mut call, async |tx| {
            let mut tenants = tenants::list(tx, status, &page).await?;
            let next_page_token = page.cut(&mut tenants, |tenant| tenant.id);
            Ok(ListTenantsResponse {
                tenants: tenants.into_iter().map(Into::into).collect(),
                next_page_token,
            })
        })
        .await
}
