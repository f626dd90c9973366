//! The methods of work-publisher: the table of contents.

mod audit;
mod cancel_work;
mod confirm_award;
mod get_work;
mod get_work_payload;
mod list_works;
mod publish_work;
mod release_award;
mod reserve_award;
mod watch_work;

use aex_kit::{Reply, Stream, stream, unary};
use aex_proto::aex::work_publisher::v1::{self as pb, work_publisher_service_server::WorkPublisherService};
use tonic::Request;

use self::{
    audit::audit, cancel_work::cancel_work, confirm_award::confirm_award, get_work::get_work,
    get_work_payload::get_work_payload, list_works::list_works, publish_work::publish_work,
    release_award::release_award, reserve_award::reserve_award, watch_work::watch_work,
};
use crate::App;

#[tonic::async_trait]
impl WorkPublisherService for App {
    type WatchWorkStream = Stream<pb::WatchWorkResponse>;

    async fn publish_work(&self, request: Request<pb::PublishWorkRequest>) -> Reply<pb::PublishWorkResponse> {
        unary(request, |call, request| publish_work(self, call, request)).await
    }

    async fn get_work(&self, request: Request<pb::GetWorkRequest>) -> Reply<pb::GetWorkResponse> {
        unary(request, |call, request| get_work(self, call, request)).await
    }

    async fn list_works(&self, request: Request<pb::ListWorksRequest>) -> Reply<pb::ListWorksResponse> {
        unary(request, |call, request| list_works(self, call, request)).await
    }

    async fn cancel_work(&self, request: Request<pb::CancelWorkRequest>) -> Reply<pb::CancelWorkResponse> {
        unary(request, |call, request| cancel_work(self, call, request)).await
    }

    async fn get_work_payload(
        &self,
        request: Request<pb::GetWorkPayloadRequest>,
    ) -> Reply<pb::GetWorkPayloadResponse> {
        unary(request, |call, request| get_work_payload(self, call, request)).await
    }

    async fn reserve_award(
        &self,
        request: Request<pb::ReserveAwardRequest>,
    ) -> Reply<pb::ReserveAwardResponse> {
        unary(request, |call, request| reserve_award(self, call, request)).await
    }

    async fn confirm_award(
        &self,
        request: Request<pb::ConfirmAwardRequest>,
    ) -> Reply<pb::ConfirmAwardResponse> {
        unary(request, |call, request| confirm_award(self, call, request)).await
    }

    async fn release_award(
        &self,
        request: Request<pb::ReleaseAwardRequest>,
    ) -> Reply<pb::ReleaseAwardResponse> {
        unary(request, |call, request| release_award(self, call, request)).await
    }

    async fn watch_work(&self, request: Request<pb::WatchWorkRequest>) -> Reply<Self::WatchWorkStream> {
        stream(request, |call, request| watch_work(self, call, request)).await
    }

    async fn audit(&self, request: Request<pb::AuditRequest>) -> Reply<pb::AuditResponse> {
        unary(request, |call, request| audit(self, call, request)).await
    }
}
