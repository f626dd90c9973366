//! The methods of the event ledger: the table of contents.

mod append;
mod audit;
mod commit_consumer;
mod get_consumer;
mod list_events;
mod tail_events;
mod verify_chain;

use aex_kit::{Call, Caller, Reply, Stream, stream, unary};
use aex_proto::aex::event_ledger::v1::{self as pb, event_ledger_service_server::EventLedgerService};
use aex_types::TenantId;
use tonic::Request;

use self::{
    append::append, audit::audit, commit_consumer::commit_consumer, get_consumer::get_consumer,
    list_events::list_events, tail_events::tail_events, verify_chain::verify_chain,
};
use crate::{App, log::Measure};

/// What one answer holds: a page of a list, a message of a tail.
const ANSWER: Measure = Measure {
    events: 200,
    bytes: 1 << 20,
};

#[tonic::async_trait]
impl EventLedgerService for App {
    type TailEventsStream = Stream<pb::TailEventsResponse>;

    async fn append(&self, request: Request<pb::AppendRequest>) -> Reply<pb::AppendResponse> {
        unary(request, |call, request| append(self, call, request)).await
    }

    async fn list_events(&self, request: Request<pb::ListEventsRequest>) -> Reply<pb::ListEventsResponse> {
        unary(request, |call, request| list_events(self, call, request)).await
    }

    async fn tail_events(&self, request: Request<pb::TailEventsRequest>) -> Reply<Self::TailEventsStream> {
        stream(request, |call, request| tail_events(self, call, request)).await
    }

    async fn get_consumer(&self, request: Request<pb::GetConsumerRequest>) -> Reply<pb::GetConsumerResponse> {
        unary(request, |call, request| get_consumer(self, call, request)).await
    }

    async fn commit_consumer(
        &self,
        request: Request<pb::CommitConsumerRequest>,
    ) -> Reply<pb::CommitConsumerResponse> {
        unary(request, |call, request| commit_consumer(self, call, request)).await
    }

    async fn verify_chain(&self, request: Request<pb::VerifyChainRequest>) -> Reply<pb::VerifyChainResponse> {
        unary(request, |call, request| verify_chain(self, call, request)).await
    }

    async fn audit(&self, request: Request<pb::AuditRequest>) -> Reply<pb::AuditResponse> {
        unary(request, |call, request| audit(self, call, request)).await
    }
}

/// The tenant that sees its own events only; operators and services see all.
fn viewer(call: &Call) -> Option<TenantId> {
    match call.caller() {
        Caller::Tenant(principal) => Some(principal.tenant),
        Caller::Public | Caller::Operator(_) | Caller::Service(_) => None,
    }
}
