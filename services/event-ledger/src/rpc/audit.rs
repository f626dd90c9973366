//! States what the ledger knows and what it finds broken.

use aex_error::Check;
use aex_kit::Call;
use aex_proto::aex::event_ledger::v1::{AuditRequest, AuditResponse};
use aex_store::Page;

use crate::{App, Error, store};

pub(super) async fn audit(app: &App, mut call: Call, request: AuditRequest) -> Result<AuditResponse, Error> {
    Check::of(&request).finish(|| Some(()))?;
    let page = Page::read(i32::MAX, &request.page_token, "audit")?;
    let is_first = request.page_token.is_empty();

    app.store
        .read(&mut call, async |tx| {
            let mut producers = store::audit::producers(tx, &page).await?;
            let next_page_token = page.cut(&mut producers, |fact| fact.subject.clone());
            let mut answer = AuditResponse {
                next_page_token,
                ..AuditResponse::default()
            };
            if is_first {
                answer.facts = store::audit::end(tx).await?;
                answer.violations = store::audit::violations(tx).await?;
            }
            answer.facts.extend(producers);
            Ok(answer)
        })
        .await
}
