//! Answers one key, without its secret.

use aex_error::Check;
use aex_kit::Call;
use aex_proto::aex::identity::v1::{GetApiKeyRequest, GetApiKeyResponse};

use super::own;
use crate::{App, Error, convert, store::api_keys};

pub(super) async fn get_api_key(
    app: &App,
    mut call: Call,
    request: GetApiKeyRequest,
) -> Result<GetApiKeyResponse, Error> {
    let mut check = Check::of(&request);
    let id = check.parse("key_id", &request.key_id);
    let id = check.finish(|| id)?;
    let visible = own(&call);

    app.store
        .read(&mut call, async |tx| {
            let key = api_keys::find(tx, id)
                .await?
                .filter(visible)
                .ok_or(Error::ApiKeyNotFound(id))?;
            Ok(GetApiKeyResponse {
                api_key: Some(convert::api_key(key, tx.now())),
            })
        })
        .await
}
