//! Subscribes a provider to categories.

use aex_kit::Call;
use aex_proto::aex::provider_registry::v1::{CreateSubscriptionRequest, CreateSubscriptionResponse};

use super::Acting;
use crate::{
    App, Error,
    domain::subscription,
    store::{providers, subscriptions},
};

pub(super) async fn create_subscription(
    app: &App,
    mut call: Call,
    request: CreateSubscriptionRequest,
) -> Result<CreateSubscriptionResponse, Error> {
    let command = subscription::Create::try_from(&request)?;
    let acting = Acting::of(&call)?;

    app.store
        .transact(&mut call, &request, async |tx| {
            let id = command.provider_id;
            let provider = acting.own(providers::lock(tx, id).await?, id)?;
            let live = subscriptions::count_live(tx, id).await?;
            let created = subscription::create(tx.id(), &provider, live, command.wish.clone(), tx.now())?;
            let subscription = subscriptions::record(tx, None, &created).await?;
            Ok(CreateSubscriptionResponse {
                subscription: Some(subscription.into()),
            })
        })
        .await
}
