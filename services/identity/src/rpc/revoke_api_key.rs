//! Takes a key back.

use aex_error::Check;
use aex_kit::Call;
use aex_proto::aex::identity::v1::{RevokeApiKeyRequest, RevokeApiKeyResponse};

use super::{granter, own};
use crate::{App, Error, convert, domain::api_key, store::api_keys};

pub(super) async fn revoke_api_key(
    app: &App,
    mut call: Call,
    request: RevokeApiKeyRequest,
) -> Result<RevokeApiKeyResponse, Error> {
    let mut check = Check::of(&request);
    let id = check.parse("key_id", &request.key_id);
    let id = check.finish(|| id)?;
    let (visible, granter) = (own(&call), granter(&call)?);

    app.store
        .transact(&mut call, &request, async |tx| {
            let key = api_keys::lock(tx, id)
                .await?
                .filter(visible)
                .ok_or(Error::ApiKeyNotFound(id))?;
            let revoked = api_key::revoke_by(&granter, &key, tx.now())?;
            let key = api_keys::record(tx, Some(key), &revoked).await?;
            Ok(RevokeApiKeyResponse {
                api_key: Some(convert::api_key(key, tx.now())),
            })
        })
        .await
}
