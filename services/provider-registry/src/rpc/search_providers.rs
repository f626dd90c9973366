//! Finds active providers that say they work in a category, or in one above it.

use aex_error::Check;
use aex_kit::Call;
use aex_proto::aex::provider_registry::v1::{SearchProvidersRequest, SearchProvidersResponse};
use aex_store::Page;

use crate::{App, Error, convert, domain::category::Category, store::providers};

pub(super) async fn search_providers(
    app: &App,
    mut call: Call,
    request: SearchProvidersRequest,
) -> Result<SearchProvidersResponse, Error> {
    let category: Category = convert::id(Check::of(&request), "category", &request.category)?;
    let page = Page::read(request.page_size, &request.page_token, category.as_str())?;

    app.store
        .read(&mut call, async |tx| {
            let mut providers = providers::search(tx, &category, &page).await?;
            let next_page_token = page.cut(&mut providers, |provider| provider.id);
            Ok(SearchProvidersResponse {
                providers: providers.into_iter().map(convert::public_profile).collect(),
                next_page_token,
            })
        })
        .await
}
