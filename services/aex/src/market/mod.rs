//! The commands of those who trade: each is one method of the contracts.

use std::{fs, path::PathBuf, sync::Arc};

use aex_error::wire;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use clap::{Args, Subcommand};
use http::Uri;
use hyper_util::rt::TokioIo;
use serde_json::{Map, Value, json};
use tokio_rustls::{
    TlsConnector,
    rustls::{
        ClientConfig, RootCertStore,
        crypto::aws_lc_rs,
        pki_types::{CertificateDer, ServerName, pem::PemObject as _},
    },
};
use tonic::transport::Endpoint;
use tower::{ServiceExt as _, util::BoxCloneSyncService};

use crate::{
    calls::{self, Caller},
    home,
    problem::Problem,
    show,
};

/// Where the exchange is and who calls.
#[derive(Debug, Args)]
pub(crate) struct Door {
    /// The edge, for example http://127.0.0.1:8080.
    #[arg(
        long,
        env = "AEX_SERVER",
        default_value = "http://127.0.0.1:8080",
        global = true
    )]
    server: String,
    /// Certificates that an https edge is trusted by, as PEM.
    #[arg(long, env = "AEX_CA_FILE", value_name = "FILE", global = true)]
    ca_file: Option<PathBuf>,
    /// A file that holds the API key; without it AEX_API_KEY is read.
    #[arg(long, value_name = "FILE", global = true)]
    key_file: Option<PathBuf>,
    #[arg(
        env = "AEX_API_KEY",
        hide = true,
        hide_env_values = true,
        long = "api-key-from-environment-only"
    )]
    api_key: Option<String>,
    /// Prints JSON.
    #[arg(long, global = true)]
    json: bool,
    /// More fields of the request, as JSON with the names of the contract.
    #[arg(long, value_name = "JSON", global = true)]
    request: Option<String>,
    /// Makes a change repeatable: the same key answers the same reply.
    #[arg(long, value_name = "KEY", global = true)]
    idempotency_key: Option<String>,
    /// Continues a list.
    #[arg(long, value_name = "TOKEN", global = true)]
    page_token: Option<String>,
}

/// An amount of one currency.
#[derive(Debug, Args)]
pub(crate) struct Price {
    /// How much, for example 5.25.
    amount: String,
    /// Of which currency.
    #[arg(long, default_value = "USD")]
    currency: String,
}

impl Price {
    fn json(&self) -> Value {
        json!({"currency_code": self.currency, "amount": self.amount})
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Work {
    /// Publishes work for providers to bid on.
    Publish {
        /// What kind of work, for example vision.classification.
        #[arg(long)]
        category: String,
        /// What is to be done.
        #[arg(long)]
        description: String,
        /// The most that it may cost.
        #[command(flatten)]
        price: Price,
        /// How long bids are taken, in seconds.
        #[arg(long)]
        window: Option<u32>,
        /// Awards the best bid by itself.
        #[arg(long)]
        auto_award: bool,
        /// What the awarded provider works on.
        #[arg(long, value_name = "FILE")]
        payload: Option<PathBuf>,
        /// What the payload is.
        #[arg(long, default_value = "application/octet-stream")]
        payload_type: String,
    },
    /// Shows one work.
    Get { work_id: String },
    /// Lists your works.
    List,
    /// Takes a work back.
    Cancel { work_id: String },
    /// Follows a work until it ends.
    Watch { work_id: String },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Bid {
    /// Bids on a work.
    Submit {
        work_id: String,
        #[command(flatten)]
        price: Price,
        /// How sure of success, from 0 to 1.
        #[arg(long, default_value_t = 0.8)]
        confidence: f64,
        /// How it will be done.
        #[arg(long, default_value = "")]
        approach: String,
        /// Where the consumer's agent reaches yours.
        #[arg(long)]
        endpoint: String,
        /// Which of your providers bids; a key that is bound to one implies it.
        #[arg(long, default_value = "")]
        provider: String,
        /// For how many seconds the bid stands.
        #[arg(long, default_value_t = 3600)]
        valid_for: u64,
    },
    /// Lists bids that you may see.
    List {
        #[arg(long, default_value = "")]
        work: String,
    },
    /// Takes a bid back.
    Withdraw { bid_id: String },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Contract {
    /// Awards a work to a ranked bid.
    Award { work_id: String, bid_id: String },
    /// Says that the provider has begun.
    Start { contract_id: String },
    /// Delivers.
    Complete {
        contract_id: String,
        /// Says that it did not succeed.
        #[arg(long)]
        failed: bool,
        /// In a few words.
        #[arg(long, default_value = "")]
        summary: String,
        /// What was made.
        #[arg(long, value_name = "FILE")]
        result: Option<PathBuf>,
        /// What the result is.
        #[arg(long, default_value = "application/octet-stream")]
        result_type: String,
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

#[derive(Debug, Subcommand)]
pub(crate) enum Provider {
    /// Registers a provider of yours.
    Register {
        name: String,
        /// Where its agents are reached.
        #[arg(long)]
        endpoint: String,
        /// What it can do, for example vision.classification; may be given again.
        #[arg(long = "capability")]
        capabilities: Vec<String>,
    },
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
    /// Follows new work that a provider subscribed to.
    Watch {
        #[arg(default_value = "")]
        provider_id: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Events {
    /// Follows what happens, from now or from a sequence number on.
    Tail {
        /// Begins after this one; without it, with the first.
        #[arg(long, default_value_t = 0)]
        after: u64,
    },
    /// Lists what happened.
    List {
        /// Only of this thing, by its id.
        #[arg(long)]
        about: Option<String>,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Trust {
    /// Shows a provider's score and tier.
    Get { provider_id: String },
    /// Tells how the score comes about and what the next tier needs.
    Explain { provider_id: String },
}

/// One question to the exchange.
pub(crate) struct Ask {
    pub(crate) method: &'static str,
    pub(crate) body: Value,
    pub(crate) columns: &'static [&'static str],
    pub(crate) kind: Kind,
}

/// What a command does to the exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Nothing.
    Query,
    /// Changes something, under an idempotency key.
    Change,
    /// Stays and listens.
    Watch,
}

const fn ask(kind: Kind, method: &'static str, body: Value) -> Ask {
    Ask {
        method,
        body,
        columns: &[],
        kind,
    }
}

impl Ask {
    fn rows(mut self, columns: &'static [&'static str]) -> Self {
        self.columns = columns;
        self
    }

    /// Asks, and prints what is answered.
    pub(crate) async fn put(mut self, door: &Door) -> Result<(), Problem> {
        self.complete(door)?;
        let caller = door.caller()?;
        if self.kind == Kind::Watch {
            let shown = |value: Value| show::line(&told(value));
            return Ok(caller.watch(self.method, self.body, shown).await?);
        }
        let answer = told(caller.unary(self.method, self.body).await?);
        if door.json {
            show::pretty(&answer)
        } else {
            show::answer(&answer, self.columns)
        }
    }

    fn complete(&mut self, door: &Door) -> Result<(), Problem> {
        let Some(fields) = self.body.as_object_mut() else {
            return Ok(());
        };
        if self.kind == Kind::Change {
            let key = door.idempotency_key.clone().unwrap_or_else(|| {
                let id: aex_types::Id<aex_types::id::kind::Event> = aex_kit::Runtime::system().id();
                format!("cli-{id}")
            });
            fields.insert("idempotency_key".to_owned(), key.into());
        }
        if let Some(token) = &door.page_token {
            fields.insert("page_token".to_owned(), token.clone().into());
        }
        if let Some(more) = &door.request {
            let more: Map<String, Value> = serde_json::from_str(more)
                .map_err(|error| Problem::new(format!("--request is no JSON object: {error}")))?;
            fields.extend(more);
        }
        Ok(())
    }
}

/// Events travel as bytes; people read them decoded.
fn told(mut answer: Value) -> Value {
    for stored in answer
        .get_mut("events")
        .and_then(Value::as_array_mut)
        .into_iter()
        .flatten()
    {
        if let Some(event) = event(stored) {
            *stored = event;
        }
    }
    answer
}

fn event(stored: &Value) -> Option<Value> {
    let bytes = STANDARD.decode(stored.get("event")?.as_str()?).ok()?;
    let mut event = calls::decoded("aex.common.v1.Event", &bytes)?;
    let payload = STANDARD.decode(event.get("payload")?.as_str()?).ok()?;
    let payload = calls::decoded(event.get("payload_type")?.as_str()?, &payload);
    let fields = event.as_object_mut()?;
    fields.insert("sequence".to_owned(), stored.get("sequence")?.clone());
    if let Some(payload) = payload {
        fields.insert("payload".to_owned(), payload);
    }
    Some(event)
}

impl Door {
    fn caller(&self) -> Result<Caller, Problem> {
        let key = match &self.key_file {
            Some(path) => Some(
                fs::read_to_string(path)
                    .map_err(|error| Problem::new(format!("{}: {error}", path.display())))?,
            ),
            None => self.api_key.clone(),
        };
        let authorization = key
            .map(|key| format!("Bearer {}", key.trim()).parse())
            .transpose()
            .map_err(|_| Problem::new("the API key holds characters that no key has"))?;
        let unusable = || {
            Problem::new(format!(
                "{} is no address such as http://127.0.0.1:8080",
                self.server
            ))
        };
        let uri: Uri = self.server.parse().map_err(|_| unusable())?;
        let host = uri.host().ok_or_else(unusable)?;
        let channel = match uri.scheme_str() {
            Some("http") => Endpoint::from(uri).connect_lazy(),
            Some("https") => {
                let name = ServerName::try_from(host.to_owned()).map_err(|_| unusable())?;
                let address = format!("{host}:{}", uri.port_u16().unwrap_or(443));
                let connector = self.tls()?;
                let plain = self.server.replacen("https", "http", 1);
                let connect = tower::service_fn(move |_: Uri| {
                    let (connector, name, address) = (connector.clone(), name.clone(), address.clone());
                    async move {
                        #[expect(
                            clippy::disallowed_methods,
                            reason = "a client of the public edge has no mesh to go through"
                        )]
                        let socket = tokio::net::TcpStream::connect(&address).await?;
                        std::io::Result::Ok(TokioIo::new(connector.connect(name, socket).await?))
                    }
                });
                Endpoint::from_shared(plain)?.connect_with_connector_lazy(connect)
            }
            _ => return Err(unusable()),
        };
        Ok(Caller {
            wire: BoxCloneSyncService::new(
                channel.map_err(|error| tonic::Status::from_error(Box::new(error))),
            ),
            authorization,
            place: self.server.clone(),
        })
    }

    fn tls(&self) -> Result<TlsConnector, Problem> {
        let path = self.ca_file.as_ref().ok_or_else(|| {
            Problem::new("an https edge needs --ca-file: the certificates that it is trusted by")
        })?;
        let pem = fs::read(path).map_err(|error| Problem::new(format!("{}: {error}", path.display())))?;
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(&pem) {
            roots.add(certificate?)?;
        }
        let mut config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"h2".to_vec()];
        Ok(TlsConnector::from(Arc::new(config)))
    }
}

fn add(body: &mut Value, name: &str, value: impl Into<Value>) {
    if let Some(fields) = body.as_object_mut() {
        fields.insert(name.to_owned(), value.into());
    }
}

fn file(path: Option<&PathBuf>) -> Result<Option<String>, Problem> {
    path.map(|path| {
        fs::read(path)
            .map(|bytes| STANDARD.encode(bytes))
            .map_err(|error| Problem::new(format!("{}: {error}", path.display())))
    })
    .transpose()
}

impl Work {
    pub(crate) fn ask(&self) -> Result<Ask, Problem> {
        use Kind::{Change, Query, Watch};
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
                let mut body = json!({
                    "category": category, "description": description, "max_price": price.json(),
                    "auto_award": auto_award,
                });
                if let Some(seconds) = window {
                    add(&mut body, "bid_window", format!("{seconds}s"));
                }
                if let Some(bytes) = file(payload.as_ref())? {
                    add(&mut body, "payload", bytes);
                    add(&mut body, "payload_content_type", payload_type.clone());
                }
                ask(
                    Change,
                    "aex.work_publisher.v1.WorkPublisherService/PublishWork",
                    body,
                )
            }
            Self::Get { work_id } => ask(
                Query,
                "aex.work_publisher.v1.WorkPublisherService/GetWork",
                json!({"work_id": work_id}),
            ),
            Self::List => ask(
                Query,
                "aex.work_publisher.v1.WorkPublisherService/ListWorks",
                json!({}),
            )
            .rows(&[
                "work_id",
                "status",
                "category",
                "max_price",
                "bids_received",
                "create_time",
            ]),
            Self::Cancel { work_id } => ask(
                Change,
                "aex.work_publisher.v1.WorkPublisherService/CancelWork",
                json!({"work_id": work_id}),
            ),
            Self::Watch { work_id } => ask(
                Watch,
                "aex.work_publisher.v1.WorkPublisherService/WatchWork",
                json!({"work_id": work_id}),
            ),
        })
    }
}

impl Bid {
    pub(crate) fn ask(&self) -> Ask {
        use Kind::{Change, Query};
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
                    .saturating_add(std::time::Duration::from_secs(*valid_for));
                ask(
                    Change,
                    "aex.bid_gateway.v1.BidGatewayService/SubmitBid",
                    json!({
                        "work_id": work_id, "price": price.json(), "confidence": confidence,
                        "approach": approach, "endpoint": endpoint, "provider_id": provider,
                        "expire_time": wire::time(end).to_string(),
                    }),
                )
            }
            Self::List { work } => ask(
                Query,
                "aex.bid_gateway.v1.BidGatewayService/ListBids",
                json!({"work_id": work}),
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
            Self::Withdraw { bid_id } => ask(
                Change,
                "aex.bid_gateway.v1.BidGatewayService/WithdrawBid",
                json!({"bid_id": bid_id}),
            ),
        }
    }
}

impl Contract {
    pub(crate) fn ask(&self) -> Result<Ask, Problem> {
        use Kind::{Change, Query, Watch};
        let one = |kind, method, contract_id: &String| ask(kind, method, json!({"contract_id": contract_id}));
        Ok(match self {
            Self::Award { work_id, bid_id } => ask(
                Change,
                "aex.contract_engine.v1.ContractEngineService/AwardContract",
                json!({"work_id": work_id, "bid_id": bid_id}),
            ),
            Self::Start { contract_id } => one(
                Change,
                "aex.contract_engine.v1.ContractEngineService/StartContract",
                contract_id,
            ),
            Self::Complete {
                contract_id,
                failed,
                summary,
                result,
                result_type,
            } => {
                let mut body = json!({"contract_id": contract_id, "success": !failed, "summary": summary});
                if let Some(bytes) = file(result.as_ref())? {
                    add(&mut body, "result", bytes);
                    add(&mut body, "result_content_type", result_type.clone());
                }
                ask(
                    Change,
                    "aex.contract_engine.v1.ContractEngineService/CompleteContract",
                    body,
                )
            }
            Self::Accept { contract_id } => one(
                Change,
                "aex.contract_engine.v1.ContractEngineService/AcceptContract",
                contract_id,
            ),
            Self::Reject { contract_id, reason } => ask(
                Change,
                "aex.contract_engine.v1.ContractEngineService/RejectContract",
                json!({"contract_id": contract_id, "reason": reason}),
            ),
            Self::Fail { contract_id, reason } => ask(
                Change,
                "aex.contract_engine.v1.ContractEngineService/FailContract",
                json!({"contract_id": contract_id, "reason": reason}),
            ),
            Self::Get { contract_id } => one(
                Query,
                "aex.contract_engine.v1.ContractEngineService/GetContract",
                contract_id,
            ),
            Self::List => ask(
                Query,
                "aex.contract_engine.v1.ContractEngineService/ListContracts",
                json!({}),
            )
            .rows(&["contract_id", "work_id", "status", "price", "create_time"]),
            Self::Watch {
                contract_id: Some(contract_id),
            } => one(
                Watch,
                "aex.contract_engine.v1.ContractEngineService/WatchContract",
                contract_id,
            ),
            Self::Watch { contract_id: None } => ask(
                Watch,
                "aex.contract_engine.v1.ContractEngineService/WatchContracts",
                json!({}),
            ),
        })
    }
}

impl Provider {
    pub(crate) fn ask(&self) -> Ask {
        use Kind::{Change, Query, Watch};
        const COLUMNS: &[&str] = &["provider_id", "display_name", "status", "capabilities"];
        match self {
            Self::Register {
                name,
                endpoint,
                capabilities,
            } => ask(
                Change,
                "aex.provider_registry.v1.ProviderRegistryService/RegisterProvider",
                json!({"display_name": name, "endpoint": endpoint, "capabilities": capabilities}),
            ),
            Self::Get { provider_id } => ask(
                Query,
                "aex.provider_registry.v1.ProviderRegistryService/GetProvider",
                json!({"provider_id": provider_id}),
            ),
            Self::List => ask(
                Query,
                "aex.provider_registry.v1.ProviderRegistryService/ListProviders",
                json!({}),
            )
            .rows(COLUMNS),
            Self::Search { category } => ask(
                Query,
                "aex.provider_registry.v1.ProviderRegistryService/SearchProviders",
                json!({"category": category}),
            )
            .rows(COLUMNS),
            Self::Subscribe {
                provider_id,
                categories,
            } => ask(
                Change,
                "aex.provider_registry.v1.ProviderRegistryService/CreateSubscription",
                json!({"provider_id": provider_id, "categories": categories}),
            ),
            Self::Watch { provider_id } => ask(
                Watch,
                "aex.provider_registry.v1.ProviderRegistryService/WatchOpportunities",
                json!({"provider_id": provider_id}),
            ),
        }
    }
}

impl Events {
    pub(crate) fn ask(&self) -> Ask {
        match self {
            Self::Tail { after } => ask(
                Kind::Watch,
                "aex.event_ledger.v1.EventLedgerService/TailEvents",
                json!({"after_sequence": after}),
            ),
            Self::List { about } => ask(
                Kind::Query,
                "aex.event_ledger.v1.EventLedgerService/ListEvents",
                json!({"filter": {"aggregate_id": about.clone().unwrap_or_default()}}),
            )
            .rows(&["sequence", "occur_time", "type", "aggregate_id", "producer"]),
        }
    }
}

impl Trust {
    pub(crate) fn ask(&self) -> Ask {
        match self {
            Self::Get { provider_id } => ask(
                Kind::Query,
                "aex.trust_broker.v1.TrustBrokerService/GetTrust",
                json!({"provider_id": provider_id}),
            ),
            Self::Explain { provider_id } => ask(
                Kind::Query,
                "aex.trust_broker.v1.TrustBrokerService/ExplainTrust",
                json!({"provider_id": provider_id}),
            )
            .rows(&["name", "value", "formula"]),
        }
    }
}

/// Your money.
pub(crate) fn balance(currency: &str) -> Ask {
    ask(
        Kind::Query,
        "aex.settlement.v1.SettlementService/GetBalance",
        json!({"currency_code": currency}),
    )
}

/// Brings money in.
pub(crate) fn deposit(price: &Price, rail: &str) -> Ask {
    ask(
        Kind::Change,
        "aex.settlement.v1.SettlementService/RequestDeposit",
        json!({"amount": price.json(), "rail": rail}),
    )
}
