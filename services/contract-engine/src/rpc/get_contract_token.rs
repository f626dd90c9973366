//! Answers a token by which the two parties know each other on their direct leg.

use aex_error::wire;
use aex_kit::Call;
use aex_proto::aex::contract_engine::v1::{GetContractTokenRequest, GetContractTokenResponse};

use super::party;
use crate::{
    App, Error, convert,
    domain::contract::{Party, Refusal},
    token::Claims,
};

pub(super) async fn get_contract_token(
    app: &App,
    mut call: Call,
    request: GetContractTokenRequest,
) -> Result<GetContractTokenResponse, Error> {
    let id = convert::contract_id(&request, &request.contract_id)?;
    let contract = app.seen(&mut call, id).await?;
    let (status, terms) = (contract.status, &contract.terms);
    let Some(awarded) = contract.award_time.filter(|_| status.is_live()) else {
        return Err(Refusal::StatusInvalid {
            contract_id: id,
            status,
        }
        .into());
    };
    let (role, parties) = match party(call.principal()?, &contract) {
        Some(Party::Consumer) => ("consumer", (terms.consumer_id, terms.provider_tenant_id)),
        Some(Party::Provider) => ("provider", (terms.provider_tenant_id, terms.consumer_id)),
        None => return Err(Error::ContractNotFound(id)),
    };
    let until = contract.live_until();
    let claims = Claims::new(id, role, parties, (awarded, until));
    Ok(GetContractTokenResponse {
        token: app.key.sign(&claims)?,
        expire_time: Some(wire::time(until)),
    })
}
