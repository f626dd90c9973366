//! Ends a subscription.

use aex_error::Check;
use aex_kit::Call;
use aex_proto::aex::provider_registry::v1::{CancelSubscriptionRequest, CancelSubscriptionResponse};

use super::Acting;
use crate::{App, Error, convert, domain::subscription, store::subscriptions};

pub(super) async fn cancel_subscription(
    app: &App,
    mut call: Call,
    request: CancelSubscriptionRequest,
) -> Result<CancelSubscriptionResponse, Error> {
    let id = convert::id(Check::of(&request), "subscription_id", &request.subscription_id)?;
    let acting = Acting::of(&call)?;

    app.store
        .transact(&mut call, &request, async |tx| {
            let subscription = subscriptions::lock(tx, id)
                .await?
                .filter(|known| acting.owns(known.tenant_id, known.provider_id))
                .ok_or(Error::SubscriptionNotFound(id))?;
            let cancelled = subscription::cancel(&subscription, tx.now())?;
            let subscription = subscriptions::record(tx, Some(subscription), &cancelled).await?;
            Ok(CancelSubscriptionResponse {
                subscription: Some(subscription.into()),
            })
        })
        .await
}
