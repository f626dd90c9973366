//! What work-publisher asks other services: one function per question.

use aex_error::{Invalid, Unanswered, wire};
use aex_kit::Call;
use aex_proto::aex::settlement::v1::{CheckFundsRequest, settlement_service_client::SettlementServiceClient};
use aex_types::{Money, TenantId};
use tonic::Status;
use tonic_types::StatusExt as _;

use crate::{App, Error};

impl App {
    /// Could a tenant pay an amount now? The hold at the award decides; this tells it early.
    pub(crate) async fn can_afford(&self, call: &Call, tenant: TenantId, amount: Money) -> Result<(), Error> {
        let request = CheckFundsRequest {
            tenant_id: tenant.to_string(),
            amount: Some(wire::money(&amount)),
        };
        let answer = SettlementServiceClient::new(self.settlement.on(call))
            .check_funds(request)
            .await
            .map_err(|status| refused(status, amount))?
            .into_inner();
        if answer.sufficient {
            return Ok(());
        }
        let available = answer.available.as_ref().and_then(wire::read_money);
        Err(Error::InsufficientFunds {
            needed: amount,
            available: available.map_or_else(|| "nothing".to_owned(), |money| money.to_string()),
        })
    }
}

fn refused(status: Status, amount: Money) -> Error {
    let details = status.get_error_details();
    if details
        .error_info()
        .is_some_and(|info| info.reason == "CURRENCY_UNSUPPORTED")
    {
        let description = format!("{} is not traded here", amount.currency);
        return Invalid::field("max_price.currency_code", description).into();
    }
    Unanswered::by("settlement", status).into()
}
