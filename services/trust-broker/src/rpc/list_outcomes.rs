//! Lists how a provider's contracts ended, newest first, without naming its consumers.

use std::collections::BTreeMap;

use aex_error::Check;
use aex_kit::Call;
use aex_proto::aex::trust_broker::v1::{ListOutcomesRequest, ListOutcomesResponse};
use aex_store::Page;

use crate::{
    App, Error, convert,
    store::{
        outcomes::{self, Place},
        records,
    },
};

pub(super) async fn list_outcomes(
    app: &App,
    mut call: Call,
    request: ListOutcomesRequest,
) -> Result<ListOutcomesResponse, Error> {
    let id = convert::provider_id(Check::of(&request), &request.provider_id)?;
    let page = Page::read(request.page_size, &request.page_token, &id.to_string())?;

    app.store
        .read(&mut call, async |tx| {
            let mut outcomes = outcomes::list(tx, id, &page).await?;
            let next_page_token = page.cut(&mut outcomes, |one| Place(one.completed_at, one.contract_id));
            let record = records::find(tx, id).await?;
            let weighed = record.window.weighed();
            let weights: BTreeMap<_, _> = weighed.map(|(one, weight)| (one.contract_id, weight)).collect();
            let weight = |contract| weights.get(contract).copied().unwrap_or_default();
            Ok(ListOutcomesResponse {
                outcomes: outcomes
                    .iter()
                    .map(|one| convert::outcome(one, weight(&one.contract_id)))
                    .collect(),
                next_page_token,
            })
        })
        .await
}
