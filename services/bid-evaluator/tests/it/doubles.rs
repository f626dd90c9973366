//! The peers of bid-evaluator, as far as it asks them.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard},
};

use aex_proto::aex::{
    bid_gateway::v1 as gateway, provider_registry::v1 as registry, trust_broker::v1 as trust,
    work_publisher::v1 as publisher,
};
use aex_testkit::{
    Double, Script,
    double::{BidGateway, No, ProviderRegistry, TrustBroker, WorkPublisher},
};
use tonic::Code;

/// What all peers know.
#[derive(Debug, Default)]
pub struct Stage {
    pub works: HashMap<String, publisher::Work>,
    pub books: HashMap<String, gateway::SealBookResponse>,
    pub providers: HashMap<String, registry::Provider>,
    pub trust: HashMap<String, trust::Trust>,
}

const WORK_NOT_FOUND: No = (Code::NotFound, "WORK_NOT_FOUND");

/// The peers. Clones are the same ones.
#[derive(Debug, Clone, Default)]
pub struct Peers {
    stage: Arc<Mutex<Stage>>,
    pub script: Script,
}

impl Peers {
    pub fn stage(&self) -> MutexGuard<'_, Stage> {
        self.stage.lock().unwrap()
    }

    pub fn publisher(&self) -> Arc<Double<WorkPublisher>> {
        let peers = self.clone();
        Arc::new(
            Double::new(&self.script).on("GetWork", move |request: publisher::GetWorkRequest| {
                let work = peers.stage().works.get(&request.work_id).cloned();
                Ok(publisher::GetWorkResponse {
                    work: Some(work.ok_or(WORK_NOT_FOUND)?),
                })
            }),
        )
    }

    pub fn gateway(&self) -> Arc<Double<BidGateway>> {
        let peers = self.clone();
        Arc::new(
            Double::new(&self.script).on("SealBook", move |request: gateway::SealBookRequest| {
                let book = peers.stage().books.get(&request.work_id).cloned();
                book.ok_or(WORK_NOT_FOUND)
            }),
        )
    }

    pub fn registry(&self) -> Arc<Double<ProviderRegistry>> {
        let peers = self.clone();
        let double = Double::new(&self.script);
        Arc::new(
            double.on("GetProvider", move |request: registry::GetProviderRequest| {
                let provider = peers.stage().providers.get(&request.provider_id).cloned();
                Ok(registry::GetProviderResponse {
                    provider: Some(provider.ok_or((Code::NotFound, "PROVIDER_NOT_FOUND"))?),
                    ..Default::default()
                })
            }),
        )
    }

    pub fn trust(&self) -> Arc<Double<TrustBroker>> {
        let peers = self.clone();
        let double = Double::new(&self.script);
        Arc::new(
            double.on("BatchGetTrust", move |request: trust::BatchGetTrustRequest| {
                let stage = peers.stage();
                let asked = request.provider_ids.iter();
                let trusts = asked.map(|id| stage.trust[id].clone()).collect();
                Ok(trust::BatchGetTrustResponse { trusts })
            }),
        )
    }
}
