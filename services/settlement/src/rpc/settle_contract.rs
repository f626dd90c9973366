//! Pays the price of a contract from its escrow.

use aex_kit::Call;
use aex_proto::aex::settlement::v1::{SettleContractRequest, SettleContractResponse};
use aex_settlement_ledger::Command;

use crate::{App, Error, convert};

pub(super) async fn settle_contract(
    app: &App,
    call: Call,
    request: SettleContractRequest,
) -> Result<SettleContractResponse, Error> {
    let command = Command::Settle(convert::settle_contract(&request)?);

    let hold = app.committer.submit(&call, command).await?.hold()?;
    Ok(SettleContractResponse {
        hold: Some(convert::hold(&hold)),
    })
}
