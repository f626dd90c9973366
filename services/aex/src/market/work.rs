//! `aex work`.

use std::path::PathBuf;

use clap::Subcommand;
use serde_json::json;

use super::{Ask, Price, change, content, query, watch};
use crate::problem::Problem;

const PUBLISHER: &str = "aex.work_publisher.v1.WorkPublisherService";
const EVALUATOR: &str = "aex.bid_evaluator.v1.BidEvaluatorService";

#[derive(Debug, Subcommand)]
pub(crate) enum Work {
    /// Publishes work for providers to bid on.
    Publish {
        /// What kind of work, for example vision.classification; at most 64 bytes.
        #[arg(long)]
        category: String,
        /// What is to be done, at most 4,000 bytes.
        #[arg(long)]
        description: String,
        /// The most that it may cost.
        #[command(flatten)]
        price: Price,
        /// How long bids are taken, 5 to 300 seconds; without it, 30.
        #[arg(long, value_name = "SECONDS", allow_negative_numbers = true)]
        window: Option<i64>,
        /// Awards the best bid by itself.
        #[arg(long)]
        auto_award: bool,
        /// What the awarded provider works on, at most 4 MiB; up to 10 MiB may be kept elsewhere, and `--request` tells where:
        /// `payload_location`, with `payload_sha256` and `payload_size_bytes`.
        #[arg(long, value_name = "FILE")]
        payload: Option<PathBuf>,
        /// What the payload is: its media type.
        #[arg(long, default_value = "application/octet-stream")]
        payload_type: String,
    },
    /// Shows one work.
    Get { work_id: String },
    /// Lists your works.
    List,
    /// Shows how the bids on a work of yours were ranked.
    Ranking { work_id: String },
    /// Tells why a bid has the rank that it has.
    Explain { work_id: String, bid_id: String },
    /// Takes a work back.
    Cancel { work_id: String },
    /// Follows a work until it ends.
    Watch { work_id: String },
}

impl Work {
    pub(crate) fn ask(&self) -> Result<Ask, Problem> {
        Ok(match self {
            Self::Publish {
                category,
                description,
                price,
                window,
                auto_award,
                payload,
                payload_type,
            } => {
                let body = json!({
                    "category": category, "description": description, "max_price": price.json(),
                    "auto_award": auto_award,
                });
                change(PUBLISHER, "PublishWork", body)
                    .with("bid_window", window.map(|seconds| format!("{seconds}s")))
                    .with("payload", content("--payload", payload.as_deref())?)
                    .with(
                        "payload_content_type",
                        payload.as_ref().map(|_| payload_type.clone()),
                    )
            }
            Self::Get { work_id } => query(PUBLISHER, "GetWork", json!({"work_id": work_id})),
            Self::List => query(PUBLISHER, "ListWorks", json!({})).rows(&[
                "work_id",
                "status",
                "category",
                "max_price",
                "bids_received",
                "create_time",
            ]),
            Self::Ranking { work_id } => {
                query(EVALUATOR, "GetEvaluation", json!({"work_id": work_id})).rows(&[
                    "rank",
                    "bid_id",
                    "provider_id",
                    "price",
                    "total_score",
                    "trust_score",
                    "tier",
                    "reason",
                ])
            }
            Self::Explain { work_id, bid_id } => query(
                EVALUATOR,
                "ExplainBid",
                json!({"work_id": work_id, "bid_id": bid_id}),
            )
            .rows(&[
                "name",
                "value",
                "weight",
                "contribution",
                "behind_winner",
                "formula",
            ]),
            Self::Cancel { work_id } => change(PUBLISHER, "CancelWork", json!({"work_id": work_id})),
            Self::Watch { work_id } => watch(PUBLISHER, "WatchWork", json!({"work_id": work_id})),
        })
    }
}
