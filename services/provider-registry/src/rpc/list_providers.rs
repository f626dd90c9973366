//! Lists the calling tenant's own providers, oldest first; all of them to an operator.

use aex_error::Check;
use aex_kit::{Call, Caller};
use aex_proto::aex::provider_registry::v1::{ListProvidersRequest, ListProvidersResponse};
use aex_store::Page;

use crate::{App, Error, store::providers};

pub(super) async fn list_providers(
    app: &App,
    mut call: Call,
    request: ListProvidersRequest,
) -> Result<ListProvidersResponse, Error> {
    Check::of(&request).finish(|| Some(()))?;
    let (tenant, only) = match call.caller() {
        Caller::Tenant(principal) => (Some(principal.tenant), principal.provider),
        _ => (None, None),
    };
    let page = Page::read(request.page_size, &request.page_token, &call.scope())?;

    app.store
        .read(&mut call, async |tx| {
            let mut providers = providers::list(tx, tenant, only, &page).await?;
            let next_page_token = page.cut(&mut providers, |provider| provider.id);
            Ok(ListProvidersResponse {
                providers: providers.into_iter().map(Into::into).collect(),
                next_page_token,
            })
        })
        .await
}
