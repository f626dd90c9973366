//! Lists a tenant's keys, oldest first.

use aex_error::Check;
use aex_kit::Call;
use aex_proto::aex::identity::v1::{ListApiKeysRequest, ListApiKeysResponse};
use aex_store::Page;

use super::whose;
use crate::{
    App, Error, convert,
    store::{api_keys, tenants},
};

pub(super) async fn list_api_keys(
    app: &App,
    mut call: Call,
    request: ListApiKeysRequest,
) -> Result<ListApiKeysResponse, Error> {
    Check::of(&request).finish(|| Some(()))?;
    let tenant_id = whose(&call, &request.tenant_id)?;
    let page = Page::read(request.page_size, &request.page_token, &tenant_id.to_string())?;

    app.store
        .read(&mut call, async |tx| {
            tenants::find(tx, tenant_id)
                .await?
                .ok_or(Error::TenantNotFound(tenant_id))?;
            let mut keys = api_keys::list(tx, tenant_id, &page).await?;
            let next_page_token = page.cut(&mut keys, |key| key.id);
            let now = tx.now();
            let api_keys = keys.into_iter().map(|key| convert::api_key(key, now)).collect();
            Ok(ListApiKeysResponse {
                api_keys,
                next_page_token,
            })
        })
        .await
}
