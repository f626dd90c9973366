//! The peers of contract-engine, as far as it asks them: they keep what they are told, and a script makes them refuse, be
//! away, or answer too late after having taken effect.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard},
};

use aex_proto::aex::{
    bid_evaluator::v1 as evaluator,
    bid_gateway::v1 as gateway,
    provider_registry::v1 as registry,
    settlement::v1 as money,
    work_publisher::v1::{self as publisher, WorkStatus},
};
use aex_testkit::{
    Double, Script,
    double::{BidEvaluator, BidGateway, No, ProviderRegistry, Settlement, WorkPublisher},
};
use tonic::Code;

/// What all peers know and were told.
#[derive(Debug, Default)]
pub struct Stage {
    pub works: HashMap<String, publisher::Work>,
    pub payloads: HashMap<String, Vec<u8>>,
    /// Which contract holds which work.
    pub held_by: HashMap<String, String>,
    pub confirmed: HashSet<String>,
    pub released_works: Vec<publisher::ReleaseAwardRequest>,
    pub bids: HashMap<String, gateway::Bid>,
    pub evaluations: HashMap<String, evaluator::Evaluation>,
    pub providers: HashMap<String, registry::Provider>,
    pub holds: HashMap<String, money::PlaceHoldRequest>,
    pub released: HashMap<String, money::ReleaseHoldRequest>,
    pub settled: HashSet<String>,
    /// Amounts above this are refused, where it is set.
    pub is_poor: bool,
}

const WORK_NOT_FOUND: No = (Code::NotFound, "WORK_NOT_FOUND");

const fn no(reason: &'static str) -> No {
    (Code::FailedPrecondition, reason)
}

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

    /// What a method does to the stage.
    fn effect<Q, A>(
        &self,
        effect: impl Fn(&mut Stage, Q) -> Result<A, No> + Send + Sync + 'static,
    ) -> impl Fn(Q) -> Result<A, No> + Send + Sync + 'static {
        let peers = self.clone();
        move |request| effect(&mut peers.stage(), request)
    }

    pub fn publisher(&self) -> Arc<Double<WorkPublisher>> {
        let get_work = |stage: &mut Stage, request: publisher::GetWorkRequest| {
            let work = stage.works.get(&request.work_id).cloned();
            Ok(publisher::GetWorkResponse {
                work: Some(work.ok_or(WORK_NOT_FOUND)?),
            })
        };
        let double = Double::new(&self.script)
            .on("GetWork", self.effect(get_work))
            .on("GetWorkPayload", self.effect(get_work_payload))
            .on("ReserveAward", self.effect(reserve_award))
            .on("ConfirmAward", self.effect(confirm_award))
            .on("ReleaseAward", self.effect(release_award));
        Arc::new(double)
    }

    pub fn gateway(&self) -> Arc<Double<BidGateway>> {
        let get_bid = |stage: &mut Stage, request: gateway::GetBidRequest| {
            let bid = stage.bids.get(&request.bid_id).cloned();
            Ok(gateway::GetBidResponse {
                bid: Some(bid.ok_or((Code::NotFound, "BID_NOT_FOUND"))?),
            })
        };
        Arc::new(Double::new(&self.script).on("GetBid", self.effect(get_bid)))
    }

    pub fn evaluator(&self) -> Arc<Double<BidEvaluator>> {
        let evaluate = |stage: &mut Stage, request: evaluator::EvaluateRequest| {
            let evaluation = stage.evaluations.get(&request.work_id).cloned();
            Ok(evaluator::EvaluateResponse {
                evaluation: Some(evaluation.ok_or(WORK_NOT_FOUND)?),
            })
        };
        let get_evaluation = |stage: &mut Stage, request: evaluator::GetEvaluationRequest| {
            let evaluation = stage.evaluations.get(&request.work_id).cloned();
            Ok(evaluator::GetEvaluationResponse {
                evaluation: Some(evaluation.ok_or((Code::NotFound, "EVALUATION_NOT_FOUND"))?),
            })
        };
        let double = Double::new(&self.script)
            .on("Evaluate", self.effect(evaluate))
            .on("GetEvaluation", self.effect(get_evaluation));
        Arc::new(double)
    }

    pub fn registry(&self) -> Arc<Double<ProviderRegistry>> {
        let get_provider = |stage: &mut Stage, request: registry::GetProviderRequest| {
            let provider = stage.providers.get(&request.provider_id).cloned();
            Ok(registry::GetProviderResponse {
                provider: Some(provider.ok_or((Code::NotFound, "PROVIDER_NOT_FOUND"))?),
                ..Default::default()
            })
        };
        Arc::new(Double::new(&self.script).on("GetProvider", self.effect(get_provider)))
    }

    pub fn settlement(&self) -> Arc<Double<Settlement>> {
        let release_hold = |stage: &mut Stage, request: money::ReleaseHoldRequest| {
            if stage.settled.contains(&request.contract_id) {
                return Err(no("HOLD_CAPTURED"));
            }
            stage.released.insert(request.contract_id.clone(), request);
            Ok(money::ReleaseHoldResponse { hold: None })
        };
        let settle_contract = |stage: &mut Stage, request: money::SettleContractRequest| {
            let hold = stage.holds.get(&request.contract_id);
            let hold = hold.ok_or((Code::NotFound, "HOLD_NOT_FOUND"))?;
            assert_eq!(hold.amount, request.price);
            assert!(!stage.released.contains_key(&request.contract_id));
            stage.settled.insert(request.contract_id);
            Ok(money::SettleContractResponse { hold: None })
        };
        let double = Double::new(&self.script)
            .on("PlaceHold", self.effect(place_hold))
            .on("ReleaseHold", self.effect(release_hold))
            .on("SettleContract", self.effect(settle_contract));
        Arc::new(double)
    }
}

#[expect(clippy::needless_pass_by_value, reason = "as a double hands it over")]
fn get_work_payload(
    stage: &mut Stage,
    request: publisher::GetWorkPayloadRequest,
) -> Result<publisher::GetWorkPayloadResponse, No> {
    let info = stage.works[&request.work_id].payload.clone().unwrap_or_default();
    if !info.location.is_empty() {
        return Err(no("PAYLOAD_ELSEWHERE"));
    }
    let payload = stage.payloads.get(&request.work_id).cloned().unwrap_or_default();
    Ok(publisher::GetWorkPayloadResponse {
        payload: payload.into(),
        info: Some(info),
    })
}

fn reserve_award(
    stage: &mut Stage,
    request: publisher::ReserveAwardRequest,
) -> Result<publisher::ReserveAwardResponse, No> {
    let work = stage.works.get_mut(&request.work_id).ok_or(WORK_NOT_FOUND)?;
    let is_ours = stage.held_by.get(&request.work_id) == Some(&request.contract_id);
    let is_free = matches!(work.status(), WorkStatus::Open | WorkStatus::Evaluating);
    if !is_ours && !is_free {
        return Err(no("WORK_NOT_AWARDABLE"));
    }
    stage.held_by.insert(request.work_id, request.contract_id);
    work.set_status(WorkStatus::Awarding);
    let work = Some(work.clone());
    Ok(publisher::ReserveAwardResponse { work })
}

fn confirm_award(
    stage: &mut Stage,
    request: publisher::ConfirmAwardRequest,
) -> Result<publisher::ConfirmAwardResponse, No> {
    assert_eq!(stage.held_by.get(&request.work_id), Some(&request.contract_id));
    assert!(
        stage.holds.contains_key(&request.contract_id),
        "no award without a hold"
    );
    let work = stage.works.get_mut(&request.work_id).ok_or(WORK_NOT_FOUND)?;
    work.set_status(WorkStatus::Awarded);
    stage.confirmed.insert(request.contract_id);
    let work = Some(work.clone());
    Ok(publisher::ConfirmAwardResponse { work })
}

fn release_award(
    stage: &mut Stage,
    request: publisher::ReleaseAwardRequest,
) -> Result<publisher::ReleaseAwardResponse, No> {
    if stage.held_by.get(&request.work_id) == Some(&request.contract_id) {
        stage.held_by.remove(&request.work_id);
        let work = stage.works.get_mut(&request.work_id).ok_or(WORK_NOT_FOUND)?;
        work.set_status(match (request.r#final, request.sealed) {
            (true, _) => WorkStatus::Failed,
            (_, true) => WorkStatus::Evaluating,
            _ => WorkStatus::Open,
        });
    }
    stage.released_works.push(request);
    Ok(publisher::ReleaseAwardResponse { work: None })
}

#[expect(clippy::needless_pass_by_value, reason = "as a double hands it over")]
fn place_hold(stage: &mut Stage, request: money::PlaceHoldRequest) -> Result<money::PlaceHoldResponse, No> {
    if stage.released.contains_key(&request.contract_id) {
        return Err(no("HOLD_RELEASED"));
    }
    if stage.is_poor {
        return Err(no("INSUFFICIENT_FUNDS"));
    }
    let known = stage.holds.entry(request.contract_id.clone());
    if *known.or_insert_with(|| request.clone()) == request {
        Ok(money::PlaceHoldResponse { hold: None })
    } else {
        Err(no("HOLD_TERMS_CHANGED"))
    }
}
