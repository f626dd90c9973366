//! `aex balance`, `aex deposit` and `aex statement`.

use clap::Args;
use serde_json::{Value, json};

use super::{Ask, change, query};

const SETTLEMENT: &str = "aex.settlement.v1.SettlementService";

/// An amount of one currency.
#[derive(Debug, Args)]
pub(crate) struct Price {
    /// How much, for example 5.25.
    #[arg(allow_negative_numbers = true)]
    amount: String,
    /// Of which currency.
    #[arg(long, default_value = "USD")]
    currency: String,
}

impl Price {
    pub(crate) fn json(&self) -> Value {
        json!({"currency_code": self.currency, "amount": self.amount})
    }
}

/// Your money.
pub(crate) fn balance(currency: &str) -> Ask {
    query(SETTLEMENT, "GetBalance", json!({"currency_code": currency})).rows(&[
        "currency_code",
        "available",
        "escrow",
        "pending",
        "receivable",
        "as_of_time",
    ])
}

/// Brings money in.
pub(crate) fn deposit(price: &Price, rail: &str) -> Ask {
    change(
        SETTLEMENT,
        "RequestDeposit",
        json!({"amount": price.json(), "rail": rail}),
    )
}

/// What moved your money.
pub(crate) fn statement(currency: &str, contract: &str) -> Ask {
    query(
        SETTLEMENT,
        "ListStatementLines",
        json!({"currency_code": currency, "contract_id": contract}),
    )
    .rows(&[
        "post_time",
        "kind",
        "direction",
        "amount",
        "account",
        "balance_after",
        "contract_id",
    ])
}
