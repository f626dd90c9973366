//! Tells whether a tenant could pay an amount now.

use aex_error::{Check, wire};
use aex_kit::Call;
use aex_proto::aex::settlement::v1::{CheckFundsRequest, CheckFundsResponse};
use aex_types::{Money, TenantId};

use crate::{App, Error, store::accounts};

pub(super) async fn check_funds(
    app: &App,
    mut call: Call,
    request: CheckFundsRequest,
) -> Result<CheckFundsResponse, Error> {
    let mut check = Check::of(&request);
    let tenant: Option<TenantId> = check.parse("tenant_id", &request.tenant_id);
    let money = check.money("amount", request.amount.as_ref());
    let (tenant, money) = check.finish(|| tenant.zip(money))?;
    let currency = money.currency;
    if !app.policy.deposits.contains_key(&currency) {
        return Err(Error::CurrencyUnsupported(currency));
    }

    app.store
        .read_one(&mut call, async |tx| {
            let (available, owed) = accounts::funds(tx, tenant, currency).await?;
            Ok(CheckFundsResponse {
                sufficient: owed.is_zero() && available >= money.amount,
                available: Some(wire::money(&Money {
                    currency,
                    amount: available,
                })),
            })
        })
        .await
}
