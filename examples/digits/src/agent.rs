//! One provider's agent: it hears of work, bids, and reads the digits of what it wins. A process of its own, which ends
//! when its standard input does.

use std::{
    collections::HashSet,
    io::Write as _,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use aex_proto::aex::{
    bid_gateway::v1::{Sample, Sla, SubmitBidRequest},
    common::v1::Money,
    contract_engine::v1::{
        CompleteContractRequest, Contract, ContractStatus, GetContractPayloadRequest, ListContractsRequest,
        ReportProgressRequest, StartContractRequest, WatchContractsRequest,
        contract_engine_service_client::ContractEngineServiceClient,
    },
    provider_registry::v1::{
        AgentStatus, CreateSubscriptionRequest, ListAgentsRequest, ListProvidersRequest,
        ListSubscriptionsRequest, Opportunity, ProviderStatus, RegisterAgentRequest, RegisterProviderRequest,
        SubscriptionStatus, WatchOpportunitiesRequest,
        provider_registry_service_client::ProviderRegistryServiceClient,
    },
};
use clap::Args;
use ed25519_dalek::{Signer as _, SigningKey};
use prost_types::Timestamp;
use serde::{Deserialize, Serialize};
use tonic::Code;

use crate::{
    acks::Acks,
    caller::{Caller, ask, watch},
    images,
    key::{hex, key, unhex},
    methods::{Method, Reader},
    offer::Offer,
    outside::{beside, pause, variable},
    task::{Batch, CATEGORY, JSON, first_of},
};

/// The variable that the API key is passed in.
pub(crate) const API_KEY: &str = "AEX_API_KEY";
/// The variable that the agent's own private key is passed in, 64 hexadecimal digits.
pub(crate) const AGENT_SEED: &str = "AEX_AGENT_SEED";
/// What an agent signs, before the provider's id, to show that it has its private key.
const PROOF: &[u8] = b"aex-agent-v1\0";
/// How long a bid stands after bidding ended, in seconds.
const BID_STANDS: i64 = 600;
/// How often an agent looks for contracts that its watch might not have shown.
const LOOK_AGAIN: std::time::Duration = std::time::Duration::from_secs(5);

/// The options of `agent`.
#[derive(Debug, Args)]
pub(crate) struct AgentArgs {
    /// How it reads.
    #[arg(long)]
    method: Method,
    /// Where the exchange is, for example `http://127.0.0.1:8080`.
    #[arg(long)]
    edge: String,
    /// Where it notes what was acknowledged.
    #[arg(long)]
    acks: PathBuf,
}

/// What an agent tells its driver when it is ready: one line of JSON on its standard output.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Ready {
    /// The provider that it works for.
    pub(crate) provider_id: String,
    /// The agent.
    pub(crate) agent_id: String,
    /// What it asks for a batch.
    pub(crate) price: String,
    /// How sure it says it is.
    pub(crate) confidence: f64,
}

struct Agent {
    method: Method,
    reader: Box<dyn Reader>,
    offer: Offer,
    caller: Caller,
    acks: Acks,
    provider_id: String,
    id: String,
    taken: Mutex<HashSet<String>>,
}

/// Runs an agent until its standard input ends.
pub(crate) async fn run(args: &AgentArgs) -> Result<(), String> {
    let api_key = variable(API_KEY).ok_or_else(|| format!("{API_KEY} is not set"))?;
    let seed = variable(AGENT_SEED).and_then(|text| unhex(&text));
    let seed = seed.ok_or_else(|| format!("{AGENT_SEED} is not 64 hexadecimal digits"))?;
    let images = images::load()?;
    let offer = Offer::of(args.method, args.method.cross_validated(&images.training));
    let caller = Caller::new(&args.edge, Some(&api_key))?;
    let acks = Acks::open(&args.acks)?;

    let signing = SigningKey::from_bytes(&seed);
    let provider_id = provider(&caller, &acks, args.method, &signing).await?;
    let id = registered(&caller, &acks, args.method, &provider_id, &signing).await?;
    subscribe(&caller, &acks, &provider_id).await?;

    let agent = Arc::new(Agent {
        method: args.method,
        reader: args.method.learn(&images.training),
        offer,
        caller,
        acks,
        provider_id,
        id,
        taken: Mutex::default(),
    });
    say(&Ready {
        provider_id: agent.provider_id.clone(),
        agent_id: agent.id.clone(),
        price: offer.price().to_string(),
        confidence: offer.confidence,
    })?;
    tokio::select! {
        refused = agent.clone().hear_of_work() => Err(refused),
        refused = agent.clone().hear_of_contracts() => Err(refused),
        refused = agent.look_again() => Err(refused),
        () = input_ended() => Ok(()),
    }
}

fn say(ready: &Ready) -> Result<(), String> {
    let line = serde_json::to_string(ready).map_err(|error| error.to_string())?;
    writeln!(std::io::stdout(), "{line}").map_err(|error| format!("standard output: {error}"))
}

/// Ends when standard input does. The read is a thread's, so that nothing waits for it when the agent ends otherwise.
async fn input_ended() {
    let (ended, end) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        ended.send(())
    });
    // A sender that is gone without a word means the same.
    let _ = end.await;
}

/// The provider of this tenant; registered when there is none.
async fn provider(
    caller: &Caller,
    acks: &Acks,
    method: Method,
    signing: &SigningKey,
) -> Result<String, String> {
    let known = ask!(caller, registry.list_providers, ListProvidersRequest::default())?;
    let active = |provider: &_| provider_status(provider) == ProviderStatus::Active;
    if let Some(provider) = known.providers.into_iter().find(active) {
        return Ok(provider.provider_id);
    }
    let request = RegisterProviderRequest {
        idempotency_key: key("provider", &[&hex(signing.verifying_key().as_bytes())]),
        display_name: format!("Digits by {}", method.name()),
        description: method.approach().to_owned(),
        endpoint: endpoint(method),
        capabilities: vec![CATEGORY.to_owned()],
    };
    let reply = ask!(caller, registry.register_provider, request)?;
    let provider = reply.provider.unwrap_or_default();
    acks.note("provider", &provider.provider_id, provider.status().as_str_name())?;
    Ok(provider.provider_id)
}

fn provider_status(provider: &aex_proto::aex::provider_registry::v1::Provider) -> ProviderStatus {
    provider.status()
}

/// Where the agent would be reached directly; in the market day nobody does.
fn endpoint(method: Method) -> String {
    format!("https://{}.digits.example/", method.name())
}

/// This agent, known by its key; registered with the proof that it has the private half.
async fn registered(
    caller: &Caller,
    acks: &Acks,
    method: Method,
    provider_id: &str,
    signing: &SigningKey,
) -> Result<String, String> {
    let public_key = signing.verifying_key().to_bytes().to_vec();
    let list = ListAgentsRequest {
        provider_id: provider_id.to_owned(),
        ..Default::default()
    };
    let known = ask!(caller, registry.list_agents, list)?;
    let own = known
        .agents
        .into_iter()
        .find(|agent| agent.public_key == public_key && agent.status() == AgentStatus::Active);
    if let Some(agent) = own {
        return Ok(agent.agent_id);
    }
    let request = RegisterAgentRequest {
        idempotency_key: key("agent", &[provider_id, &hex(&public_key)]),
        provider_id: provider_id.to_owned(),
        display_name: method.name().to_owned(),
        public_key: public_key.into(),
        proof: proof(signing, provider_id).into(),
    };
    let reply = ask!(caller, registry.register_agent, request)?;
    let agent = reply.agent.unwrap_or_default();
    acks.note("agent", &agent.agent_id, agent.status().as_str_name())?;
    Ok(agent.agent_id)
}

fn proof(signing: &SigningKey, provider_id: &str) -> Vec<u8> {
    signing
        .sign(&[PROOF, provider_id.as_bytes()].concat())
        .to_bytes()
        .to_vec()
}

async fn subscribe(caller: &Caller, acks: &Acks, provider_id: &str) -> Result<(), String> {
    let list = ListSubscriptionsRequest {
        provider_id: provider_id.to_owned(),
        ..Default::default()
    };
    let known = ask!(caller, registry.list_subscriptions, list)?;
    if known
        .subscriptions
        .iter()
        .any(|one| one.status() == SubscriptionStatus::Active)
    {
        return Ok(());
    }
    let request = CreateSubscriptionRequest {
        idempotency_key: key("subscription", &[provider_id, CATEGORY]),
        provider_id: provider_id.to_owned(),
        categories: vec![CATEGORY.to_owned()],
        ..Default::default()
    };
    let reply = ask!(caller, registry.create_subscription, request)?;
    let made = reply.subscription.unwrap_or_default();
    acks.note("subscription", &made.subscription_id, made.status().as_str_name())
}

impl Agent {
    async fn hear_of_work(self: Arc<Self>) -> String {
        let open = |resume_token| {
            let mut registry = ProviderRegistryServiceClient::new(self.caller.wire(None));
            let request = WatchOpportunitiesRequest {
                provider_id: self.provider_id.clone(),
                resume_token,
            };
            async move { registry.watch_opportunities(request).await }
        };
        let hear = |message: aex_proto::aex::provider_registry::v1::WatchOpportunitiesResponse| {
            if let Some(opportunity) = message.opened {
                let agent = self.clone();
                beside(async move { agent.report(agent.bid(opportunity).await) });
            }
            message.resume_token
        };
        watch("watch_opportunities", open, hear).await.to_string()
    }

    async fn hear_of_contracts(self: Arc<Self>) -> String {
        let open = |resume_token| {
            let mut contracts = ContractEngineServiceClient::new(self.caller.wire(None));
            let request = WatchContractsRequest {
                provider_id: self.provider_id.clone(),
                resume_token,
            };
            async move { contracts.watch_contracts(request).await }
        };
        let hear = |message: aex_proto::aex::contract_engine::v1::WatchContractsResponse| {
            if let Some(contract) = message.contract {
                self.take(contract);
            }
            message.resume_token
        };
        watch("watch_contracts", open, hear).await.to_string()
    }

    /// Finds contracts that are still to be done, whatever became of the watch or of an earlier attempt.
    async fn look_again(self: Arc<Self>) -> String {
        loop {
            for status in [ContractStatus::Awarded, ContractStatus::Executing] {
                let request = ListContractsRequest {
                    page_size: 200,
                    status: status.into(),
                    provider_id: self.provider_id.clone(),
                    ..Default::default()
                };
                match ask!(self.caller, contracts.list_contracts, request) {
                    Ok(page) => page
                        .contracts
                        .into_iter()
                        .for_each(|contract| self.take(contract)),
                    Err(refused) => return refused.to_string(),
                }
            }
            pause(LOOK_AGAIN).await;
        }
    }

    async fn bid(&self, opportunity: Opportunity) -> Result<(), String> {
        let most = opportunity.max_price.unwrap_or_default();
        if opportunity.category != CATEGORY || most.currency_code != "USD" || !self.offer.fits(&most.amount) {
            return Ok(());
        }
        let close = opportunity.close_time.unwrap_or_default();
        let turnaround = prost_types::Duration::try_from(self.offer.turnaround).ok();
        // A piece of the very work: the first image is in the preview.
        let sample = first_of(&opportunity.payload_preview).map(|pixels| Sample {
            input: "the first image".to_owned(),
            output: self.reader.read(&pixels).to_string(),
            latency: turnaround,
        });
        let request = SubmitBidRequest {
            idempotency_key: key("bid", &[&opportunity.work_id, &self.provider_id]),
            work_id: opportunity.work_id,
            provider_id: self.provider_id.clone(),
            agent_id: self.id.clone(),
            price: Some(Money {
                currency_code: most.currency_code,
                amount: self.offer.price().to_string(),
            }),
            confidence: self.offer.confidence,
            approach: self.method.approach().to_owned(),
            estimated_latency: turnaround,
            sla: Some(Sla {
                max_latency: turnaround,
                availability: 0.99,
            }),
            sample,
            endpoint: endpoint(self.method),
            regions: Vec::new(),
            expire_time: Some(Timestamp {
                seconds: close.seconds + BID_STANDS,
                nanos: 0,
            }),
        };
        match ask!(self.caller, bids.submit_bid, request) {
            Ok(reply) => {
                let bid = reply.bid.unwrap_or_default();
                self.acks.note("bid", &bid.bid_id, bid.status().as_str_name())
            }
            // Somebody else was chosen meanwhile.
            Err(refused) if refused.reason == "BOOK_CLOSED" => Ok(()),
            Err(refused) => Err(refused.to_string()),
        }
    }

    /// Does a contract that is to be done, unless it is being done already.
    fn take(self: &Arc<Self>, contract: Contract) {
        let is_open = matches!(
            contract.status(),
            ContractStatus::Awarded | ContractStatus::Executing
        );
        if is_open && self.taken().insert(contract.contract_id.clone()) {
            let agent = self.clone();
            beside(async move {
                let done = agent.fulfil(&contract).await;
                if done.is_err() {
                    agent.taken().remove(&contract.contract_id);
                }
                agent.report(done);
            });
        }
    }

    fn taken(&self) -> std::sync::MutexGuard<'_, HashSet<String>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn fulfil(&self, contract: &Contract) -> Result<(), String> {
        let contract_id = contract.contract_id.clone();
        let step = |name: &str| key(name, &[&contract_id]);

        let request = GetContractPayloadRequest {
            contract_id: contract_id.clone(),
        };
        let payload = match ask!(self.caller, contracts.get_contract_payload, request) {
            // The watch tells the story from its beginning; this contract has ended since.
            Err(refused) if refused.reason == "CONTRACT_STATUS_INVALID" => return Ok(()),
            other => other?.payload,
        };
        let request = StartContractRequest {
            idempotency_key: step("start"),
            contract_id: contract_id.clone(),
        };
        match ask!(self.caller, contracts.start_contract, request) {
            // A run of this program that was interrupted has started it.
            Err(refused) if refused.code == Code::FailedPrecondition => {}
            other => self.acks.contract(&other?.contract.unwrap_or_default())?,
        }
        let answer = Batch::decode(&payload).and_then(|batch| batch.read_by(&*self.reader));
        let request = ReportProgressRequest {
            idempotency_key: step("progress"),
            contract_id: contract_id.clone(),
            percent: 50,
            message: "read, waiting for its turn".to_owned(),
        };
        let reply = ask!(self.caller, contracts.report_progress, request)?;
        self.acks.contract(&reply.contract.unwrap_or_default())?;
        pause(self.offer.turnaround).await;

        let mut request = CompleteContractRequest {
            idempotency_key: step("complete"),
            contract_id,
            ..Default::default()
        };
        match answer.and_then(|answer| answer.encode()) {
            Ok(result) => {
                request.success = true;
                request.summary = format!("read by {}", self.method.name());
                request.result = result.into();
                JSON.clone_into(&mut request.result_content_type);
            }
            Err(problem) => request.summary = problem,
        }
        let reply = ask!(self.caller, contracts.complete_contract, request)?;
        self.acks.contract(&reply.contract.unwrap_or_default())
    }

    /// Problems go to the log; the next look finds what is still to be done.
    fn report(&self, done: Result<(), String>) {
        if let Err(problem) = done {
            let _ = writeln!(std::io::stderr(), "{}: {problem}", self.method.name());
        }
    }
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::{Signature, Verifier as _};

    use super::*;

    #[test]
    fn the_proof_is_the_signature_of_the_agent_over_its_provider() {
        let signing = SigningKey::from_bytes(&[7; 32]);
        let proof = Signature::from_slice(&proof(&signing, "provider_1")).unwrap();
        let key = signing.verifying_key();
        assert!(key.verify(b"aex-agent-v1\0provider_1", &proof).is_ok());
        assert!(key.verify(b"aex-agent-v1\0provider_2", &proof).is_err());
    }

    #[test]
    fn the_line_that_says_ready_is_read_back() {
        let ready = Ready {
            provider_id: "provider_1".to_owned(),
            agent_id: "agent_1".to_owned(),
            price: "0.45".to_owned(),
            confidence: 0.985,
        };
        assert_eq!(
            serde_json::from_str::<Ready>(&serde_json::to_string(&ready).unwrap()).unwrap(),
            ready
        );
    }
}
