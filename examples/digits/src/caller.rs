//! Calls to the exchange: with a key, a deadline, and the patience to ask again with the same idempotency key.

use std::{fmt, future::Future, time::Duration};

use aex_proto::aex::{
    bid_evaluator::v1::bid_evaluator_service_client::BidEvaluatorServiceClient,
    bid_gateway::v1::bid_gateway_service_client::BidGatewayServiceClient,
    contract_engine::v1::contract_engine_service_client::ContractEngineServiceClient,
    provider_registry::v1::provider_registry_service_client::ProviderRegistryServiceClient,
    settlement::v1::settlement_service_client::SettlementServiceClient,
    trust_broker::v1::trust_broker_service_client::TrustBrokerServiceClient,
    work_publisher::v1::work_publisher_service_client::WorkPublisherServiceClient,
};
use tokio::time::{Instant, timeout};
use tonic::{
    Code, Request, Response, Status, Streaming,
    metadata::{Ascii, MetadataValue},
    service::{Interceptor, interceptor::InterceptedService},
    transport::{Channel, Endpoint},
};
use tonic_types::StatusExt as _;

use crate::outside::{about, pause};

/// The longest that one call may take.
const CALL_LIMIT: Duration = Duration::from_secs(15);
/// How long a call is asked again and again while the exchange cannot be reached.
const PATIENCE: Duration = Duration::from_secs(90);
/// The first pause before asking again; it doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// A watch that shows no sign of life for this long is opened anew.
const SILENCE_LIMIT: Duration = Duration::from_secs(30);

/// A way to the exchange's edge, with the key of one tenant.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    channel: Channel,
    credential: Option<MetadataValue<Ascii>>,
}

/// A channel that shows the key with every call.
pub(crate) type Wire = InterceptedService<Channel, Envelope>;

/// What every call carries.
#[derive(Clone)]
pub(crate) struct Envelope {
    credential: Option<MetadataValue<Ascii>>,
    limit: Option<Duration>,
}

impl Interceptor for Envelope {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(credential) = &self.credential {
            request.metadata_mut().insert("authorization", credential.clone());
        }
        if let Some(limit) = self.limit {
            request.set_timeout(limit);
        }
        Ok(request)
    }
}

macro_rules! clients {
    ($($(#[$doc:meta])* $name:ident: $client:ident;)*) => {
        impl Caller {
            $($(#[$doc])* pub(crate) fn $name(&self) -> $client<Wire> {
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

impl Caller {
    /// Connects when first used, and again whenever the connection is lost.
    pub(crate) fn new(edge: &str, api_key: Option<&str>) -> Result<Self, String> {
        let endpoint =
            Endpoint::from_shared(edge.to_owned()).map_err(|_| format!("not an address: {edge}"))?;
        let credential = api_key
            .map(|key| {
                let mut value = MetadataValue::try_from(format!("Bearer {key}"))
                    .map_err(|_| "the API key has characters that no key has".to_owned())?;
                value.set_sensitive(true);
                Ok::<_, String>(value)
            })
            .transpose()?;
        let channel = endpoint
            .connect_timeout(Duration::from_secs(5))
            .http2_keep_alive_interval(Duration::from_secs(10))
            .keep_alive_timeout(Duration::from_secs(10))
            .tcp_nodelay(true)
            .connect_lazy();
        Ok(Self { channel, credential })
    }

    /// For watches: without a deadline.
    pub(crate) fn wire(&self, limit: Option<Duration>) -> Wire {
        let credential = self.credential.clone();
        InterceptedService::new(self.channel.clone(), Envelope { credential, limit })
    }
}

/// A definite no of the exchange, or the end of patience.
#[derive(Debug, Clone)]
pub(crate) struct Refused {
    /// The method.
    pub(crate) what: &'static str,
    /// The code.
    pub(crate) code: Code,
    /// The reason's name; empty when none was given.
    pub(crate) reason: String,
    /// In words.
    pub(crate) message: String,
}

impl Refused {
    pub(crate) fn new(what: &'static str, status: &Status) -> Self {
        let reason = status.get_details_error_info().map(|info| info.reason);
        Self {
            what,
            code: status.code(),
            reason: reason.unwrap_or_default(),
            message: status.message().to_owned(),
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} answers {:?} {}: {}",
            self.what, self.code, self.reason, self.message
        )
    }
}

impl From<Refused> for String {
    fn from(refused: Refused) -> Self {
        refused.to_string()
    }
}

/// Whether asking again may help. A refusal of the exchange always says why in its details; what has none was made on
/// the way, by a connection that broke.
pub(crate) fn may_pass(status: &Status) -> bool {
    match status.code() {
        Code::Unavailable
        | Code::DeadlineExceeded
        | Code::Aborted
        | Code::ResourceExhausted
        | Code::Cancelled
        | Code::Internal => true,
        Code::Unknown => status.details().is_empty(),
        _ => false,
    }
}

/// Asks until there is an answer or a definite no.
pub(crate) async fn patiently<T, F, A>(what: &'static str, ask: F) -> Result<T, Refused>
where
    F: Fn() -> A,
    A: Future<Output = Result<T, Status>>,
{
    let end = Instant::now() + PATIENCE;
    let mut wait = FIRST_PAUSE;
    loop {
        let late = || Status::deadline_exceeded("no answer in time");
        // The deadline that the call carries should end it; this one ends it when the network has swallowed that too.
        let answer = timeout(CALL_LIMIT + LONGEST_PAUSE, ask()).await;
        match answer.unwrap_or_else(|_| Err(late())) {
            Ok(answer) => return Ok(answer),
            Err(status) if may_pass(&status) && Instant::now() + wait < end => pause(about(wait)).await,
            Err(status) => return Err(Refused::new(what, &status)),
        }
        wait = (wait * 2).min(LONGEST_PAUSE);
    }
}

/// `ask!(caller, works.get_work, request)`: one call, repeated with the same request until there is an answer.
macro_rules! ask {
    ($caller:expr, $service:ident.$method:ident, $request:expr) => {{
        let (caller, request) = (&$caller, $request);
        $crate::caller::patiently(stringify!($method), || {
            let (mut client, request) = (caller.$service(), request.clone());
            async move { client.$method(request).await.map(tonic::Response::into_inner) }
        })
        .await
    }};
}
pub(crate) use ask;

/// Listens to a watch for ever and resumes it where it broke. Returns only when the exchange refuses it.
///
/// `open` opens it from a token; `hear` takes a message and answers the token to resume with.
pub(crate) async fn watch<M, F, A>(what: &'static str, open: F, mut hear: impl FnMut(M) -> u64) -> Refused
where
    F: Fn(u64) -> A,
    A: Future<Output = Result<Response<Streaming<M>>, Status>>,
{
    let mut token = 0;
    let mut wait = FIRST_PAUSE;
    loop {
        let mut problem = None;
        match timeout(CALL_LIMIT, open(token)).await {
            Ok(Ok(stream)) => {
                let mut stream = stream.into_inner();
                loop {
                    match timeout(SILENCE_LIMIT, stream.message()).await {
                        Ok(Ok(Some(message))) => {
                            token = hear(message).max(token);
                            wait = FIRST_PAUSE;
                        }
                        Ok(Err(status)) => break problem = Some(status),
                        Ok(Ok(None)) | Err(_) => break,
                    }
                }
            }
            Ok(Err(status)) => problem = Some(status),
            Err(_) => {}
        }
        if let Some(status) = problem.filter(|status| !may_pass(status)) {
            return Refused::new(what, &status);
        }
        pause(about(wait)).await;
        wait = (wait * 2).min(LONGEST_PAUSE);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[test]
    fn what_broke_on_the_way_is_asked_again_and_a_refusal_is_not() {
        for code in [
            Code::Unavailable,
            Code::DeadlineExceeded,
            Code::Cancelled,
            Code::Internal,
            Code::Unknown,
        ] {
            assert!(may_pass(&Status::new(code, "")), "{code:?}");
        }
        for code in [
            Code::InvalidArgument,
            Code::NotFound,
            Code::FailedPrecondition,
            Code::PermissionDenied,
            Code::Unauthenticated,
        ] {
            assert!(!may_pass(&Status::new(code, "")), "{code:?}");
        }
    }

    #[tokio::test]
    async fn a_call_is_repeated_until_it_is_answered() {
        let asked = AtomicU32::new(0);
        let answer = patiently("get_work", || async {
            match asked.fetch_add(1, Ordering::SeqCst) {
                0 => Err(Status::unavailable("restarting")),
                1 => Err(Status::unknown("transport error")),
                _ => Ok(7),
            }
        });
        assert_eq!(answer.await.unwrap(), 7);
        assert_eq!(asked.load(Ordering::SeqCst), 3);
    }

    #[tokio::test]
    async fn a_refusal_ends_the_asking_and_says_why() {
        let mut details = tonic_types::ErrorDetails::new();
        details.set_error_info("BOOK_CLOSED", "bid-gateway.aex", std::collections::HashMap::new());
        let refused = patiently("submit_bid", || async {
            Err::<(), _>(Status::with_error_details(
                Code::FailedPrecondition,
                "bidding is over",
                details.clone(),
            ))
        });
        let refused = refused.await.unwrap_err();
        assert_eq!(refused.reason, "BOOK_CLOSED");
        assert_eq!(
            refused.to_string(),
            "submit_bid answers FailedPrecondition BOOK_CLOSED: bidding is over"
        );
    }
}
