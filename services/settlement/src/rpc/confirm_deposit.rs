//! The rail says that the money of a deposit is there.

use aex_kit::Call;
use aex_proto::aex::settlement::v1::{ConfirmDepositRequest, ConfirmDepositResponse};
use aex_settlement_ledger::{Command, ConfirmDeposit, Deposit};

use super::rail_says;
use crate::{
    App, Error,
    committer::Answer,
    convert::{self, RailMessage},
};

pub(super) async fn confirm_deposit(
    app: &App,
    call: Call,
    request: ConfirmDepositRequest,
) -> Result<ConfirmDepositResponse, Error> {
    let message = RailMessage::try_from(&request)?;
    let command = |deposit: &Deposit, event| {
        Command::ConfirmDeposit(ConfirmDeposit {
            deposit: deposit.id,
            money: deposit.money,
            event,
        })
    };
    rail_says(app, call, &request, message, command, respond).await
}

fn respond(answer: Answer) -> Result<ConfirmDepositResponse, Error> {
    Ok(ConfirmDepositResponse {
        deposit: Some(convert::deposit(&answer.deposit()?)),
    })
}
