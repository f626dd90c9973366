//! `aex bid`.

use std::time::Duration;

use aex_error::wire;
use clap::Subcommand;
use serde_json::json;

use super::{Ask, Price, change, query};
use crate::home;

const GATEWAY: &str = "aex.bid_gateway.v1.BidGatewayService";

#[derive(Debug, Subcommand)]
pub(crate) enum Bid {
    /// Bids on a work.
    Submit {
        work_id: String,
        #[command(flatten)]
        price: Price,
        /// How sure of success, from 0 to 1.
        #[arg(long, default_value_t = 0.8, value_parser = chance, allow_hyphen_values = true)]
        confidence: f64,
        /// How it will be done, at most 1 KiB.
        #[arg(long, default_value = "")]
        approach: String,
        /// Where the consumer's agent reaches yours, an http or https URL.
        #[arg(long)]
        endpoint: String,
        /// Which of your providers bids; a key that is bound to one implies it.
        #[arg(long, default_value = "")]
        provider: String,
        /// For how many seconds the bid stands, 1 or more.
        #[arg(
            long,
            default_value_t = 3600,
            value_parser = clap::value_parser!(u32).range(1..),
            allow_negative_numbers = true
        )]
        valid_for: u32,
    },
    /// Shows one bid.
    Get { bid_id: String },
    /// Lists the live bids on a work of yours, or the bids of a provider of yours: one of the two is needed.
    List {
        /// The live bids on this work of yours.
        #[arg(long, value_name = "WORK", conflicts_with = "provider")]
        work: Option<String>,
        /// The bids of this provider of yours.
        #[arg(long, value_name = "PROVIDER")]
        provider: Option<String>,
    },
    /// Takes a bid back.
    Withdraw { bid_id: String },
}

/// JSON has no word for a number that is none, and would leave the field out.
fn chance(text: &str) -> Result<f64, &'static str> {
    match text.parse::<f64>() {
        Ok(chance) if (0.0..=1.0).contains(&chance) => Ok(chance),
        _ => Err("must be a number from 0 to 1"),
    }
}

impl Bid {
    pub(crate) fn ask(&self) -> Ask {
        match self {
            Self::Submit {
                work_id,
                price,
                confidence,
                approach,
                endpoint,
                provider,
                valid_for,
            } => {
                let end = home::clock()
                    .now()
                    .saturating_add(Duration::from_secs((*valid_for).into()));
                change(
                    GATEWAY,
                    "SubmitBid",
                    json!({
                        "work_id": work_id, "price": price.json(), "confidence": confidence,
                        "approach": approach, "endpoint": endpoint, "provider_id": provider,
                        "expire_time": wire::time(end).to_string(),
                    }),
                )
            }
            Self::Get { bid_id } => query(GATEWAY, "GetBid", json!({"bid_id": bid_id})),
            Self::List { work, provider } => query(GATEWAY, "ListBids", json!({}))
                .with("work_id", work.clone())
                .with("provider_id", provider.clone())
                .one_of(
                    &["work_id", "provider_id"],
                    "--work WORK for the live bids on a work of yours, or --provider PROVIDER for the bids of a provider \
                     of yours",
                )
                .rows(&[
                    "bid_id",
                    "work_id",
                    "status",
                    "price",
                    "confidence",
                    "revision",
                    "receive_time",
                ]),
            Self::Withdraw { bid_id } => change(GATEWAY, "WithdrawBid", json!({"bid_id": bid_id})),
        }
    }
}
