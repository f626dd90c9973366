//! The consumer: publishes batches, chooses among the bids, checks the answers, accepts or rejects.
//!
//! Where a work stands is always asked anew; the watches only say when it is worth asking. A step that was interrupted
//! is therefore taken again, with the same key.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use aex_proto::aex::{
    bid_evaluator::v1::{ExplainBidRequest, GetEvaluationRequest, RankedBid},
    bid_gateway::v1::{Bid, ListBidsRequest},
    common::v1::Money,
    contract_engine::v1::{
        AcceptContractRequest, AwardContractRequest, Contract, ContractStatus, FailContractRequest,
        GetContractRequest, GetContractResultRequest, RejectContractRequest, WatchContractsRequest,
        WatchContractsResponse, contract_engine_service_client::ContractEngineServiceClient,
    },
    settlement::v1::{GetSettlementRequest, Hold, HoldStatus},
    trust_broker::v1::GetTrustRequest,
    work_publisher::v1::{
        CancelWorkRequest, GetWorkRequest, PublishWorkRequest, VerificationMethod, WatchWorkRequest,
        WatchWorkResponse, Work, WorkStatus, work_publisher_service_client::WorkPublisherServiceClient,
    },
};
use aex_types::Amount;
use prost_types::Duration as Span;
use tokio::{
    sync::Notify,
    time::{Instant, timeout},
};
use tonic::Code;

use crate::{
    acks::Acks,
    awards::Awards,
    caller::{Caller, ask, watch},
    choice::{Candidate, choose},
    key::key,
    outside::pause,
    plan::Plan,
    sale::{Moved, Sale, Winner},
    task::{Batch, CATEGORY, JSON, Verdict, judge},
};

/// How long bids are taken, in seconds: when the exchange awards, and at most when the consumer does.
const WINDOWS: (i64, i64) = (5, 30);
/// The bids are in when none has come for so long.
const QUIET: Duration = Duration::from_millis(300);
/// How often is asked without being told to.
const POLL: Duration = Duration::from_millis(500);
/// A work that found nobody after so long is withdrawn; a contract without delivery is given up.
const GIVE_UP: Duration = Duration::from_mins(2);
/// A work that has not ended after so long is a failure of the day.
const SALE_LIMIT: Duration = Duration::from_mins(4);
/// How long the money of a rejected contract may take to come back.
const RELEASE_LIMIT: Duration = Duration::from_secs(20);
/// How long a provider may take, and how long the consumer may look at the result, in seconds.
const CONTRACT_LIMIT: i64 = 600;

/// The consumer of a day.
#[derive(Debug)]
pub(crate) struct Consumer {
    caller: Caller,
    acks: Acks,
    run: String,
    /// Its awards, for whoever wants to disturb them.
    pub(crate) awards: Awards,
    bells: Mutex<HashMap<String, Arc<Notify>>>,
}

/// What is remembered of a work between two looks.
#[derive(Debug)]
struct Pursuit {
    since: Instant,
    bids: usize,
    bids_since: Instant,
    tried: HashSet<String>,
    contract_id: String,
    verdict: Option<Verdict>,
}

impl Consumer {
    /// A consumer that trades in one run; the run's name is in all its keys.
    pub(crate) fn new(caller: Caller, acks: Acks, run: String) -> Self {
        Self {
            caller,
            acks,
            run,
            awards: Awards::default(),
            bells: Mutex::default(),
        }
    }

    /// Follows all contracts, and wakes whoever waits for one. Ends only when that is refused.
    pub(crate) async fn listen(&self) -> String {
        let open = |resume_token| {
            let mut contracts = ContractEngineServiceClient::new(self.caller.wire(None));
            let request = WatchContractsRequest {
                resume_token,
                ..Default::default()
            };
            async move { contracts.watch_contracts(request).await }
        };
        let hear = |message: WatchContractsResponse| {
            if let Some(contract) = message.contract {
                self.bell(&contract.work_id).notify_one();
            }
            message.resume_token
        };
        watch("watch_contracts", open, hear).await.to_string()
    }

    fn bell(&self, work_id: &str) -> Arc<Notify> {
        let mut bells = self.bells.lock().unwrap_or_else(PoisonError::into_inner);
        bells.entry(work_id.to_owned()).or_default().clone()
    }

    /// Brings one batch from publication to its end.
    pub(crate) async fn trade(&self, plan: &Plan) -> Result<Sale, String> {
        let work_id = self.publish(plan).await?;
        let bell = self.bell(&work_id);
        let open = |resume_token| {
            let mut works = WorkPublisherServiceClient::new(self.caller.wire(None));
            let request = WatchWorkRequest {
                work_id: work_id.clone(),
                resume_token,
            };
            async move { works.watch_work(request).await }
        };
        let hear = |message: WatchWorkResponse| {
            bell.notify_one();
            message.resume_token
        };
        tokio::select! {
            refused = watch("watch_work", open, hear) => Err(refused.to_string()),
            sale = self.pursue(plan, &work_id, &bell) => sale,
        }
    }

    async fn publish(&self, plan: &Plan) -> Result<String, String> {
        let (auto, chosen) = WINDOWS;
        let seconds = |seconds| Some(Span { seconds, nanos: 0 });
        let request = PublishWorkRequest {
            idempotency_key: key("work", &[&self.run, &plan.number.to_string()]),
            category: CATEGORY.to_owned(),
            description: plan.description(),
            max_price: Some(usd(plan.kind.most())),
            bid_strategy: plan.kind.strategy().into(),
            payload: Batch::of(&plan.truth).encode()?.into(),
            payload_content_type: JSON.to_owned(),
            bid_window: seconds(if plan.is_auto { auto } else { chosen }),
            auto_award: plan.is_auto,
            verification_method: VerificationMethod::ConsumerConfirm.into(),
            review_time: seconds(CONTRACT_LIMIT),
            // What is rejected comes back at once: nobody disputes in this market.
            dispute_window: seconds(0),
            contract_duration: seconds(CONTRACT_LIMIT),
            ..Default::default()
        };
        let reply = ask!(self.caller, works.publish_work, request)?;
        let work = reply.work.unwrap_or_default();
        self.note(&work)?;
        Ok(work.work_id)
    }

    fn note(&self, work: &Work) -> Result<(), String> {
        let status = work.status().as_str_name();
        self.acks.note("work", &work.work_id, status)
    }

    async fn pursue(&self, plan: &Plan, work_id: &str, bell: &Notify) -> Result<Sale, String> {
        let now = Instant::now();
        let mut pursuit = Pursuit {
            since: now,
            bids: 0,
            bids_since: now,
            tried: HashSet::new(),
            contract_id: String::new(),
            verdict: None,
        };
        loop {
            let work = self.work(work_id).await?;
            if let Some(sale) = self.look(plan, &work, &mut pursuit).await? {
                return Ok(sale);
            }
            if pursuit.since.elapsed() > SALE_LIMIT {
                return Err(format!("{work_id} has not ended: it is {:?}", work.status()));
            }
            let wait = if work.status() == WorkStatus::Open {
                QUIET
            } else {
                POLL
            };
            // Either way the work is looked at again.
            let _ = timeout(wait, bell.notified()).await;
        }
    }

    async fn work(&self, work_id: &str) -> Result<Work, String> {
        let request = GetWorkRequest {
            work_id: work_id.to_owned(),
        };
        Ok(ask!(self.caller, works.get_work, request)?
            .work
            .unwrap_or_default())
    }

    /// Takes the next step, if there is one. Answers the sale when the work has ended.
    async fn look(&self, plan: &Plan, work: &Work, pursuit: &mut Pursuit) -> Result<Option<Sale>, String> {
        if !work.contract_id.is_empty() {
            work.contract_id.clone_into(&mut pursuit.contract_id);
        }
        let is_late = pursuit.since.elapsed() > GIVE_UP;
        match work.status() {
            WorkStatus::Open | WorkStatus::Evaluating if is_late => self.cancel(&work.work_id).await?,
            WorkStatus::Open if !plan.is_auto => self.award_early(plan, work, pursuit).await?,
            WorkStatus::Evaluating if !plan.is_auto => self.award_ranked(work, pursuit).await?,
            WorkStatus::Awarded | WorkStatus::Executing => self.follow(plan, pursuit, is_late).await?,
            WorkStatus::Completed => {
                let contract = self.contract(&pursuit.contract_id).await?;
                if contract.status() == ContractStatus::Settled {
                    return self.ended(plan, work, pursuit).await.map(Some);
                }
            }
            WorkStatus::Failed | WorkStatus::Cancelled => {
                return self.ended(plan, work, pursuit).await.map(Some);
            }
            _ => {}
        }
        Ok(None)
    }

    /// Chooses among the bids as soon as no more of them come.
    async fn award_early(&self, plan: &Plan, work: &Work, pursuit: &mut Pursuit) -> Result<(), String> {
        let request = ListBidsRequest {
            work_id: work.work_id.clone(),
            page_size: 200,
            ..Default::default()
        };
        let bids = ask!(self.caller, bids.list_bids, request)?.bids;
        if bids.len() != pursuit.bids {
            (pursuit.bids, pursuit.bids_since) = (bids.len(), Instant::now());
        }
        if pursuit.bids_since.elapsed() < QUIET {
            return Ok(());
        }
        let mut candidates = Vec::new();
        for bid in bids.iter().filter(|bid| !pursuit.tried.contains(&bid.bid_id)) {
            candidates.push(self.candidate(bid).await?);
        }
        match choose(
            &candidates,
            plan.kind.most(),
            plan.truth.len(),
            plan.kind.percent(),
        ) {
            Some(best) => self.award(work, &best.bid_id, pursuit).await,
            None => Ok(()),
        }
    }

    async fn candidate(&self, bid: &Bid) -> Result<Candidate, String> {
        let request = GetTrustRequest {
            provider_id: bid.provider_id.clone(),
        };
        let trust = ask!(self.caller, trust.get_trust, request)?
            .trust
            .unwrap_or_default();
        Ok(Candidate {
            bid_id: bid.bid_id.clone(),
            price: amount(bid.price.as_ref())?,
            confidence: bid.confidence,
            trust: trust.score,
        })
    }

    /// The window ended before the consumer had chosen: it takes the best of the ranking.
    async fn award_ranked(&self, work: &Work, pursuit: &mut Pursuit) -> Result<(), String> {
        let Some(ranked) = self.ranking(&work.work_id).await? else {
            return Ok(());
        };
        match ranked.iter().find(|bid| !pursuit.tried.contains(&bid.bid_id)) {
            Some(best) => self.award(work, &best.bid_id, pursuit).await,
            None if ranked.is_empty() => Ok(()),
            None => self.cancel(&work.work_id).await,
        }
    }

    async fn ranking(&self, work_id: &str) -> Result<Option<Vec<RankedBid>>, String> {
        let request = GetEvaluationRequest {
            work_id: work_id.to_owned(),
        };
        match ask!(self.caller, evaluations.get_evaluation, request) {
            Ok(reply) => Ok(Some(reply.evaluation.unwrap_or_default().ranked_bids)),
            Err(refused) if refused.code == Code::NotFound => Ok(None),
            Err(refused) => Err(refused.to_string()),
        }
    }

    async fn award(&self, work: &Work, bid_id: &str, pursuit: &mut Pursuit) -> Result<(), String> {
        let request = AwardContractRequest {
            idempotency_key: key("award", &[&work.work_id, bid_id]),
            work_id: work.work_id.clone(),
            bid_id: bid_id.to_owned(),
        };
        let award = self.awards.begin();
        let answer = ask!(self.caller, contracts.award_contract, request);
        award.end();
        match answer {
            Ok(reply) => {
                let contract = reply.contract.unwrap_or_default();
                pursuit.contract_id.clone_from(&contract.contract_id);
                self.acks.contract(&contract)
            }
            Err(refused) if refused.reason == "INSUFFICIENT_FUNDS" => Err(refused.to_string()),
            // The bid is not to be had any more, or the work has moved on; the next look sees which.
            Err(refused) if matches!(refused.code, Code::FailedPrecondition | Code::NotFound) => {
                pursuit.tried.insert(bid_id.to_owned());
                Ok(())
            }
            Err(refused) => Err(refused.to_string()),
        }
    }

    async fn cancel(&self, work_id: &str) -> Result<(), String> {
        let request = CancelWorkRequest {
            idempotency_key: key("cancel", &[work_id]),
            work_id: work_id.to_owned(),
        };
        match ask!(self.caller, works.cancel_work, request) {
            Ok(reply) => self.note(&reply.work.unwrap_or_default()),
            // An award was faster.
            Err(refused) if refused.code == Code::FailedPrecondition => Ok(()),
            Err(refused) => Err(refused.to_string()),
        }
    }

    async fn contract(&self, contract_id: &str) -> Result<Contract, String> {
        let request = GetContractRequest {
            contract_id: contract_id.to_owned(),
        };
        Ok(ask!(self.caller, contracts.get_contract, request)?
            .contract
            .unwrap_or_default())
    }

    /// Judges what was delivered, or gives a contract up that nobody fulfils.
    async fn follow(&self, plan: &Plan, pursuit: &mut Pursuit, is_late: bool) -> Result<(), String> {
        let contract_id = pursuit.contract_id.clone();
        let contract = self.contract(&contract_id).await?;
        match contract.status() {
            ContractStatus::VerificationPending => {
                let request = GetContractResultRequest {
                    contract_id: contract_id.clone(),
                };
                let delivered = ask!(self.caller, contracts.get_contract_result, request)?.result;
                let verdict = judge(&delivered, &plan.truth, plan.kind.percent());
                pursuit.verdict = Some(verdict);
                self.answer(&contract_id, verdict, plan.kind.percent()).await
            }
            ContractStatus::Awarded | ContractStatus::Executing if is_late => {
                let request = FailContractRequest {
                    idempotency_key: key("fail", &[&contract_id]),
                    contract_id,
                    reason: "nothing was delivered in time".to_owned(),
                };
                match ask!(self.caller, contracts.fail_contract, request) {
                    Ok(reply) => self.acks.contract(&reply.contract.unwrap_or_default()),
                    // It was delivered at the last moment.
                    Err(refused) if refused.code == Code::FailedPrecondition => Ok(()),
                    Err(refused) => Err(refused.to_string()),
                }
            }
            _ => Ok(()),
        }
    }

    async fn answer(&self, contract_id: &str, verdict: Verdict, percent: usize) -> Result<(), String> {
        if verdict.is_accepted {
            let request = AcceptContractRequest {
                idempotency_key: key("accept", &[contract_id]),
                contract_id: contract_id.to_owned(),
            };
            let reply = ask!(self.caller, contracts.accept_contract, request)?;
            return self.acks.contract(&reply.contract.unwrap_or_default());
        }
        let request = RejectContractRequest {
            idempotency_key: key("reject", &[contract_id]),
            contract_id: contract_id.to_owned(),
            reason: format!(
                "{} of {} right, {percent} % were asked for",
                verdict.right, verdict.total
            ),
        };
        let reply = ask!(self.caller, contracts.reject_contract, request)?;
        self.acks.contract(&reply.contract.unwrap_or_default())
    }

    /// What became of it. That the exchange said so is an acknowledgement too.
    async fn ended(&self, plan: &Plan, work: &Work, pursuit: &Pursuit) -> Result<Sale, String> {
        self.note(work)?;
        let ranking = self.ranking(&work.work_id).await?.unwrap_or_default();
        let mut sale = Sale {
            number: plan.number,
            kind: plan.kind,
            is_auto: plan.is_auto,
            work_id: work.work_id.clone(),
            status: work
                .status()
                .as_str_name()
                .trim_start_matches("WORK_STATUS_")
                .to_lowercase(),
            reason: work.status_reason.clone(),
            bidders: ranking.iter().map(|bid| bid.provider_id.clone()).collect(),
            contract_id: pursuit.contract_id.clone(),
            winner: None,
            right: pursuit.verdict.map(|verdict| verdict.right),
            accuracy: pursuit.verdict.map(Verdict::accuracy),
            is_accepted: pursuit.verdict.map(|verdict| verdict.is_accepted),
            money: Moved::default(),
        };
        if pursuit.contract_id.is_empty() {
            return Ok(sale);
        }
        let contract = self.contract(&pursuit.contract_id).await?;
        self.acks.contract(&contract)?;
        sale.winner = Some(self.winner(&contract, &ranking).await?);
        let hold = self.hold(&pursuit.contract_id).await?;
        sale.money = moved(&hold)?;
        let status = hold.status().as_str_name();
        self.acks.note("hold", &pursuit.contract_id, status)?;
        Ok(sale)
    }

    /// The money of a contract that has ended. What was rejected is given back by settlement's own clock, a moment
    /// later; this waits for that.
    async fn hold(&self, contract_id: &str) -> Result<Hold, String> {
        let end = Instant::now() + RELEASE_LIMIT;
        loop {
            let request = GetSettlementRequest {
                contract_id: contract_id.to_owned(),
            };
            let hold = ask!(self.caller, money.get_settlement, request)?
                .hold
                .unwrap_or_default();
            if hold.status() != HoldStatus::Held || Instant::now() > end {
                return Ok(hold);
            }
            pause(POLL / 10).await;
        }
    }

    /// Who won, and why, as the exchange explains it.
    async fn winner(&self, contract: &Contract, ranking: &[RankedBid]) -> Result<Winner, String> {
        let request = ExplainBidRequest {
            work_id: contract.work_id.clone(),
            bid_id: contract.bid_id.clone(),
        };
        let why = ask!(self.caller, evaluations.explain_bid, request)?
            .explanation
            .unwrap_or_default();
        let ranked = ranking
            .iter()
            .find(|bid| bid.bid_id == contract.bid_id)
            .cloned()
            .unwrap_or_default();
        Ok(Winner {
            provider_id: contract.provider_id.clone(),
            price: amount(contract.price.as_ref())?,
            rank: ranked.rank,
            score: why.total_score,
            best_score: why.winning_score,
            trust: ranked.trust_score,
            parts: why
                .components
                .into_iter()
                .map(|part| (part.name, part.contribution))
                .collect(),
        })
    }
}

/// What a hold says was paid, and what it still keeps.
fn moved(hold: &Hold) -> Result<Moved, String> {
    let or_nothing = |money: &Option<Money>| {
        money
            .as_ref()
            .map_or(Ok(Amount::ZERO), |money| amount(Some(money)))
    };
    let is_held = hold.status() == HoldStatus::Held;
    Ok(Moved {
        paid: or_nothing(&hold.price)?,
        fee: or_nothing(&hold.fee)?,
        payout: or_nothing(&hold.payout)?,
        held: if is_held {
            amount(hold.amount.as_ref())?
        } else {
            Amount::ZERO
        },
    })
}

/// Dollars, for the wire.
pub(crate) fn usd(amount: Amount) -> Money {
    Money {
        currency_code: "USD".to_owned(),
        amount: amount.to_string(),
    }
}

/// Dollars, from the wire.
pub(crate) fn amount(money: Option<&Money>) -> Result<Amount, String> {
    let money = money.ok_or("an amount is missing")?;
    if money.currency_code != "USD" {
        return Err(format!("{} where dollars were expected", money.currency_code));
    }
    money
        .amount
        .parse()
        .map_err(|error| format!("the amount {:?} {error}", money.amount))
}
