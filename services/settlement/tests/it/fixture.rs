//! Settlement in a world of its own beside identity, with a client for each kind of caller.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use aex_identity as identity;
use aex_kit::{Hosted as _, Principal, Wire, config::Secret};
use aex_proto::aex::{
    common::v1 as common,
    identity::v1::{self as id, identity_service_client::IdentityServiceClient},
    settlement::v1::{self as pb, settlement_service_client::SettlementServiceClient},
};
use aex_settlement::{App, Config, SCHEMA};
use aex_store::Store;
use aex_testkit::{Database, Shape, Who, World, principal};
use aex_types::{ContractId, ProviderId};

pub type Client = SettlementServiceClient<Wire>;

pub struct Settlement {
    pub world: World,
    pub database: Database,
    pub app: Arc<App>,
    pub operator: Client,
    pub engine: Client,
    pub publisher: Client,
    pub identity: IdentityServiceClient<Wire>,
    _tenants: Database,
}

/// A fresh idempotency key.
pub fn key() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    format!("test-key-{:016}", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// A test deployment.
pub fn config() -> Config {
    let mut config = Config::default();
    config.rails.test = true;
    config
}

impl Settlement {
    pub async fn new() -> Self {
        Self::with(Shape::InProcess, &config()).await
    }

    pub async fn in_shape(shape: Shape) -> Self {
        Self::with(shape, &config()).await
    }

    pub async fn with(shape: Shape, config: &Config) -> Self {
        let mut world = World::new(shape);
        let tenants = Database::of(&identity::SCHEMA).await;
        let mut keys = identity::Config::default();
        keys.keys.pepper = Some(Secret::new("a pepper of thirty-two bytes, no less".to_owned()));
        let store = Store::attach(&identity::SCHEMA, tenants.connect(), world.runtime());
        world
            .host(&Arc::new(identity::App::on(store, &keys, world.mesh())))
            .await;
        let database = Database::of(&SCHEMA).await;
        let store = Store::attach(&SCHEMA, database.connect(), world.runtime());
        // Without workers: the relay stands still, so tests see what was published.
        let app = Arc::new(App::on(store, config, world.mesh()));
        world.host(&app).await;
        let client = |who| Client::new(world.client(&who, App::NAME));
        Self {
            operator: client(Who::Operator),
            engine: client(Who::Service("contract-engine")),
            publisher: client(Who::Service("work-publisher")),
            identity: IdentityServiceClient::new(world.client(&Who::Operator, identity::App::NAME)),
            app,
            database,
            world,
            _tenants: tenants,
        }
    }

    /// A tenant of identity, with a key that may do everything.
    pub async fn tenant(&mut self, name: &str) -> Principal {
        let request = id::CreateTenantRequest {
            idempotency_key: key(),
            display_name: name.to_owned(),
            r#type: id::TenantType::Both.into(),
            contact_email: String::new(),
            internal: false,
        };
        let tenant = self.identity.create_tenant(request).await.unwrap().into_inner();
        Principal {
            tenant: tenant.tenant.unwrap().tenant_id.parse().unwrap(),
            ..principal(&self.world)
        }
    }

    pub fn client(&self, principal: &Principal) -> Client {
        Client::new(self.world.client(&Who::Tenant(principal.clone()), App::NAME))
    }

    /// A tenant that has so much.
    pub async fn funded(&mut self, name: &str, amount: &str) -> Principal {
        let tenant = self.tenant(name).await;
        let deposited = self
            .client(&tenant)
            .request_deposit(deposit("test", amount))
            .await;
        deposited.unwrap();
        tenant
    }

    /// Two tenants that trade: a consumer with so much, and a provider.
    pub async fn traders(&mut self, amount: &str) -> (Principal, Principal) {
        (self.funded("Ada", amount).await, self.tenant("Bob").await)
    }

    /// An award between two tenants.
    pub fn award(&self, consumer: &Principal, payee: &Principal, amount: &str) -> pb::PlaceHoldRequest {
        let runtime = self.world.runtime();
        let contract: ContractId = runtime.id();
        let provider: ProviderId = runtime.id();
        let deadline = runtime.now().saturating_add(Duration::from_hours(1));
        pb::PlaceHoldRequest {
            contract_id: contract.to_string(),
            consumer_id: consumer.tenant.to_string(),
            provider_id: provider.to_string(),
            provider_tenant_id: payee.tenant.to_string(),
            amount: Some(usd(amount)),
            tier: common::Tier::Verified.into(),
            dispute_window: None,
            deadline: Some(aex_error::wire::time(deadline)),
        }
    }

    pub async fn place(&mut self, award: &pb::PlaceHoldRequest) -> pb::Hold {
        let placed = self.engine.place_hold(award.clone()).await.unwrap();
        placed.into_inner().hold.unwrap()
    }

    pub async fn settle(&mut self, contract: &str, price: &str) -> pb::Hold {
        let settled = self
            .engine
            .settle_contract(settle(contract, price))
            .await
            .unwrap();
        settled.into_inner().hold.unwrap()
    }

    pub async fn settlement(&mut self, contract: &str) -> pb::Hold {
        let request = pb::GetSettlementRequest {
            contract_id: contract.to_owned(),
        };
        let found = self.operator.get_settlement(request).await.unwrap();
        found.into_inner().hold.unwrap()
    }

    /// Available, escrow, pending and receivable of a tenant, in dollars.
    pub async fn balance(&mut self, tenant: &Principal) -> [String; 4] {
        let answer = self
            .client(tenant)
            .get_balance(pb::GetBalanceRequest {
                currency_code: "USD".to_owned(),
            })
            .await
            .unwrap();
        let balance = answer.into_inner().balances.pop();
        let Some(balance) = balance else {
            return ["0"; 4].map(str::to_owned);
        };
        [
            balance.available,
            balance.escrow,
            balance.pending,
            balance.receivable,
        ]
    }

    pub async fn statement(&mut self, tenant: &Principal) -> Vec<pb::StatementLine> {
        let request = pb::ListStatementLinesRequest {
            page_size: 200,
            ..Default::default()
        };
        let answer = self.client(tenant).list_statement_lines(request).await.unwrap();
        answer.into_inner().lines
    }

    /// The invariants that the audit finds broken.
    pub async fn broken(&mut self) -> Vec<String> {
        let answer = self.operator.audit(pb::AuditRequest::default()).await.unwrap();
        let found = answer.into_inner().violations;
        found.into_iter().map(|violation| violation.invariant).collect()
    }

    /// The audit finds nothing.
    pub async fn assert_clean(&mut self) {
        let answer = self.operator.audit(pb::AuditRequest::default()).await.unwrap();
        assert_eq!(answer.into_inner().violations, []);
    }

    /// A deposit by the bank, asked for and not confirmed.
    pub async fn pending(&mut self, tenant: &Principal, amount: &str) -> pb::Deposit {
        let asked = self.client(tenant).request_deposit(deposit("bank", amount)).await;
        asked.unwrap().into_inner().deposit.unwrap()
    }

    /// Waits until what a worker does is there.
    pub async fn until(&mut self, contract: &str, what: impl Fn(&pb::Hold, &[String]) -> bool) {
        for _ in 0..2000 {
            let hold = self.settlement(contract).await;
            let types = self.database.event_types().await;
            if what(&hold, &types) {
                return;
            }
            self.world.runtime().pause(Duration::from_millis(5)).await;
        }
        panic!("the worker did not do it");
    }
}

pub fn usd(amount: &str) -> common::Money {
    common::Money {
        currency_code: "USD".to_owned(),
        amount: amount.to_owned(),
    }
}

pub fn deposit(rail: &str, amount: &str) -> pb::RequestDepositRequest {
    pb::RequestDepositRequest {
        idempotency_key: key(),
        amount: Some(usd(amount)),
        rail: rail.to_owned(),
    }
}

pub fn confirm(deposit: &str, reference: &str, number: u32) -> pb::ConfirmDepositRequest {
    pb::ConfirmDepositRequest {
        idempotency_key: key(),
        deposit_id: deposit.to_owned(),
        rail_reference: reference.to_owned(),
        event_number: number,
    }
}

pub fn reject(deposit: &str, reference: &str) -> pb::RejectDepositRequest {
    pb::RejectDepositRequest {
        idempotency_key: key(),
        deposit_id: deposit.to_owned(),
        rail_reference: reference.to_owned(),
        event_number: 1,
        reason: "the account is closed".to_owned(),
    }
}

pub fn settle(contract: &str, price: &str) -> pb::SettleContractRequest {
    pb::SettleContractRequest {
        contract_id: contract.to_owned(),
        price: Some(usd(price)),
    }
}

pub fn release(contract: &str) -> pb::ReleaseHoldRequest {
    pb::ReleaseHoldRequest {
        contract_id: contract.to_owned(),
        not_before: None,
    }
}
