//! The methods of bid-gateway: the table of contents.

mod audit;
mod get_bid;
mod list_bids;
mod seal_book;
mod submit_bid;
mod withdraw_bid;

use aex_error::Invalid;
use aex_kit::{Principal, Reply, unary};
use aex_proto::aex::bid_gateway::v1::{self as pb, bid_gateway_service_server::BidGatewayService};
use aex_types::ProviderId;
use tonic::Request;

use self::{
    audit::audit, get_bid::get_bid, list_bids::list_bids, seal_book::seal_book, submit_bid::submit_bid,
    withdraw_bid::withdraw_bid,
};
use crate::{App, Error, domain::bid::Bid};

#[tonic::async_trait]
impl BidGatewayService for App {
    async fn submit_bid(&self, request: Request<pb::SubmitBidRequest>) -> Reply<pb::SubmitBidResponse> {
        unary(request, |call, request| submit_bid(self, call, request)).await
    }

    async fn withdraw_bid(&self, request: Request<pb::WithdrawBidRequest>) -> Reply<pb::WithdrawBidResponse> {
        unary(request, |call, request| withdraw_bid(self, call, request)).await
    }

    async fn get_bid(&self, request: Request<pb::GetBidRequest>) -> Reply<pb::GetBidResponse> {
        unary(request, |call, request| get_bid(self, call, request)).await
    }

    async fn list_bids(&self, request: Request<pb::ListBidsRequest>) -> Reply<pb::ListBidsResponse> {
        unary(request, |call, request| list_bids(self, call, request)).await
    }

    async fn seal_book(&self, request: Request<pb::SealBookRequest>) -> Reply<pb::SealBookResponse> {
        unary(request, |call, request| seal_book(self, call, request)).await
    }

    async fn audit(&self, request: Request<pb::AuditRequest>) -> Reply<pb::AuditResponse> {
        unary(request, |call, request| audit(self, call, request)).await
    }
}

/// The provider that a key acts for: the one it is bound to, and then no other; else the one that is named.
fn acting(principal: &Principal, named: Option<ProviderId>) -> Result<ProviderId, Error> {
    match (principal.provider, named) {
        (Some(bound), Some(named)) if bound != named => Err(Error::ProviderNotFound(named)),
        (Some(bound), _) => Ok(bound),
        (None, Some(named)) => Ok(named),
        (None, None) => Err(Invalid::field("provider_id", "must be given").into()),
    }
}

/// Is it a bid of this key's provider?
fn is_own(principal: &Principal, bid: &Bid) -> bool {
    bid.provider_tenant_id == principal.tenant
        && principal.provider.is_none_or(|bound| bound == bid.provider_id)
}
