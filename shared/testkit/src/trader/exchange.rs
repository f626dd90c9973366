//! The exchange as traders see it, and what all traders have: a key, a connection, idempotency keys of their own.

use std::{
    fmt,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use aex_kit::{
    remote,
    tls::{Credentials, read_pem},
};
use aex_proto::aex::{
    bid_evaluator::v1::bid_evaluator_service_client::BidEvaluatorServiceClient,
    bid_gateway::v1::bid_gateway_service_client::BidGatewayServiceClient,
    common::v1::Money,
    contract_engine::v1::contract_engine_service_client::ContractEngineServiceClient,
    identity::v1::{
        CreateApiKeyRequest, CreateTenantRequest, TenantType, identity_service_client::IdentityServiceClient,
    },
    provider_registry::v1::provider_registry_service_client::ProviderRegistryServiceClient,
    settlement::v1::{
        Balance, GetBalanceRequest, GetSettlementRequest, GetTrialBalanceRequest, GetTrialBalanceResponse,
        Hold, ListStatementLinesRequest, StatementLine, settlement_service_client::SettlementServiceClient,
    },
    trust_broker::v1::trust_broker_service_client::TrustBrokerServiceClient,
    work_publisher::v1::work_publisher_service_client::WorkPublisherServiceClient,
};
use aex_types::Amount;
use tonic::{
    metadata::{Ascii, MetadataValue},
    service::interceptor::InterceptedService,
    transport::{Channel, Endpoint},
};

use super::{
    ask::{CALL_LIMIT, Envelope, Wire, ask, patiently},
    consumer::Consumer,
    provider::Provider,
};
use crate::Refused;

/// The most that a page of a list holds.
pub(super) const PAGE: i32 = 200;

type Operators = Arc<dyn Fn(&str) -> aex_kit::Wire + Send + Sync>;

/// A running exchange: where its edge is, and how its operators reach its services.
#[derive(Clone)]
pub struct Exchange {
    edge: String,
    operators: Operators,
}

impl fmt::Debug for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exchange")
            .field("edge", &self.edge)
            .finish_non_exhaustive()
    }
}

impl Exchange {
    /// The exchange whose edge is at a URL; `operators` answers an operator's way to the service of a name.
    pub fn new(edge: &str, operators: impl Fn(&str) -> aex_kit::Wire + Send + Sync + 'static) -> Self {
        Self {
            edge: edge.to_owned(),
            operators: Arc::new(operators),
        }
    }

    /// The exchange that `aex dev` runs on a data directory.
    pub fn of_home(data: &Path) -> Self {
        let note = std::fs::read(data.join("operator.json")).expect("an exchange runs on this directory");
        let note: serde_json::Value = serde_json::from_slice(&note).expect("the note is JSON");
        let text = |name: &str| note[name].as_str().expect("the note names its doors").to_owned();
        let secrets = data.join("secrets");
        let pem = read_pem(
            &secrets.join("ca.pem"),
            &secrets.join("operator.pem"),
            &secrets.join("operator.key"),
        )
        .expect("the operator's certificate is there");
        let credentials = Credentials::new(&pem).expect("it is usable");
        // One port serves the operator methods of all services, under the gateway's name.
        let operators = remote("gateway", &text("operator"), credentials).expect("a name of a host");
        Self::new(&text("edge"), move |_| operators.clone())
    }

    /// Where clients reach it.
    pub fn edge(&self) -> &str {
        &self.edge
    }

    /// An operator's way to a service.
    pub fn operator(&self, service: &str) -> aex_kit::Wire {
        (self.operators)(service)
    }

    /// A new tenant with a key that may do all that a tenant of its type may.
    pub async fn tenant(&self, name: &str, kind: TenantType) -> Trader {
        let keys = Keys::default();
        let identity = || IdentityServiceClient::new(self.operator("identity"));
        let request = CreateTenantRequest {
            idempotency_key: keys.next("tenant"),
            display_name: name.to_owned(),
            r#type: kind.into(),
            ..Default::default()
        };
        let made = patiently(|| {
            let (mut identity, request) = (identity(), request.clone());
            async move { identity.create_tenant(request).await }
        });
        let tenant_id = made
            .await
            .expect("an operator may make tenants")
            .tenant
            .unwrap_or_default()
            .tenant_id;
        let request = CreateApiKeyRequest {
            idempotency_key: keys.next("key"),
            tenant_id: tenant_id.clone(),
            display_name: name.to_owned(),
            scopes: vec!["*".to_owned()],
            ..Default::default()
        };
        let made = patiently(|| {
            let (mut identity, request) = (identity(), request.clone());
            async move { identity.create_api_key(request).await }
        });
        // A repeated call answers without the secret; such a key is of no use, and the first call will not fail here.
        let secret = made.await.expect("an operator may make keys").secret;
        assert!(!secret.is_empty(), "the answer with the secret was lost");
        Trader::new(&self.edge, &tenant_id, &secret)
    }

    /// A new tenant that buys.
    pub async fn consumer(&self, name: &str) -> Consumer {
        Consumer::of(self.tenant(name, TenantType::Requestor).await)
    }

    /// A new tenant that sells: its provider is registered, with one agent, and subscribed to a category.
    pub async fn provider(&self, name: &str, category: &str) -> Provider {
        Provider::register(self.tenant(name, TenantType::Provider).await, name, category).await
    }

    /// The sums of all accounts, as an operator sees them.
    pub async fn trial_balance(&self) -> GetTrialBalanceResponse {
        let asked = patiently(|| {
            let mut settlement = SettlementServiceClient::new(self.operator("settlement"));
            async move {
                settlement
                    .get_trial_balance(GetTrialBalanceRequest::default())
                    .await
            }
        });
        asked.await.expect("an operator may see the books")
    }
}

/// Idempotency keys that nobody else makes.
#[derive(Debug)]
struct Keys {
    owner: u64,
    made: AtomicU64,
}

impl Default for Keys {
    fn default() -> Self {
        Self {
            owner: rand::random(),
            made: AtomicU64::new(0),
        }
    }
}

impl Keys {
    fn next(&self, step: &str) -> String {
        let number = self.made.fetch_add(1, Ordering::Relaxed);
        format!("{step}-{:016x}-{number:06}", self.owner)
    }
}

/// One tenant, its key, and one connection to the edge. Clones share all three.
#[derive(Clone, Debug)]
pub struct Trader {
    /// The tenant.
    pub tenant_id: String,
    edge: Arc<str>,
    bearer: MetadataValue<Ascii>,
    channel: Channel,
    keys: Arc<Keys>,
}

macro_rules! clients {
    ($($(#[$doc:meta])* $name:ident: $client:ident;)*) => {
        impl Trader {
            $($(#[$doc])* pub fn $name(&self) -> $client<Wire> {
                $client::new(self.wire(Some(CALL_LIMIT)))
            })*
        }
    };
}

clients! {
    /// Providers, agents, subscriptions.
    registry: ProviderRegistryServiceClient;
    /// Work.
    works: WorkPublisherServiceClient;
    /// Bids.
    bids: BidGatewayServiceClient;
    /// Rankings.
    evaluations: BidEvaluatorServiceClient;
    /// Contracts.
    contracts: ContractEngineServiceClient;
    /// Money.
    money: SettlementServiceClient;
    /// Trust.
    trust: TrustBrokerServiceClient;
}

impl Trader {
    /// A tenant of the exchange at this edge, with a key that it has.
    pub fn new(edge: &str, tenant_id: &str, api_key: &str) -> Self {
        let mut bearer: MetadataValue<Ascii> = format!("Bearer {api_key}")
            .parse()
            .expect("a key is visible ASCII");
        bearer.set_sensitive(true);
        Self {
            tenant_id: tenant_id.to_owned(),
            channel: connect(edge),
            edge: edge.into(),
            bearer,
            keys: Arc::default(),
        }
    }

    /// The same tenant over a connection of its own: one connection carries 100 calls at a time.
    pub fn another_connection(&self) -> Self {
        Self {
            channel: connect(&self.edge),
            ..self.clone()
        }
    }

    /// The way of one client; watches have no limit.
    pub fn wire(&self, limit: Option<Duration>) -> Wire {
        let bearer = self.bearer.clone();
        InterceptedService::new(self.channel.clone(), Envelope { bearer, limit })
    }

    /// A new idempotency key.
    pub fn key(&self, step: &str) -> String {
        self.keys.next(step)
    }

    /// What the tenant has, in dollars; nothing when it never had anything.
    pub async fn balance(&self) -> Balance {
        let request = GetBalanceRequest {
            currency_code: "USD".to_owned(),
        };
        let reply = ask!(self, money.get_balance, request).expect("a tenant sees its balance");
        reply.balances.into_iter().next().unwrap_or_else(|| Balance {
            available: "0".to_owned(),
            escrow: "0".to_owned(),
            pending: "0".to_owned(),
            receivable: "0".to_owned(),
            ..Default::default()
        })
    }

    /// Available, in escrow, and pending, in dollars. Fails the test when one of them is no amount; a negative one is none.
    pub async fn funds(&self) -> [Amount; 3] {
        let balance = self.balance().await;
        [&balance.available, &balance.escrow, &balance.pending]
            .map(|text| text.parse().expect("a balance is an amount"))
    }

    /// The money side of a contract.
    pub async fn settlement(&self, contract_id: &str) -> Result<Hold, Refused> {
        let request = GetSettlementRequest {
            contract_id: contract_id.to_owned(),
        };
        Ok(ask!(self, money.get_settlement, request)?
            .hold
            .unwrap_or_default())
    }

    /// All lines of the tenant's statement, or those about one contract.
    pub async fn statement(&self, contract_id: &str) -> Vec<StatementLine> {
        let mut lines = Vec::new();
        let mut page_token = String::new();
        loop {
            let request = ListStatementLinesRequest {
                page_size: PAGE,
                page_token,
                contract_id: contract_id.to_owned(),
                ..Default::default()
            };
            let page = ask!(self, money.list_statement_lines, request).expect("a tenant sees its statement");
            lines.extend(page.lines);
            page_token = page.next_page_token;
            if page_token.is_empty() {
                return lines;
            }
        }
    }
}

fn connect(edge: &str) -> Channel {
    Endpoint::from_shared(edge.to_owned())
        .expect("the edge has a URL")
        .connect_timeout(Duration::from_secs(5))
        .tcp_nodelay(true)
        .connect_lazy()
}

/// Dollars.
pub fn usd(amount: &str) -> Money {
    Money {
        currency_code: "USD".to_owned(),
        amount: amount.to_owned(),
    }
}
