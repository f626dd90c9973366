//! The rail says that the money of a deposit is there.

use aex_kit::Call;
use aex_proto::aex::settlement::v1::{ConfirmDepositRequest, ConfirmDepositResponse};
use aex_settlement_ledger::{Command, ConfirmDeposit};
use aex_store::Claim;

use crate::{
    App, Error,
    committer::Answer,
    convert::{self, RailMessage},
    store::deposits,
};

pub(super) async fn confirm_deposit(
    app: &App,
    mut call: Call,
    request: ConfirmDepositRequest,
) -> Result<ConfirmDepositResponse, Error> {
    let message = RailMessage::try_from(&request)?;
    let (claim, id) = (Claim::of(&call, &request), message.deposit);

    // Whose it is, of how much and by which rail never changes, so it may be read before the transaction.
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
    let command = Command::ConfirmDeposit(ConfirmDeposit {
        deposit: id,
        money: deposit.money,
        event: message.about(&deposit),
    });
    app.committer
        .submit_keyed(&call, &request, command, respond)
        .await
}

fn respond(answer: Answer) -> Result<ConfirmDepositResponse, Error> {
    Ok(ConfirmDepositResponse {
        deposit: Some(convert::deposit(&answer.deposit()?)),
    })
}
