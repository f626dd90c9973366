//! A service whose handlers do what the test says: the evaluator's contract, because it is small.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

use aex_error::{Code, Denied, Explain, Fault, fault};
use aex_kit::{Call, Hosted, Reply, unary};
use aex_proto::aex::{
    bid_evaluator::v1::{
        self as pb,
        bid_evaluator_service_server::{BidEvaluatorService, BidEvaluatorServiceServer, SERVICE_NAME},
    },
    common::v1::ErrorReason,
};
use tokio::sync::Notify;
use tonic::{Request, service::RoutesBuilder};

/// What a handler does next.
#[derive(Debug, Clone)]
pub enum Act {
    /// Says that it is away.
    Unavailable,
    /// Panics.
    Panic,
    /// Waits until the test lets it go on.
    Wait(Arc<Notify>),
    /// Never answers.
    Hang,
    /// Answers so many bytes.
    Say(usize),
}

/// What a handler saw of its call.
#[derive(Debug, Clone)]
pub struct Seen {
    pub request_id: String,
    pub traceparent: String,
    pub time_left: Duration,
}

#[derive(Debug, Default)]
pub struct Scripted {
    script: Mutex<VecDeque<Act>>,
    /// How often a handler was begun and how often one came to its end.
    pub begun: AtomicU32,
    pub ended: AtomicU32,
    /// How many handlers have gone, at their end or before.
    pub gone: AtomicU32,
    pub seen: Mutex<Vec<Seen>>,
    /// Says that it cannot serve.
    pub is_away: AtomicBool,
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("away")]
    Away,
    #[error(transparent)]
    Denied(#[from] Denied),
}

impl Explain for Error {
    fn explain(&self) -> Fault {
        match self {
            Self::Away => fault(Code::Unavailable, ErrorReason::DependencyUnavailable),
            Self::Denied(denied) => denied.explain(),
        }
    }
}

impl Scripted {
    /// A service that does these things, one for each call, and answers plainly afterwards.
    pub fn doing(acts: impl IntoIterator<Item = Act>) -> Arc<Self> {
        Arc::new(Self {
            script: Mutex::new(acts.into_iter().collect()),
            ..Self::default()
        })
    }

    pub fn counts(&self) -> (u32, u32) {
        (
            self.begun.load(Ordering::SeqCst),
            self.ended.load(Ordering::SeqCst),
        )
    }

    async fn act(&self, call: &Call) -> Result<String, Error> {
        self.begun.fetch_add(1, Ordering::SeqCst);
        self.seen.lock().unwrap().push(Seen {
            request_id: call.request_id().to_owned(),
            traceparent: call.traceparent().to_owned(),
            time_left: call.time_left(),
        });
        let act = self.script.lock().unwrap().pop_front();
        let _going = Going(self);
        let mut said = String::new();
        match act {
            None => {}
            Some(Act::Say(bytes)) => said = "x".repeat(bytes),
            Some(Act::Unavailable) => return Err(Error::Away),
            Some(Act::Panic) => panic!("as the script says"),
            Some(Act::Wait(gate)) => gate.notified().await,
            Some(Act::Hang) => std::future::pending().await,
        }
        self.ended.fetch_add(1, Ordering::SeqCst);
        Ok(said)
    }
}

/// A handler that has begun; counts when it goes.
struct Going<'a>(&'a Scripted);

impl Drop for Going<'_> {
    fn drop(&mut self) {
        self.0.gone.fetch_add(1, Ordering::SeqCst);
    }
}

#[tonic::async_trait]
impl BidEvaluatorService for Scripted {
    async fn evaluate(&self, request: Request<pb::EvaluateRequest>) -> Reply<pb::EvaluateResponse> {
        unary(request, |call, _| async move {
            self.act(&call).await.map(|_| pb::EvaluateResponse::default())
        })
        .await
    }

    async fn get_evaluation(
        &self,
        request: Request<pb::GetEvaluationRequest>,
    ) -> Reply<pb::GetEvaluationResponse> {
        unary(request, |call, _| async move {
            let evaluation = pb::Evaluation {
                bid_strategy: self.act(&call).await?,
                ..Default::default()
            };
            Ok::<_, Error>(pb::GetEvaluationResponse {
                evaluation: Some(evaluation),
            })
        })
        .await
    }

    async fn explain_bid(&self, request: Request<pb::ExplainBidRequest>) -> Reply<pb::ExplainBidResponse> {
        unary(request, |call, _| async move {
            self.act(&call).await.map(|_| pb::ExplainBidResponse::default())
        })
        .await
    }

    async fn audit(&self, request: Request<pb::AuditRequest>) -> Reply<pb::AuditResponse> {
        unary(request, |call, _| async move {
            self.act(&call).await.map(|_| pb::AuditResponse::default())
        })
        .await
    }
}

impl Hosted for Scripted {
    const NAME: &'static str = "bid-evaluator";
    const PORT: u16 = 0;
    const SERVICES: &'static [&'static str] = &[SERVICE_NAME];

    fn routes(self: Arc<Self>, routes: &mut RoutesBuilder) {
        routes.add_service(BidEvaluatorServiceServer::from_arc(self));
    }

    fn start_workers(self: Arc<Self>) {}

    async fn is_ready(&self) -> bool {
        !self.is_away.load(Ordering::SeqCst)
    }
}
