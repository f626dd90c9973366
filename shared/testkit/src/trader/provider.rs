//! Who sells.

use std::{
    ops::Deref,
    time::{SystemTime, UNIX_EPOCH},
};

use aex_proto::aex::{
    bid_gateway::v1::{Bid, ListBidsRequest, SubmitBidRequest, WithdrawBidRequest},
    contract_engine::v1::{
        CompleteContractRequest, Contract, ContractStatus, FailContractRequest, ReportProgressRequest,
        StartContractRequest, WatchContractsRequest, WatchContractsResponse,
        contract_engine_service_client::ContractEngineServiceClient,
    },
    provider_registry::v1::{
        CreateSubscriptionRequest, Opportunity, RegisterAgentRequest, RegisterProviderRequest,
        WatchOpportunitiesRequest, WatchOpportunitiesResponse,
        provider_registry_service_client::ProviderRegistryServiceClient,
    },
};
use ed25519_dalek::{Signer as _, SigningKey};
use prost_types::Timestamp;

use super::{
    ask::{ask, listen},
    exchange::{PAGE, Trader, usd},
};
use crate::Refused;

/// What an agent signs, before the provider's id, to show that it has its private key.
const PROOF: &[u8] = b"aex-agent-v1\0";
/// How long a bid stands, in seconds.
const BID_STANDS: u64 = 3600;

/// Who sells. Clones are the same tenant on the same connection.
#[derive(Clone, Debug)]
pub struct Provider {
    trader: Trader,
    /// The provider.
    pub provider_id: String,
    /// Its agent.
    pub agent_id: String,
}

impl Deref for Provider {
    type Target = Trader;

    fn deref(&self) -> &Trader {
        &self.trader
    }
}

impl Provider {
    /// Registers a tenant's provider with one agent, and subscribes it to a category.
    pub async fn register(trader: Trader, name: &str, category: &str) -> Self {
        let request = RegisterProviderRequest {
            idempotency_key: trader.key("provider"),
            display_name: name.to_owned(),
            description: String::new(),
            endpoint: "https://agent.example/".to_owned(),
            capabilities: vec![category.to_owned()],
        };
        let reply = ask!(trader, registry.register_provider, request).expect("a provider may register");
        let provider_id = reply.provider.unwrap_or_default().provider_id;

        let signing = SigningKey::from_bytes(&rand::random());
        let proof = signing.sign(&[PROOF, provider_id.as_bytes()].concat());
        let request = RegisterAgentRequest {
            idempotency_key: trader.key("agent"),
            provider_id: provider_id.clone(),
            display_name: name.to_owned(),
            public_key: signing.verifying_key().to_bytes().to_vec().into(),
            proof: proof.to_bytes().to_vec().into(),
        };
        let reply =
            ask!(trader, registry.register_agent, request).expect("with a proof an agent may register");
        let agent_id = reply.agent.unwrap_or_default().agent_id;

        let request = CreateSubscriptionRequest {
            idempotency_key: trader.key("subscription"),
            provider_id: provider_id.clone(),
            categories: vec![category.to_owned()],
            ..Default::default()
        };
        ask!(trader, registry.create_subscription, request).expect("a provider may subscribe");
        Self {
            trader,
            provider_id,
            agent_id,
        }
    }

    /// The same provider over a connection of its own.
    pub fn another_connection(&self) -> Self {
        Self {
            trader: self.trader.another_connection(),
            ..self.clone()
        }
    }

    /// A bid in dollars, to be changed and submitted.
    pub fn offer(&self, work_id: &str, price: &str) -> SubmitBidRequest {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .expect("the clock is right")
            .as_secs();
        SubmitBidRequest {
            idempotency_key: self.key("bid"),
            work_id: work_id.to_owned(),
            provider_id: self.provider_id.clone(),
            agent_id: self.agent_id.clone(),
            price: Some(usd(price)),
            confidence: 0.9,
            endpoint: "https://agent.example/".to_owned(),
            expire_time: Some(Timestamp {
                seconds: i64::try_from(now + BID_STANDS).expect("a time of this age"),
                nanos: 0,
            }),
            ..Default::default()
        }
    }

    /// Bids dollars on a work.
    pub async fn bid(&self, work_id: &str, price: &str) -> Result<Bid, Refused> {
        self.submit(self.offer(work_id, price)).await
    }

    /// Submits a bid as it is.
    pub async fn submit(&self, offer: SubmitBidRequest) -> Result<Bid, Refused> {
        Ok(ask!(self, bids.submit_bid, offer)?.bid.unwrap_or_default())
    }

    /// Takes a bid back.
    pub async fn withdraw(&self, bid_id: &str) -> Result<Bid, Refused> {
        let request = WithdrawBidRequest {
            idempotency_key: self.key("withdraw"),
            bid_id: bid_id.to_owned(),
        };
        Ok(ask!(self, bids.withdraw_bid, request)?.bid.unwrap_or_default())
    }

    /// All its bids, those that are not live any more too.
    pub async fn own_bids(&self) -> Result<Vec<Bid>, Refused> {
        let mut bids = Vec::new();
        let mut page_token = String::new();
        loop {
            let request = ListBidsRequest {
                provider_id: self.provider_id.clone(),
                page_size: PAGE,
                page_token,
                ..Default::default()
            };
            let page = ask!(self, bids.list_bids, request)?;
            bids.extend(page.bids);
            page_token = page.next_page_token;
            if page_token.is_empty() {
                return Ok(bids);
            }
        }
    }

    /// Begins with a contract.
    pub async fn start(&self, contract_id: &str) -> Result<Contract, Refused> {
        let request = StartContractRequest {
            idempotency_key: self.key("start"),
            contract_id: contract_id.to_owned(),
        };
        let reply = ask!(self, contracts.start_contract, request)?;
        Ok(reply.contract.unwrap_or_default())
    }

    /// Says how far it is.
    pub async fn progress(&self, contract_id: &str, percent: u32) -> Result<Contract, Refused> {
        let request = ReportProgressRequest {
            idempotency_key: self.key("progress"),
            contract_id: contract_id.to_owned(),
            percent,
            message: String::new(),
        };
        let reply = ask!(self, contracts.report_progress, request)?;
        Ok(reply.contract.unwrap_or_default())
    }

    /// Delivers a text.
    pub async fn complete(&self, contract_id: &str, result: &str) -> Result<Contract, Refused> {
        let request = CompleteContractRequest {
            idempotency_key: self.key("complete"),
            contract_id: contract_id.to_owned(),
            success: true,
            summary: "done".to_owned(),
            result: result.as_bytes().to_vec().into(),
            result_content_type: "text/plain".to_owned(),
            ..Default::default()
        };
        let reply = ask!(self, contracts.complete_contract, request)?;
        Ok(reply.contract.unwrap_or_default())
    }

    /// Gives a contract up.
    pub async fn give_up(&self, contract_id: &str, reason: &str) -> Result<Contract, Refused> {
        let request = FailContractRequest {
            idempotency_key: self.key("fail"),
            contract_id: contract_id.to_owned(),
            reason: reason.to_owned(),
        };
        let reply = ask!(self, contracts.fail_contract, request)?;
        Ok(reply.contract.unwrap_or_default())
    }

    /// Waits until the provider is offered a work.
    pub async fn until_offered(&self, work_id: &str) -> Opportunity {
        let open = |resume_token| {
            let mut registry = ProviderRegistryServiceClient::new(self.wire(None));
            let request = WatchOpportunitiesRequest {
                provider_id: self.provider_id.clone(),
                resume_token,
            };
            async move { registry.watch_opportunities(request).await }
        };
        listen(work_id, open, |told: WatchOpportunitiesResponse| {
            let opened = told.opened.filter(|opened| opened.work_id == work_id);
            (told.resume_token, opened)
        })
        .await
    }

    /// Waits until a contract about a work has had a status that is waited for, and answers how it stood then.
    pub async fn until_contract_on(&self, work_id: &str, waited: &[ContractStatus]) -> Contract {
        let open = |resume_token| {
            let mut contracts = ContractEngineServiceClient::new(self.wire(None));
            let request = WatchContractsRequest {
                provider_id: self.provider_id.clone(),
                resume_token,
            };
            async move { contracts.watch_contracts(request).await }
        };
        listen(work_id, open, |told: WatchContractsResponse| {
            let contract = told
                .contract
                .filter(|contract| contract.work_id == work_id && waited.contains(&contract.status()));
            (told.resume_token, contract)
        })
        .await
    }
}
