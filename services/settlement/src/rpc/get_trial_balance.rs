//! Answers the sum of every kind of account, by currency.

use std::collections::BTreeMap;

use aex_error::Check;
use aex_kit::Call;
use aex_proto::aex::settlement::v1::{AccountTotal, GetTrialBalanceRequest, GetTrialBalanceResponse};
use rust_decimal::Decimal;

use crate::{
    App, Error,
    store::accounts::{self, Sum},
};

pub(super) async fn get_trial_balance(
    app: &App,
    mut call: Call,
    request: GetTrialBalanceRequest,
) -> Result<GetTrialBalanceResponse, Error> {
    let mut check = Check::of(&request);
    let currency = check.maybe("currency_code", &request.currency_code);
    let currency = check.finish(|| currency)?;

    app.store
        .read(&mut call, async |tx| {
            let sums = accounts::sums(tx, currency).await?;
            Ok(GetTrialBalanceResponse {
                balanced: is_balanced(&sums),
                totals: sums.into_iter().map(total).collect(),
            })
        })
        .await
}

fn is_balanced(sums: &[Sum]) -> bool {
    let mut differences: BTreeMap<&str, Decimal> = BTreeMap::new();
    for sum in sums {
        *differences.entry(&sum.currency).or_default() += sum.debits.decimal() - sum.credits.decimal();
    }
    differences.values().all(Decimal::is_zero)
}

fn total(sum: Sum) -> AccountTotal {
    AccountTotal {
        account: format!("{} {}", sum.code.number(), sum.code),
        currency_code: sum.currency,
        debit_total: sum.debits.to_string(),
        credit_total: sum.credits.to_string(),
    }
}
