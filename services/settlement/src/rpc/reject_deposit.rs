//! The rail says that the money of a deposit will not come.

use aex_kit::Call;
use aex_proto::aex::settlement::v1::{RejectDepositRequest, RejectDepositResponse};
use aex_settlement_ledger::{Command, Deposit, RejectDeposit};

use super::rail_says;
use crate::{App, Error, committer::Answer, convert};

pub(super) async fn reject_deposit(
    app: &App,
    call: Call,
    request: RejectDepositRequest,
) -> Result<RejectDepositResponse, Error> {
    let (message, reason) = convert::rejection(&request)?;
    let command = |deposit: &Deposit, event| {
        Command::RejectDeposit(RejectDeposit {
            deposit: deposit.id,
            event,
            reason,
        })
    };
    rail_says(app, call, &request, message, command, respond).await
}

fn respond(answer: Answer) -> Result<RejectDepositResponse, Error> {
    Ok(RejectDepositResponse {
        deposit: Some(convert::deposit(&answer.deposit()?)),
    })
}
