//! Peers that a test plays: each answers the methods that the test gives it, and no others.

use std::{
    collections::HashMap,
    convert::Infallible,
    fmt,
    marker::PhantomData,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
};

use aex_kit::{Hosted, LARGEST_MESSAGE};
use aex_proto::aex;
use futures::{FutureExt as _, future::BoxFuture};
use http::{Request, Response};
use prost::Message;
use tonic::{
    Code, Status,
    body::Body,
    server::{Grpc, NamedService},
    service::RoutesBuilder,
};
use tonic_prost::ProstCodec;
use tonic_types::{ErrorDetails, StatusExt as _};

/// A service that can be played.
pub trait Role: Send + Sync + 'static {
    /// The service's name.
    const NAME: &'static str;
    /// Its contract.
    const CONTRACT: &'static str;
}

macro_rules! roles {
    ($($role:ident plays $service:literal by $contract:path;)*) => {$(
        #[doc = concat!("Plays ", $service, ".")]
        #[derive(Debug, Clone, Copy)]
        pub struct $role;

        impl Role for $role {
            const NAME: &'static str = $service;
            const CONTRACT: &'static str = $contract;
        }
    )*};
}

roles! {
    BidEvaluator plays "bid-evaluator" by aex::bid_evaluator::v1::bid_evaluator_service_server::SERVICE_NAME;
    BidGateway plays "bid-gateway" by aex::bid_gateway::v1::bid_gateway_service_server::SERVICE_NAME;
    ProviderRegistry plays "provider-registry"
        by aex::provider_registry::v1::provider_registry_service_server::SERVICE_NAME;
    Settlement plays "settlement" by aex::settlement::v1::settlement_service_server::SERVICE_NAME;
    TrustBroker plays "trust-broker" by aex::trust_broker::v1::trust_broker_service_server::SERVICE_NAME;
    WorkPublisher plays "work-publisher" by aex::work_publisher::v1::work_publisher_service_server::SERVICE_NAME;
}

/// A refusal: its code, and its reason in the service's domain.
pub type No = (Code, &'static str);

/// What a script makes of one call.
#[derive(Debug, Clone, Copy)]
pub enum Turn {
    /// Refuses without effect.
    Refuse(Code, &'static str),
    /// Takes effect, and answers that the time ran out.
    Late,
}

/// What a test makes of the calls to its doubles, by method, and which calls there were. Clones are the same script.
#[derive(Debug, Clone, Default)]
pub struct Script(Arc<Mutex<Lines>>);

#[derive(Debug, Default)]
struct Lines {
    turns: HashMap<&'static str, Vec<Turn>>,
    asked: Vec<&'static str>,
}

impl Script {
    /// The next calls of a method go like this; those after them are answered.
    pub fn plan(&self, method: &'static str, turns: impl IntoIterator<Item = Turn>) {
        self.lines().turns.entry(method).or_default().extend(turns);
    }

    /// Nothing is planned any more.
    pub fn clear(&self) {
        self.lines().turns.clear();
    }

    /// How often a method was called.
    pub fn times_asked(&self, method: &str) -> usize {
        let lines = self.lines();
        lines.asked.iter().filter(|asked| **asked == method).count()
    }

    fn next(&self, method: &'static str) -> Option<Turn> {
        let mut lines = self.lines();
        lines.asked.push(method);
        let turns = lines.turns.get_mut(method)?;
        (!turns.is_empty()).then(|| turns.remove(0))
    }

    fn lines(&self) -> MutexGuard<'_, Lines> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

type Play = Arc<dyn Fn(Request<Body>) -> BoxFuture<'static, Response<Body>> + Send + Sync>;

/// A service as a test plays it. Calls pass the guard as those to the real one do.
pub struct Double<R> {
    script: Script,
    plays: HashMap<&'static str, Play>,
    role: PhantomData<fn() -> R>,
}

impl<R> Clone for Double<R> {
    fn clone(&self) -> Self {
        Self {
            script: self.script.clone(),
            plays: self.plays.clone(),
            role: PhantomData,
        }
    }
}

impl<R: Role> fmt::Debug for Double<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Double").field(&R::NAME).finish()
    }
}

impl<R: Role> Double<R> {
    /// Answers nothing yet, and goes by a script.
    pub fn new(script: &Script) -> Self {
        Self {
            script: script.clone(),
            plays: HashMap::new(),
            role: PhantomData,
        }
    }

    /// Answers a method.
    #[must_use]
    pub fn on<Q, A>(
        mut self,
        method: &'static str,
        answer: impl Fn(Q) -> Result<A, No> + Send + Sync + 'static,
    ) -> Self
    where
        Q: Message + Default + 'static,
        A: Message + Default + 'static,
    {
        let (script, answer) = (self.script.clone(), Arc::new(answer));
        let play: Play = Arc::new(move |request| {
            let (script, answer) = (script.clone(), Arc::clone(&answer));
            let played = tower::service_fn(move |request: tonic::Request<Q>| {
                let answered = match script.next(method) {
                    Some(Turn::Refuse(code, reason)) => Err((code, reason)),
                    Some(Turn::Late) => {
                        let _ = answer(request.into_inner());
                        Err((Code::DeadlineExceeded, "DEADLINE_EXCEEDED"))
                    }
                    None => answer(request.into_inner()),
                };
                std::future::ready(answered.map(tonic::Response::new).map_err(refused::<R>))
            });
            let codec = ProstCodec::<A, Q>::default();
            let mut grpc = Grpc::new(codec).max_decoding_message_size(LARGEST_MESSAGE);
            async move { grpc.unary(played, request).await }.boxed()
        });
        self.plays.insert(method, play);
        self
    }
}

fn refused<R: Role>((code, reason): No) -> Status {
    let details = ErrorDetails::with_error_info(reason, format!("{}.aex", R::NAME), HashMap::new());
    Status::with_error_details(code, reason, details)
}

impl<R: Role> Hosted for Double<R> {
    const NAME: &'static str = R::NAME;
    const PORT: u16 = 0;
    const SERVICES: &'static [&'static str] = &[R::CONTRACT];

    fn routes(self: Arc<Self>, routes: &mut RoutesBuilder) {
        routes.add_service((*self).clone());
    }

    fn start_workers(self: Arc<Self>) {}

    async fn is_ready(&self) -> bool {
        true
    }
}

impl<R: Role> NamedService for Double<R> {
    const NAME: &'static str = R::CONTRACT;
}

impl<R: Role> tower::Service<Request<Body>> for Double<R> {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let method = request.uri().path().rsplit('/').next().unwrap_or_default();
        if let Some(play) = self.plays.get(method) {
            return play(request).map(Ok).boxed();
        }
        let unplayed = Status::unimplemented(format!("the test does not play {method}"));
        std::future::ready(Ok(unplayed.into_http())).boxed()
    }
}
