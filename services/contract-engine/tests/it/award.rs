use std::time::Duration;

use aex_proto::aex::{
    bid_gateway::v1::BidStatus, contract_engine::v1 as pb, provider_registry::v1::ProviderStatus,
    work_publisher::v1::WorkStatus,
};
use aex_testkit::{Refused, Turn};
use tonic::Code;

use crate::fixture::{Engine, award};

const AWAY: Turn = Turn::Refuse(Code::Unavailable, "DEPENDENCY_UNAVAILABLE");
const BROKEN: Turn = Turn::Refuse(Code::Internal, "INTERNAL");
const CLOSED: Turn = Turn::Refuse(Code::PermissionDenied, "AUDIENCE_DENIED");

#[tokio::test]
async fn an_award_holds_the_money_before_the_contract_stands() {
    let mut engine = Engine::new().await;
    let trade = engine.trade(&["10", "12"], |_| {});
    let request = award(&trade, 1);
    let contract = engine
        .ada_client
        .award_contract(request.clone())
        .await
        .unwrap()
        .into_inner()
        .contract
        .unwrap();
    assert_eq!(contract.status(), pb::ContractStatus::Awarded);
    assert_eq!(
        (contract.bid_id.as_str(), contract.price.unwrap().amount.as_str()),
        (trade.bid_ids[1].as_str(), "12")
    );
    {
        let stage = engine.peers.stage();
        let hold = &stage.holds[&contract.contract_id];
        assert_eq!(hold.amount.as_ref().unwrap().amount, "12");
        // Ten minutes to deliver, an hour to review, and an hour.
        let deadline = hold.deadline.as_ref().unwrap().seconds;
        assert_eq!(deadline - contract.expire_time.unwrap().seconds, 7200);
        assert!(stage.confirmed.contains(&contract.contract_id));
    }
    assert_eq!(
        engine.database.event_types().await,
        ["contract.proposed", "contract.awarded"]
    );
    let again = engine
        .ada_client
        .award_contract(request)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(again.contract.unwrap().contract_id, contract.contract_id);
}

#[tokio::test]
async fn a_second_award_of_one_work_is_refused() {
    let mut engine = Engine::new().await;
    let trade = engine.trade(&["10", "12"], |_| {});
    engine.ada_client.award_contract(award(&trade, 0)).await.unwrap();
    let refused = Refused::from(engine.ada_client.award_contract(award(&trade, 1)).await);
    assert_eq!(refused.why(), (Code::FailedPrecondition, "WORK_NOT_AWARDABLE"));
}

#[tokio::test]
async fn of_many_awards_of_one_work_at_once_one_wins() {
    let engine = Engine::new().await;
    let trade = engine.trade(&["10", "11", "12", "13"], |_| {});
    let calls = (0..8).map(|number| {
        let (mut client, request) = (engine.ada_client.clone(), award(&trade, number % 4));
        tokio::spawn(async move { client.award_contract(request).await })
    });
    let calls: Vec<_> = calls.collect();
    let mut won = 0;
    for call in calls {
        match call.await.unwrap() {
            Ok(_) => won += 1,
            Err(status) => assert_eq!(Refused::from(status).reason, "WORK_NOT_AWARDABLE"),
        }
    }
    assert_eq!((won, engine.peers.stage().holds.len()), (1, 1));
}

#[tokio::test]
async fn what_can_be_refused_beforehand_leaves_no_contract() {
    let mut engine = Engine::new().await;
    let trade = engine.trade(&["10"], |_| {});
    let (bid, provider) = (trade.bid_ids[0].clone(), trade.provider_ids[0].clone());
    let stranger = Refused::from(engine.bob_client.award_contract(award(&trade, 0)).await);
    assert_eq!(stranger.why(), (Code::NotFound, "WORK_NOT_FOUND"));
    let dear = engine.trade(&["50.000001"], |_| {});
    let refused = Refused::from(engine.ada_client.award_contract(award(&dear, 0)).await);
    assert_eq!(refused.why(), (Code::FailedPrecondition, "BID_NOT_RANKED"));
    assert_eq!(
        engine.peers.script.times_asked("ReserveAward"),
        0,
        "bidding goes on"
    );
    for (status, reason) in [
        (BidStatus::Superseded, "BID_CHANGED"),
        (BidStatus::Withdrawn, "BID_NOT_RANKED"),
        (BidStatus::Disqualified, "BID_NOT_RANKED"),
    ] {
        engine
            .peers
            .stage()
            .bids
            .get_mut(&bid)
            .unwrap()
            .set_status(status);
        assert_eq!(
            Refused::from(engine.ada_client.award_contract(award(&trade, 0)).await).reason,
            reason
        );
    }
    engine
        .peers
        .stage()
        .bids
        .get_mut(&bid)
        .unwrap()
        .set_status(BidStatus::Received);
    engine
        .peers
        .stage()
        .providers
        .get_mut(&provider)
        .unwrap()
        .set_status(ProviderStatus::Suspended);
    let refused = Refused::from(engine.ada_client.award_contract(award(&trade, 0)).await);
    assert_eq!(refused.why(), (Code::FailedPrecondition, "PROVIDER_NOT_ACTIVE"));
    engine.world.advance(Duration::from_secs(301));
    let refused = Refused::from(engine.client(&engine.ada).award_contract(award(&trade, 0)).await);
    assert_eq!(refused.why(), (Code::FailedPrecondition, "BID_EXPIRED"));
    engine.peers.stage().bids.clear();
    let refused = Refused::from(engine.client(&engine.ada).award_contract(award(&trade, 0)).await);
    assert_eq!(refused.why(), (Code::NotFound, "BID_NOT_FOUND"));
    engine
        .peers
        .stage()
        .works
        .get_mut(&trade.work_id)
        .unwrap()
        .set_status(WorkStatus::Cancelled);
    let refused = Refused::from(engine.client(&engine.ada).award_contract(award(&trade, 0)).await);
    assert_eq!(refused.why(), (Code::FailedPrecondition, "WORK_NOT_AWARDABLE"));
    assert!(engine.database.event_types().await.is_empty());
}

#[tokio::test]
async fn a_definite_refusal_makes_the_contract_void_and_gives_everything_back() {
    let mut engine = Engine::new().await;
    let trade = engine.trade(&["10"], |_| {});
    engine.peers.stage().is_poor = true;
    let request = award(&trade, 0);
    let refused = Refused::from(engine.ada_client.award_contract(request.clone()).await);
    assert_eq!(refused.why(), (Code::FailedPrecondition, "INSUFFICIENT_FUNDS"));
    let void = engine.of_work(&trade.work_id).await.remove(0);
    assert_eq!(
        (void.status(), void.status_reason.as_str()),
        (pb::ContractStatus::Void, "insufficient_funds")
    );
    {
        let stage = engine.peers.stage();
        assert!(stage.released.contains_key(&void.contract_id));
        let release = &stage.released_works[0];
        assert!(release.sealed && !release.r#final);
        assert_eq!(stage.works[&trade.work_id].status(), WorkStatus::Evaluating);
    }
    // The key stands for that contract; another key is another award.
    engine.peers.stage().is_poor = false;
    assert_eq!(
        Refused::from(engine.ada_client.award_contract(request).await).reason,
        "INSUFFICIENT_FUNDS"
    );
    engine.ada_client.award_contract(award(&trade, 0)).await.unwrap();
}

#[tokio::test]
async fn whatever_a_peer_refuses_for_good_makes_the_contract_void_at_once() {
    use Code::{FailedPrecondition, InvalidArgument, NotFound};
    let mut engine = Engine::new().await;
    for (method, code, said, answered) in [
        (
            "PlaceHold",
            FailedPrecondition,
            "INSUFFICIENT_FUNDS",
            "INSUFFICIENT_FUNDS",
        ),
        (
            "PlaceHold",
            FailedPrecondition,
            "RECEIVABLE_OPEN",
            "INSUFFICIENT_FUNDS",
        ),
        (
            "PlaceHold",
            InvalidArgument,
            "CURRENCY_UNSUPPORTED",
            "CURRENCY_UNSUPPORTED",
        ),
        ("PlaceHold", InvalidArgument, "REQUEST_INVALID", "HOLD_REFUSED"),
        ("PlaceHold", FailedPrecondition, "HOLD_RELEASED", "HOLD_REFUSED"),
        (
            "PlaceHold",
            FailedPrecondition,
            "HOLD_TERMS_CHANGED",
            "HOLD_REFUSED",
        ),
        ("PlaceHold", NotFound, "UNHEARD_OF", "HOLD_REFUSED"),
        ("Evaluate", FailedPrecondition, "UNHEARD_OF", "WORK_NOT_AWARDABLE"),
        (
            "ReserveAward",
            InvalidArgument,
            "REQUEST_INVALID",
            "WORK_NOT_AWARDABLE",
        ),
    ] {
        let trade = engine.trade(&["10"], |_| {});
        let before = engine.peers.script.times_asked(method);
        engine.peers.script.plan(method, [Turn::Refuse(code, said)]);
        let refused = Refused::from(engine.ada_client.award_contract(award(&trade, 0)).await);
        assert_eq!(refused.why(), (FailedPrecondition, answered), "{method} {said}");
        assert_eq!(
            engine.peers.script.times_asked(method),
            before + 1,
            "{method} {said}"
        );
        let void = engine.of_work(&trade.work_id).await.remove(0);
        assert_eq!(
            (void.status(), void.status_reason.to_uppercase().as_str()),
            (pb::ContractStatus::Void, answered)
        );
        let stage = engine.peers.stage();
        assert!(stage.released.contains_key(&void.contract_id), "{method} {said}");
        assert!(!stage.held_by.contains_key(&trade.work_id), "{method} {said}");
    }
}

#[tokio::test]
async fn a_consumer_that_would_pay_itself_is_told_so() {
    let mut engine = Engine::new().await;
    let trade = engine.trade(&["10"], |_| {});
    let ada = engine.ada.tenant.to_string();
    {
        let mut stage = engine.peers.stage();
        stage.bids.get_mut(&trade.bid_ids[0]).unwrap().provider_tenant_id = ada.clone();
        stage.providers.get_mut(&trade.provider_ids[0]).unwrap().tenant_id = ada;
    }
    engine.peers.script.plan(
        "PlaceHold",
        [Turn::Refuse(Code::InvalidArgument, "REQUEST_INVALID")],
    );
    let refused = Refused::from(engine.ada_client.award_contract(award(&trade, 0)).await);
    assert_eq!(refused.why(), (Code::FailedPrecondition, "SAME_TENANT"));
    assert_eq!(refused.metadata["bid_id"], trade.bid_ids[0]);
}

#[tokio::test]
async fn a_bid_that_is_not_the_one_that_was_seen_is_not_awarded() {
    let mut engine = Engine::new().await;
    for case in ["revision", "price", "replaced", "gone"] {
        let trade = engine.trade(&["10"], |_| {});
        {
            let mut stage = engine.peers.stage();
            let ranked = &mut stage.evaluations.get_mut(&trade.work_id).unwrap().ranked_bids;
            match case {
                "revision" => ranked[0].revision = 2,
                "price" => ranked[0].price = Some(crate::fixture::usd("9")),
                "replaced" => {
                    ranked[0].bid_id = engine
                        .world
                        .runtime()
                        .id::<aex_types::id::kind::Bid>()
                        .to_string();
                }
                _ => ranked.clear(),
            }
        }
        let refused = Refused::from(engine.ada_client.award_contract(award(&trade, 0)).await);
        let expected = if case == "gone" {
            "BID_NOT_RANKED"
        } else {
            "BID_CHANGED"
        };
        assert_eq!(refused.why(), (Code::FailedPrecondition, expected), "{case}");
        assert_eq!(
            engine.of_work(&trade.work_id).await[0].status(),
            pb::ContractStatus::Void
        );
    }
    assert!(engine.peers.stage().holds.is_empty());
}

#[tokio::test]
async fn a_peer_that_is_away_broken_or_late_is_asked_again() {
    let mut engine = Engine::new().await;
    for method in ["ReserveAward", "Evaluate", "PlaceHold", "ConfirmAward"] {
        for turns in [
            vec![AWAY; 3],
            vec![BROKEN; 2],
            vec![CLOSED; 2],
            vec![Turn::Late; 2],
        ] {
            let trade = engine.trade(&["10"], |_| {});
            let is_last = method == "ConfirmAward";
            engine.peers.script.plan(method, turns.clone());
            let contract = engine.ada_client.award_contract(award(&trade, 0)).await;
            let contract = contract.unwrap().into_inner().contract.unwrap();
            assert_eq!(
                contract.status(),
                pb::ContractStatus::Awarded,
                "{method} {turns:?}"
            );
            if !is_last {
                assert!(engine.peers.stage().confirmed.contains(&contract.contract_id));
            }
            engine.peers.script.clear();
        }
    }
}

#[tokio::test]
async fn an_award_that_cannot_be_decided_in_time_goes_on_by_itself() {
    let mut engine = Engine::new().await;
    let trade = engine.trade(&["10"], |_| {});
    engine.peers.script.plan("PlaceHold", vec![BROKEN; 10_000]);
    let request = award(&trade, 0);
    let mut hurried = tonic::Request::new(request.clone());
    hurried.set_timeout(Duration::from_secs(2));
    let refused = Refused::from(engine.ada_client.award_contract(hurried).await);
    assert_eq!(refused.why(), (Code::Unavailable, "AWARD_IN_PROGRESS"));
    engine.peers.script.clear();
    engine.start_workers();
    let contract = engine
        .ada_client
        .award_contract(request)
        .await
        .unwrap()
        .into_inner()
        .contract
        .unwrap();
    assert_eq!(contract.status(), pb::ContractStatus::Awarded);
    let id = contract.contract_id;
    engine
        .until("the work knows", async |engine| {
            engine.peers.stage().confirmed.contains(&id)
        })
        .await;
}
