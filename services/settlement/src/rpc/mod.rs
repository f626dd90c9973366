//! The methods of settlement: the table of contents.

mod audit;
mod check_funds;
mod confirm_deposit;
mod get_balance;
mod get_deposit;
mod get_settlement;
mod get_trial_balance;
mod list_deposits;
mod list_statement_lines;
mod place_hold;
mod reject_deposit;
mod release_hold;
mod request_deposit;
mod settle_contract;

use aex_kit::{Call, Reply, unary};
use aex_proto::{
    Keyed, Secrets,
    aex::settlement::v1::{self as pb, settlement_service_server::SettlementService},
};
use aex_settlement_ledger::{Command, Deposit, RailEvent};
use prost::Message;
use tonic::Request;

use self::{
    audit::audit, check_funds::check_funds, confirm_deposit::confirm_deposit, get_balance::get_balance,
    get_deposit::get_deposit, get_settlement::get_settlement, get_trial_balance::get_trial_balance,
    list_deposits::list_deposits, list_statement_lines::list_statement_lines, place_hold::place_hold,
    reject_deposit::reject_deposit, release_hold::release_hold, request_deposit::request_deposit,
    settle_contract::settle_contract,
};
use crate::{App, Error, committer::Answer, convert::RailMessage, store::deposits};

#[tonic::async_trait]
impl SettlementService for App {
    async fn request_deposit(
        &self,
        request: Request<pb::RequestDepositRequest>,
    ) -> Reply<pb::RequestDepositResponse> {
        unary(request, |call, request| request_deposit(self, call, request)).await
    }

    async fn confirm_deposit(
        &self,
        request: Request<pb::ConfirmDepositRequest>,
    ) -> Reply<pb::ConfirmDepositResponse> {
        unary(request, |call, request| confirm_deposit(self, call, request)).await
    }

    async fn reject_deposit(
        &self,
        request: Request<pb::RejectDepositRequest>,
    ) -> Reply<pb::RejectDepositResponse> {
        unary(request, |call, request| reject_deposit(self, call, request)).await
    }

    async fn get_deposit(&self, request: Request<pb::GetDepositRequest>) -> Reply<pb::GetDepositResponse> {
        unary(request, |call, request| get_deposit(self, call, request)).await
    }

    async fn list_deposits(
        &self,
        request: Request<pb::ListDepositsRequest>,
    ) -> Reply<pb::ListDepositsResponse> {
        unary(request, |call, request| list_deposits(self, call, request)).await
    }

    async fn get_balance(&self, request: Request<pb::GetBalanceRequest>) -> Reply<pb::GetBalanceResponse> {
        unary(request, |call, request| get_balance(self, call, request)).await
    }

    async fn list_statement_lines(
        &self,
        request: Request<pb::ListStatementLinesRequest>,
    ) -> Reply<pb::ListStatementLinesResponse> {
        unary(request, |call, request| list_statement_lines(self, call, request)).await
    }

    async fn get_settlement(
        &self,
        request: Request<pb::GetSettlementRequest>,
    ) -> Reply<pb::GetSettlementResponse> {
        unary(request, |call, request| get_settlement(self, call, request)).await
    }

    async fn check_funds(&self, request: Request<pb::CheckFundsRequest>) -> Reply<pb::CheckFundsResponse> {
        unary(request, |call, request| check_funds(self, call, request)).await
    }

    async fn place_hold(&self, request: Request<pb::PlaceHoldRequest>) -> Reply<pb::PlaceHoldResponse> {
        unary(request, |call, request| place_hold(self, call, request)).await
    }

    async fn release_hold(&self, request: Request<pb::ReleaseHoldRequest>) -> Reply<pb::ReleaseHoldResponse> {
        unary(request, |call, request| release_hold(self, call, request)).await
    }

    async fn settle_contract(
        &self,
        request: Request<pb::SettleContractRequest>,
    ) -> Reply<pb::SettleContractResponse> {
        unary(request, |call, request| settle_contract(self, call, request)).await
    }

    async fn get_trial_balance(
        &self,
        request: Request<pb::GetTrialBalanceRequest>,
    ) -> Reply<pb::GetTrialBalanceResponse> {
        unary(request, |call, request| get_trial_balance(self, call, request)).await
    }

    async fn audit(&self, request: Request<pb::AuditRequest>) -> Reply<pb::AuditResponse> {
        unary(request, |call, request| audit(self, call, request)).await
    }
}

/// Does what a rail says of a deposit. Whose it is, of how much and by which rail never changes, so it may be read before
/// the transaction.
async fn rail_says<Q, A>(
    app: &App,
    mut call: Call,
    request: &Q,
    message: RailMessage,
    command: impl FnOnce(&Deposit, RailEvent) -> Command,
    respond: fn(Answer) -> Result<A, Error>,
) -> Result<A, Error>
where
    Q: Message + Keyed,
    A: Message + Default + Secrets + 'static,
{
    if let Some(reply) = app.store.replay(&mut call, request).await? {
        return Ok(reply);
    }
    let id = message.deposit;
    let deposit = app
        .store
        .read_one(&mut call, async |tx| {
            deposits::find(tx, id).await?.ok_or(Error::DepositNotFound(id))
        })
        .await?;
    let command = command(&deposit, message.about(&deposit));
    app.committer.submit_keyed(&call, request, command, respond).await
}
