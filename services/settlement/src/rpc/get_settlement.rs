//! Answers the money side of a contract to its two parties, operators and the contract engine.

use aex_error::Check;
use aex_kit::{Call, Caller};
use aex_proto::aex::settlement::v1::{GetSettlementRequest, GetSettlementResponse};
use aex_settlement_ledger::Hold;
use aex_types::ContractId;

use crate::{App, Error, convert, store::holds};

pub(super) async fn get_settlement(
    app: &App,
    mut call: Call,
    request: GetSettlementRequest,
) -> Result<GetSettlementResponse, Error> {
    let mut check = Check::of(&request);
    let id: Option<ContractId> = check.parse("contract_id", &request.contract_id);
    let id = check.finish(|| id)?;

    let found = app
        .store
        .read(&mut call, async |tx| {
            holds::find(tx, id).await.map_err(Error::from)
        })
        .await?;
    let hold = found
        .filter(|hold| may_see(&call, hold))
        .ok_or(Error::HoldNotFound(id))?;
    Ok(GetSettlementResponse {
        hold: Some(convert::hold(&hold)),
    })
}

/// A hold that was refused beforehand has no parties, so no tenant sees it.
fn may_see(call: &Call, hold: &Hold) -> bool {
    match (call.caller(), hold.award()) {
        (Caller::Operator(_) | Caller::Service(_), _) => true,
        (_, Some(award)) => call.may_see(award.parties.consumer) || call.may_see(award.parties.payee),
        (_, None) => false,
    }
}
