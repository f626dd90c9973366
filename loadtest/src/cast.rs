//! Who trades: consumers with money, and providers that offer in the categories of the consumers.

use aex_kit::{Principal, Wire};
use aex_proto::aex::{
    common::v1::Money,
    identity::v1::{
        CreateApiKeyRequest, CreateTenantRequest, TenantType, identity_service_client::IdentityServiceClient,
    },
    provider_registry::v1::{CreateSubscriptionRequest, RegisterProviderRequest},
    settlement::v1::{DepositStatus, GetDepositRequest, RequestDepositRequest},
};

use crate::{
    caller::{Caller, Door, limited, told},
    keys::Keys,
    problem::Problem,
};

/// The money of a consumer: more than any run spends, and the most that one deposit may be.
const PURSE: &str = "100000";

/// A tenant that publishes work, and its category.
#[derive(Debug, Clone)]
pub(crate) struct Consumer {
    pub(crate) caller: Caller,
    /// What the gateway says of it.
    pub(crate) principal: Principal,
    pub(crate) category: String,
}

/// A provider that bids.
#[derive(Debug, Clone)]
pub(crate) struct Provider {
    pub(crate) caller: Caller,
    pub(crate) id: String,
}

/// Everybody.
#[derive(Debug, Clone)]
pub(crate) struct Cast {
    pub(crate) consumers: Vec<Consumer>,
    /// By category.
    pub(crate) providers: Vec<Vec<Provider>>,
}

/// How many there are.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Size {
    pub(crate) consumers: usize,
    pub(crate) categories: usize,
    /// In each category.
    pub(crate) providers: usize,
    /// Of one tenant; the exchange allows a hundred.
    pub(crate) per_tenant: usize,
}

/// A sum in dollars.
pub(crate) fn usd(amount: &str) -> Money {
    Money {
        currency_code: "USD".to_owned(),
        amount: amount.to_owned(),
    }
}

impl Cast {
    /// Makes tenants and keys as an operator, and lets the tenants do the rest.
    pub(crate) async fn assemble(
        size: Size,
        identity: &Wire,
        door: &Door,
        keys: &Keys,
    ) -> Result<Self, Problem> {
        let troupe = Troupe { identity, door, keys };
        let mut providers = Vec::new();
        for category in 0..size.categories {
            providers.push(troupe.providers(category, size).await?);
        }
        let mut consumers = Vec::new();
        for number in 0..size.consumers {
            consumers.push(troupe.consumer(number, number % size.categories).await?);
        }
        Ok(Self { consumers, providers })
    }
}

struct Troupe<'a> {
    identity: &'a Wire,
    door: &'a Door,
    keys: &'a Keys,
}

impl Troupe<'_> {
    async fn tenant(
        &self,
        number: usize,
        name: String,
        kind: TenantType,
    ) -> Result<(Caller, Principal), Problem> {
        let mut identity = IdentityServiceClient::new(self.identity.clone());
        let request = CreateTenantRequest {
            idempotency_key: self.keys.one("tenant"),
            display_name: name.clone(),
            r#type: kind.into(),
            ..CreateTenantRequest::default()
        };
        let created = told("create_tenant", identity.create_tenant(request)).await?;
        let tenant_id = created.tenant.unwrap_or_default().tenant_id;
        let request = CreateApiKeyRequest {
            idempotency_key: self.keys.one("key"),
            tenant_id: tenant_id.clone(),
            display_name: name,
            scopes: vec!["*".to_owned()],
            ..CreateApiKeyRequest::default()
        };
        let made = told("create_api_key", identity.create_api_key(request)).await?;
        let principal = Principal {
            tenant: tenant_id.parse()?,
            tenant_type: if kind == TenantType::Provider {
                aex_kit::TenantType::Provider
            } else {
                aex_kit::TenantType::Requestor
            },
            internal: false,
            key: made.api_key.unwrap_or_default().key_id.parse()?,
            scopes: vec!["*".to_owned()],
            provider: None,
        };
        Ok((self.door.caller(number, &made.secret)?, principal))
    }

    async fn consumer(&self, number: usize, category: usize) -> Result<Consumer, Problem> {
        let name = format!("consumer {number}");
        let (caller, principal) = self.tenant(number, name, TenantType::Requestor).await?;
        let request = RequestDepositRequest {
            idempotency_key: self.keys.one("deposit"),
            amount: Some(usd(PURSE)),
            rail: "test".to_owned(),
        };
        let mut deposit = told(
            "request_deposit",
            caller.money().request_deposit(limited(request)),
        )
        .await?
        .deposit
        .unwrap_or_default();
        while deposit.status() == DepositStatus::Pending {
            let request = GetDepositRequest {
                deposit_id: deposit.deposit_id.clone(),
            };
            let answer = told("get_deposit", caller.money().get_deposit(limited(request))).await?;
            deposit = answer.deposit.unwrap_or_default();
        }
        if deposit.status() != DepositStatus::Confirmed {
            return Err(Problem::new("the deposit was not confirmed"));
        }
        Ok(Consumer {
            caller,
            principal,
            category: name_of(category),
        })
    }

    async fn providers(&self, category: usize, size: Size) -> Result<Vec<Provider>, Problem> {
        let mut providers = Vec::new();
        let mut tenant = None;
        for number in 0..size.providers {
            let caller = match tenant.take() {
                Some(caller) if number % size.per_tenant != 0 => caller,
                _ => {
                    let name = format!("seller {category} {number}");
                    self.tenant(number, name, TenantType::Provider).await?.0
                }
            };
            providers.push(self.provider(&caller, category, number).await?);
            tenant = Some(caller);
        }
        Ok(providers)
    }

    async fn provider(&self, caller: &Caller, category: usize, number: usize) -> Result<Provider, Problem> {
        let request = RegisterProviderRequest {
            idempotency_key: self.keys.one("provider"),
            display_name: format!("provider {category} {number}"),
            endpoint: "https://provider.example/agent".to_owned(),
            capabilities: vec![name_of(category)],
            ..RegisterProviderRequest::default()
        };
        let mut registry = caller.registry();
        let registered = told("register_provider", registry.register_provider(limited(request))).await?;
        let id = registered.provider.unwrap_or_default().provider_id;
        let request = CreateSubscriptionRequest {
            idempotency_key: self.keys.one("subscribe"),
            provider_id: id.clone(),
            categories: vec![name_of(category)],
            ..CreateSubscriptionRequest::default()
        };
        told(
            "create_subscription",
            registry.create_subscription(limited(request)),
        )
        .await?;
        Ok(Provider {
            caller: caller.clone(),
            id,
        })
    }
}

fn name_of(category: usize) -> String {
    format!("load.c{category}")
}
