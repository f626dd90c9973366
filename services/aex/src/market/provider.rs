//! `aex provider`: providers, their agents, and what work they want to hear of.

use std::{
    fs,
    path::{Path, PathBuf},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use clap::Subcommand;
use ed25519_dalek::{Signer as _, SigningKey, pkcs8::DecodePrivateKey as _};
use serde_json::{Map, Value, json};

use super::{Ask, change, query, unread, watch};
use crate::problem::Problem;

const REGISTRY: &str = "aex.provider_registry.v1.ProviderRegistryService";
const COLUMNS: &[&str] = &["provider_id", "display_name", "status", "capabilities"];

#[derive(Debug, Subcommand)]
pub(crate) enum Provider {
    /// Registers a provider of yours.
    Register {
        name: String,
        /// Where its agents are reached.
        #[arg(long)]
        endpoint: String,
        /// What it offers, in words.
        #[arg(long, default_value = "")]
        description: String,
        /// What it can do, for example vision.classification; may be given again.
        #[arg(long = "capability")]
        capabilities: Vec<String>,
    },
    /// Changes what a provider says of itself: only what is given.
    Update {
        provider_id: String,
        #[arg(long)]
        name: Option<String>,
        #[arg(long)]
        description: Option<String>,
        #[arg(long)]
        endpoint: Option<String>,
        /// What it can do from now on; may be given again.
        #[arg(long = "capability")]
        capabilities: Vec<String>,
    },
    /// Takes a provider out of business for now.
    Deactivate { provider_id: String },
    /// Brings a deactivated provider back.
    Activate { provider_id: String },
    /// Shows one provider.
    Get { provider_id: String },
    /// Lists your providers.
    List,
    /// Finds providers of a category.
    Search { category: String },
    /// Subscribes a provider to categories of work; `*` stands for one word.
    Subscribe {
        provider_id: String,
        #[arg(required = true)]
        categories: Vec<String>,
    },
    /// Lists what a provider is subscribed to.
    Subscriptions { provider_id: String },
    /// Ends a subscription.
    Unsubscribe { subscription_id: String },
    /// Registers an agent of a provider by its key.
    AddAgent {
        provider_id: String,
        name: String,
        /// Its Ed25519 private key, as PEM: `openssl genpkey -algorithm ed25519`. The key stays here; it signs the proof.
        #[arg(long, value_name = "FILE")]
        agent_key: PathBuf,
    },
    /// Lists a provider's agents.
    Agents { provider_id: String },
    /// Retires an agent for good.
    RetireAgent { agent_id: String },
    /// Follows new work that a provider subscribed to.
    Watch {
        #[arg(default_value = "")]
        provider_id: String,
    },
}

impl Provider {
    pub(crate) fn ask(&self) -> Result<Ask, Problem> {
        let one = |provider_id: &String| json!({"provider_id": provider_id});
        Ok(match self {
            Self::Register {
                name,
                endpoint,
                description,
                capabilities,
            } => change(
                REGISTRY,
                "RegisterProvider",
                json!({
                    "display_name": name, "endpoint": endpoint, "description": description,
                    "capabilities": capabilities,
                }),
            ),
            Self::Update {
                provider_id,
                name,
                description,
                endpoint,
                capabilities,
            } => {
                let capabilities = (!capabilities.is_empty()).then_some(capabilities);
                update(
                    provider_id,
                    [
                        ("display_name", name.as_ref().map(|text| json!(text))),
                        ("description", description.as_ref().map(|text| json!(text))),
                        ("endpoint", endpoint.as_ref().map(|text| json!(text))),
                        ("capabilities", capabilities.map(|list| json!(list))),
                    ],
                )?
            }
            Self::Deactivate { provider_id } => change(REGISTRY, "DeactivateProvider", one(provider_id)),
            Self::Activate { provider_id } => change(REGISTRY, "ActivateProvider", one(provider_id)),
            Self::Get { provider_id } => query(REGISTRY, "GetProvider", one(provider_id)),
            Self::List => query(REGISTRY, "ListProviders", json!({})).rows(COLUMNS),
            Self::Search { category } => {
                query(REGISTRY, "SearchProviders", json!({"category": category})).rows(COLUMNS)
            }
            Self::Subscribe {
                provider_id,
                categories,
            } => change(
                REGISTRY,
                "CreateSubscription",
                json!({"provider_id": provider_id, "categories": categories}),
            ),
            Self::Subscriptions { provider_id } => query(REGISTRY, "ListSubscriptions", one(provider_id))
                .rows(&["subscription_id", "status", "categories", "create_time"]),
            Self::Unsubscribe { subscription_id } => change(
                REGISTRY,
                "CancelSubscription",
                json!({"subscription_id": subscription_id}),
            ),
            Self::AddAgent {
                provider_id,
                name,
                agent_key,
            } => add_agent(provider_id, name, agent_key)?,
            Self::Agents { provider_id } => query(REGISTRY, "ListAgents", one(provider_id)).rows(&[
                "agent_id",
                "display_name",
                "status",
                "create_time",
            ]),
            Self::RetireAgent { agent_id } => change(REGISTRY, "RetireAgent", json!({"agent_id": agent_id})),
            Self::Watch { provider_id } => watch(REGISTRY, "WatchOpportunities", one(provider_id)),
        })
    }
}

/// Only the fields that were given, and a mask that says which they are.
fn update(provider_id: &str, fields: [(&'static str, Option<Value>); 4]) -> Result<Ask, Problem> {
    let given: Map<String, Value> = fields
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)))
        .collect();
    if given.is_empty() {
        return Err(Problem::usage(
            "nothing to change: give --name, --description, --endpoint or --capability",
        ));
    }
    let mask: Vec<_> = given.keys().map(|name| camel(name)).collect();
    let mut body = json!({"provider_id": provider_id, "update_mask": mask.join(",")});
    if let Some(fields) = body.as_object_mut() {
        fields.extend(given);
    }
    Ok(change(REGISTRY, "UpdateProvider", body))
}

/// Masks in JSON spell names without underscores.
fn camel(name: &str) -> String {
    let mut words = name.split('_');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |mut text, word| {
        let mut letters = word.chars();
        text.extend(letters.next().map(|letter| letter.to_ascii_uppercase()));
        text.push_str(letters.as_str());
        text
    })
}

fn add_agent(provider_id: &str, name: &str, file: &Path) -> Result<Ask, Problem> {
    let pem = fs::read_to_string(file).map_err(|error| unread("--agent-key", file, &error))?;
    let key = SigningKey::from_pkcs8_pem(&pem).map_err(|_| {
        Problem::usage(format!(
            "{} is no Ed25519 private key: make one with `openssl genpkey -algorithm ed25519 -out {0}`",
            file.display()
        ))
    })?;
    let proof = key.sign(&[b"aex-agent-v1\0", provider_id.as_bytes()].concat());
    Ok(change(
        REGISTRY,
        "RegisterAgent",
        json!({
            "provider_id": provider_id, "display_name": name,
            "public_key": STANDARD.encode(key.verifying_key().as_bytes()),
            "proof": STANDARD.encode(proof.to_bytes()),
        }),
    ))
}
