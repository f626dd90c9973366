//! States what the registry knows and what it finds broken.

use aex_error::Check;
use aex_kit::Call;
use aex_proto::aex::provider_registry::v1::{AuditRequest, AuditResponse};
use aex_store::{Page, Stated};

use crate::{App, Error, store};

pub(super) async fn audit(app: &App, mut call: Call, request: AuditRequest) -> Result<AuditResponse, Error> {
    Check::of(&request).finish(|| Some(()))?;
    let page = Page::read(i32::MAX, &request.page_token, "audit")?;

    app.store
        .read(&mut call, async |tx| {
            let mut facts = store::audit::facts(tx, &page).await?;
            let next_page_token = page.cut(&mut facts, Stated::place);
            let violations = if request.page_token.is_empty() {
                store::audit::violations(tx).await?
            } else {
                Vec::new()
            };
            Ok(AuditResponse {
                facts: facts.into_iter().map(store::audit::fact).collect(),
                violations,
                next_page_token,
            })
        })
        .await
}
