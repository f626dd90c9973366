//! The rail says that the money of a deposit will not come.

use aex_kit::Call;
use aex_proto::aex::settlement::v1::{RejectDepositRequest, RejectDepositResponse};
use aex_settlement_ledger::{Command, RejectDeposit};
use aex_store::Claim;

use crate::{App, Error, committer::Answer, convert, store::deposits};

pub(super) async fn reject_deposit(
    app: &App,
    mut call: Call,
    request: RejectDepositRequest,
) -> Result<RejectDepositResponse, Error> {
    let (message, reason) = convert::rejection(&request)?;
    let (claim, id) = (Claim::of(&call, &request), message.deposit);

    // Its rail never changes, so it may be read before the transaction.
    let found = app
        .store
        .read(&mut call, async |tx| {
            if let Some(reply) = claim.reply(tx.sql()).await? {
                return Ok(Err(reply));
            }
            deposits::find(tx, id)
                .await?
                .map(Ok)
                .ok_or(Error::DepositNotFound(id))
        })
        .await?;
    let deposit = match found {
        Ok(deposit) => deposit,
        Err(reply) => return Ok(reply),
    };
    let command = Command::RejectDeposit(RejectDeposit {
        deposit: id,
        event: message.about(&deposit),
        reason,
    });
    app.committer
        .submit_keyed(&call, &request, command, respond)
        .await
}

fn respond(answer: Answer) -> Result<RejectDepositResponse, Error> {
    Ok(RejectDepositResponse {
        deposit: Some(convert::deposit(&answer.deposit()?)),
    })
}
