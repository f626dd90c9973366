//! Recomputes the chain over a range and names the first event that does not fit.

use aex_error::Check;
use aex_kit::Call;
use aex_proto::aex::event_ledger::v1::{VerifyChainRequest, VerifyChainResponse};

use crate::{App, Error, store::verify};

/// The most events of one check.
const MOST: u64 = 100_000;

pub(super) async fn verify_chain(
    app: &App,
    mut call: Call,
    request: VerifyChainRequest,
) -> Result<VerifyChainResponse, Error> {
    Check::of(&request).finish(|| Some(()))?;
    let most = match u64::try_from(request.limit) {
        Ok(limit @ 1..=MOST) => limit,
        _ => MOST,
    };

    app.store
        .read(&mut call, async |tx| {
            let verdict = verify::chain(tx, request.from_sequence, most).await?;
            let (broken_sequence, problem) = verdict.broken.unwrap_or_default();
            Ok(VerifyChainResponse {
                checked: verdict.checked,
                next_sequence: verdict.next,
                broken_sequence,
                problem: problem.to_owned(),
            })
        })
        .await
}
