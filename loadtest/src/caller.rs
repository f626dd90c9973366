//! A tenant's calls: through the edge, with its key.

use std::time::Duration;

use aex_proto::aex::{
    bid_gateway::v1::bid_gateway_service_client::BidGatewayServiceClient,
    contract_engine::v1::contract_engine_service_client::ContractEngineServiceClient,
    event_ledger::v1::event_ledger_service_client::EventLedgerServiceClient,
    provider_registry::v1::provider_registry_service_client::ProviderRegistryServiceClient,
    settlement::v1::settlement_service_client::SettlementServiceClient,
    work_publisher::v1::work_publisher_service_client::WorkPublisherServiceClient,
};
use tonic::{
    Request, Status,
    metadata::{Ascii, MetadataValue},
    service::{Interceptor, interceptor::InterceptedService},
    transport::{Channel, Endpoint},
};

use crate::problem::Problem;

/// The longest that one call may take: a slow answer is measured, a lost one ends the run.
const CALL_LIMIT: Duration = Duration::from_secs(20);

/// Connections to the edge that all tenants share.
#[derive(Debug, Clone)]
pub(crate) struct Door(Vec<Channel>);

impl Door {
    /// Connects.
    pub(crate) async fn open(edge: &str, connections: usize) -> Result<Self, Problem> {
        let endpoint = Endpoint::from_shared(edge.to_owned())?.tcp_nodelay(true);
        let mut channels = Vec::with_capacity(connections);
        for _ in 0..connections {
            channels.push(endpoint.connect().await?);
        }
        Ok(Self(channels))
    }

    /// The way of a tenant; the number spreads tenants over the connections.
    pub(crate) fn caller(&self, number: usize, key: &str) -> Result<Caller, Problem> {
        let channel = self.0.get(number % self.0.len().max(1)).cloned();
        Ok(Caller {
            channel: channel.ok_or_else(|| Problem::new("a door without connections"))?,
            envelope: Envelope {
                credential: MetadataValue::try_from(format!("Bearer {key}"))?,
            },
        })
    }
}

/// The way of one tenant.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    channel: Channel,
    envelope: Envelope,
}

/// A channel that shows the key with every call.
pub(crate) type Wire = InterceptedService<Channel, Envelope>;

/// What every call carries.
#[derive(Debug, Clone)]
pub(crate) struct Envelope {
    credential: MetadataValue<Ascii>,
}

impl Interceptor for Envelope {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        request
            .metadata_mut()
            .insert("authorization", self.credential.clone());
        Ok(request)
    }
}

macro_rules! clients {
    ($($name:ident: $client:ident;)*) => {
        impl Caller {
            $(pub(crate) fn $name(&self) -> $client<Wire> {
                $client::new(InterceptedService::new(self.channel.clone(), self.envelope.clone()))
            })*
        }
    };
}

clients! {
    registry: ProviderRegistryServiceClient;
    works: WorkPublisherServiceClient;
    bids: BidGatewayServiceClient;
    contracts: ContractEngineServiceClient;
    money: SettlementServiceClient;
    events: EventLedgerServiceClient;
}

/// A request with the time that its answer may take.
pub(crate) fn limited<Q>(request: Q) -> Request<Q> {
    let mut request = Request::new(request);
    request.set_timeout(CALL_LIMIT);
    request
}

/// The answer to a call, or the end of the run.
pub(crate) async fn told<A>(
    what: &str,
    call: impl Future<Output = Result<tonic::Response<A>, Status>>,
) -> Result<A, Problem> {
    match call.await {
        Ok(answer) => Ok(answer.into_inner()),
        Err(status) => Err(Problem::of(what, &status)),
    }
}
