//! Puts the price of a contract in escrow.

use aex_kit::Call;
use aex_proto::aex::settlement::v1::{PlaceHoldRequest, PlaceHoldResponse};
use aex_settlement_ledger::Command;

use crate::{App, Error, convert};

pub(super) async fn place_hold(
    app: &App,
    call: Call,
    request: PlaceHoldRequest,
) -> Result<PlaceHoldResponse, Error> {
    let command = convert::place_hold(&request, app.config.books.dispute_window())?;
    let currency = command.terms.currency;
    if !app.policy.deposits.contains_key(&currency) {
        return Err(Error::CurrencyUnsupported(currency));
    }

    let hold = app
        .committer
        .submit(&call, Command::PlaceHold(command))
        .await?
        .hold()?;
    Ok(PlaceHoldResponse {
        hold: Some(convert::hold(&hold)),
    })
}
