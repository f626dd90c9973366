//! Lists a provider's subscriptions, oldest first.

use aex_error::Check;
use aex_kit::Call;
use aex_proto::aex::provider_registry::v1::{ListSubscriptionsRequest, ListSubscriptionsResponse};
use aex_store::Page;
use aex_types::ProviderId;

use super::Acting;
use crate::{
    App, Error, convert,
    store::{providers, subscriptions},
};

pub(super) async fn list_subscriptions(
    app: &App,
    mut call: Call,
    request: ListSubscriptionsRequest,
) -> Result<ListSubscriptionsResponse, Error> {
    let id: ProviderId = convert::id(Check::of(&request), "provider_id", &request.provider_id)?;
    let acting = Acting::of(&call)?;
    let page = Page::read(request.page_size, &request.page_token, &id.to_string())?;

    app.store
        .read(&mut call, async |tx| {
            acting.own(providers::find(tx, id).await?, id)?;
            let mut subscriptions = subscriptions::list(tx, id, &page).await?;
            let next_page_token = page.cut(&mut subscriptions, |subscription| subscription.id);
            Ok(ListSubscriptionsResponse {
                subscriptions: subscriptions.into_iter().map(Into::into).collect(),
                next_page_token,
            })
        })
        .await
}
