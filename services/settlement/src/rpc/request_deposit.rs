//! Asks for a deposit. The test rail confirms it at once, as a journal of its own.

use aex_kit::Call;
use aex_proto::aex::settlement::v1::{RequestDepositRequest, RequestDepositResponse};
use aex_settlement_ledger::{Command, Rail, RequestDeposit};

use crate::{App, Error, committer::Answer, convert, peers, store::deposits, worker};

pub(super) async fn request_deposit(
    app: &App,
    mut call: Call,
    request: RequestDepositRequest,
) -> Result<RequestDepositResponse, Error> {
    let (money, rail) = convert::deposit_request(&request)?;
    let rail = app.config.rails.find(&rail).ok_or(Error::RailUnknown(rail))?;
    let tenant = call.principal()?.tenant;
    let deposit = call.id();

    let stored: Option<RequestDepositResponse> = app.store.replay(&mut call, &request).await?;
    let response = if let Some(response) = stored {
        response
    } else {
        peers::active_tenant(&app.identity, &call, tenant).await?;
        let command = Command::RequestDeposit(RequestDeposit {
            deposit,
            tenant,
            money,
            rail,
        });
        app.committer
            .submit_keyed(&call, &request, command, respond)
            .await?
    };
    if rail == Rail::TEST {
        confirmed(app, &mut call, response).await
    } else {
        Ok(response)
    }
}

fn respond(answer: Answer) -> Result<RequestDepositResponse, Error> {
    Ok(RequestDepositResponse {
        deposit: Some(convert::deposit(&answer.deposit()?)),
    })
}

/// The deposit as it is once the test rail has confirmed it. A replay arrives here too, so both answer the same.
async fn confirmed(
    app: &App,
    call: &mut Call,
    response: RequestDepositResponse,
) -> Result<RequestDepositResponse, Error> {
    let id = response
        .deposit
        .and_then(|deposit| deposit.deposit_id.parse().ok());
    let Some(id) = id else {
        return Err(aex_store::Failure::corrupt("a reply without its deposit").into());
    };
    let deposit = app
        .store
        .read(call, async |tx| {
            deposits::find(tx, id).await?.ok_or(Error::DepositNotFound(id))
        })
        .await?;
    respond(
        app.committer
            .submit(call, worker::confirm_test(&deposit)?)
            .await?,
    )
}
