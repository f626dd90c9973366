//! Answers the public keys of contract tokens.

use aex_error::Check;
use aex_kit::Call;
use aex_proto::aex::contract_engine::v1::{GetContractKeysRequest, GetContractKeysResponse};

use crate::{App, Error};

pub(super) async fn get_contract_keys(
    app: &App,
    _: Call,
    request: GetContractKeysRequest,
) -> Result<GetContractKeysResponse, Error> {
    Check::of(&request).finish(|| Some(()))?;
    Ok(GetContractKeysResponse {
        jwks_json: app.key.jwks(),
    })
}
