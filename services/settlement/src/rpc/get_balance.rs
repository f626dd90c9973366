//! Answers what the calling tenant has, by currency.

use aex_error::Check;
use aex_kit::Call;
use aex_proto::aex::settlement::v1::{GetBalanceRequest, GetBalanceResponse};

use crate::{App, Error, convert, store::accounts};

pub(super) async fn get_balance(
    app: &App,
    mut call: Call,
    request: GetBalanceRequest,
) -> Result<GetBalanceResponse, Error> {
    let mut check = Check::of(&request);
    let currency = check.maybe("currency_code", &request.currency_code);
    let currency = check.finish(|| currency)?;
    let tenant = call.principal()?.tenant;

    app.store
        .read_one(&mut call, async |tx| {
            let purses = accounts::purses(tx, tenant, currency).await?;
            let now = tx.now();
            Ok(GetBalanceResponse {
                balances: purses.iter().map(|purse| convert::balance(purse, now)).collect(),
            })
        })
        .await
}
