//! `aex contract`.

use std::path::PathBuf;

use clap::Subcommand;
use serde_json::{Value, json};

use super::{Ask, change, content, query, watch};
use crate::problem::Problem;

const ENGINE: &str = "aex.contract_engine.v1.ContractEngineService";

#[derive(Debug, Subcommand)]
pub(crate) enum Contract {
    /// Awards a work to a ranked bid.
    Award { work_id: String, bid_id: String },
    /// Says that the provider has begun.
    Start { contract_id: String },
    /// Shows what the provider works on.
    Payload {
        contract_id: String,
        /// Writes the content to this file, `-` for standard output; without it, it is shown as base64.
        #[arg(long, value_name = "FILE", alias = "to")]
        out: Option<PathBuf>,
    },
    /// Says how far the provider is.
    Progress {
        contract_id: String,
        /// From 0 to 100.
        #[arg(allow_negative_numbers = true)]
        percent: u32,
        /// In a few words, at most 500 bytes.
        #[arg(long, default_value = "")]
        message: String,
    },
    /// Delivers.
    Complete {
        contract_id: String,
        /// Says that it did not succeed.
        #[arg(long)]
        failed: bool,
        /// In a few words, at most 1,000 bytes.
        #[arg(long, default_value = "")]
        summary: String,
        /// What was made, at most 4 MiB; up to 10 MiB may be kept elsewhere, and `--request` tells where: `result_location`,
        /// with `result_sha256` and `result_size_bytes`.
        #[arg(long, value_name = "FILE")]
        result: Option<PathBuf>,
        /// What the result is: its media type.
        #[arg(long, default_value = "application/octet-stream")]
        result_type: String,
    },
    /// Shows what was delivered.
    Result {
        contract_id: String,
        /// Writes the content to this file, `-` for standard output; without it, it is shown as base64.
        #[arg(long, value_name = "FILE", alias = "to")]
        out: Option<PathBuf>,
    },
    /// Accepts what was delivered: the provider is paid.
    Accept { contract_id: String },
    /// Rejects what was delivered.
    Reject { contract_id: String, reason: String },
    /// Gives a contract up.
    Fail { contract_id: String, reason: String },
    /// Shows one contract.
    Get { contract_id: String },
    /// Lists your contracts.
    List,
    /// Follows one contract until it ends, or all of yours.
    Watch { contract_id: Option<String> },
}

impl Contract {
    pub(crate) fn ask(&self) -> Result<Ask, Problem> {
        let one = |contract_id: &String| json!({"contract_id": contract_id});
        let ended = |contract_id: &String, reason: &String| -> Value {
            json!({"contract_id": contract_id, "reason": reason})
        };
        Ok(match self {
            Self::Award { work_id, bid_id } => change(
                ENGINE,
                "AwardContract",
                json!({"work_id": work_id, "bid_id": bid_id}),
            ),
            Self::Start { contract_id } => change(ENGINE, "StartContract", one(contract_id)),
            Self::Payload { contract_id, out } => {
                query(ENGINE, "GetContractPayload", one(contract_id)).kept("payload", out.clone())
            }
            Self::Progress {
                contract_id,
                percent,
                message,
            } => change(
                ENGINE,
                "ReportProgress",
                json!({"contract_id": contract_id, "percent": percent, "message": message}),
            ),
            Self::Complete {
                contract_id,
                failed,
                summary,
                result,
                result_type,
            } => change(
                ENGINE,
                "CompleteContract",
                json!({"contract_id": contract_id, "success": !failed, "summary": summary}),
            )
            .with("result", content("--result", result.as_deref())?)
            .with(
                "result_content_type",
                result.as_ref().map(|_| result_type.clone()),
            ),
            Self::Result { contract_id, out } => {
                query(ENGINE, "GetContractResult", one(contract_id)).kept("result", out.clone())
            }
            Self::Accept { contract_id } => change(ENGINE, "AcceptContract", one(contract_id)),
            Self::Reject { contract_id, reason } => {
                change(ENGINE, "RejectContract", ended(contract_id, reason))
            }
            Self::Fail { contract_id, reason } => change(ENGINE, "FailContract", ended(contract_id, reason)),
            Self::Get { contract_id } => query(ENGINE, "GetContract", one(contract_id)),
            Self::List => query(ENGINE, "ListContracts", json!({})).rows(&[
                "contract_id",
                "work_id",
                "status",
                "price",
                "create_time",
            ]),
            Self::Watch {
                contract_id: Some(contract_id),
            } => watch(ENGINE, "WatchContract", one(contract_id)),
            Self::Watch { contract_id: None } => watch(ENGINE, "WatchContracts", json!({})),
        })
    }
}
