use std::time::Duration;

use aex_proto::aex::{
    contract_engine::v1 as pb,
    work_publisher::v1::{PayloadInfo, VerificationMethod},
};
use aex_testkit::{Refused, Turn};
use tonic::Code;

use crate::fixture::{Engine, accept, complete, fail, reject, report, start};

#[tokio::test]
async fn a_contract_is_started_reported_delivered_accepted_and_paid() {
    let mut engine = Engine::new().await;
    let id = engine.awarded().await.contract_id;
    engine.bob_client.start_contract(start(&id)).await.unwrap();
    let refused = Refused::from(engine.bob_client.start_contract(start(&id)).await);
    assert_eq!(
        refused.why(),
        (Code::FailedPrecondition, "CONTRACT_STATUS_INVALID")
    );
    engine.bob_client.report_progress(report(&id, 60)).await.unwrap();
    let delivered = engine
        .bob_client
        .complete_contract(complete(&id))
        .await
        .unwrap()
        .into_inner()
        .contract
        .unwrap();
    assert_eq!(
        (delivered.status(), delivered.progress_percent),
        (pb::ContractStatus::VerificationPending, 60)
    );
    let accepted = engine
        .ada_client
        .accept_contract(accept(&id))
        .await
        .unwrap()
        .into_inner()
        .contract
        .unwrap();
    assert_eq!(accepted.status(), pb::ContractStatus::Completed);
    // Paid at once, by the call that completed it.
    assert_eq!(engine.status(&id).await, pb::ContractStatus::Settled);
    assert_eq!(
        engine.database.event_types().await,
        [
            "contract.proposed",
            "contract.awarded",
            "contract.executing",
            "contract.progress",
            "contract.delivered",
            "contract.completed",
            "contract.paid"
        ]
    );
}

#[tokio::test]
async fn a_payment_that_fails_is_made_by_a_worker() {
    let mut engine = Engine::new().await;
    let id = engine.delivered().await.contract_id;
    engine.peers.script.plan(
        "SettleContract",
        vec![Turn::Refuse(Code::Internal, "INTERNAL"), Turn::Late],
    );
    engine.ada_client.accept_contract(accept(&id)).await.unwrap();
    assert_eq!(engine.status(&id).await, pb::ContractStatus::Completed);
    engine.start_workers();
    engine
        .until("it is paid", async |engine| {
            engine.status(&id).await == pb::ContractStatus::Settled
        })
        .await;
    assert_eq!(engine.peers.script.times_asked("SettleContract"), 3);
}

#[tokio::test]
async fn a_payment_that_settlement_refuses_for_good_is_left_to_the_audit() {
    let mut engine = Engine::new().await;
    let id = engine.delivered().await.contract_id;
    engine
        .peers
        .script
        .plan("SettleContract", [Turn::Refuse(Code::NotFound, "HOLD_NOT_FOUND")]);
    engine.ada_client.accept_contract(accept(&id)).await.unwrap();
    let left = "SELECT 1 FROM timer WHERE kind = 'settle'";
    assert_eq!(engine.database.execute(left).await, 0);
    engine.world.advance(Duration::from_mins(11));
    let audit = engine.operator.audit(pb::AuditRequest::default()).await;
    let violations = audit.unwrap().into_inner().violations;
    let found = violations
        .iter()
        .any(|found| (found.invariant.as_str(), &found.subject) == ("contract.paid", &id));
    assert!(found, "{violations:?}");
    assert_eq!(engine.status(&id).await, pb::ContractStatus::Completed);
    assert_eq!(engine.peers.script.times_asked("SettleContract"), 1);
}

#[tokio::test]
async fn money_that_settlement_does_not_give_back_for_good_is_asked_for_once() {
    let mut engine = Engine::new().await;
    let id = engine.awarded().await.contract_id;
    engine.peers.script.plan(
        "ReleaseHold",
        [
            Turn::Refuse(Code::Unavailable, "DEPENDENCY_UNAVAILABLE"),
            Turn::Refuse(Code::FailedPrecondition, "HOLD_CAPTURED"),
        ],
    );
    engine.ada_client.fail_contract(fail(&id)).await.unwrap();
    engine.start_workers();
    engine
        .until("nothing is left to do", async |engine| {
            let left = "SELECT 1 FROM timer WHERE kind = 'release'";
            engine.database.execute(left).await == 0
        })
        .await;
    assert_eq!(engine.peers.script.times_asked("ReleaseHold"), 2);
    assert!(engine.peers.stage().released.is_empty());
}

#[tokio::test]
async fn where_nobody_confirms_delivery_completes() {
    let mut engine = Engine::new().await;
    let id = engine
        .awarded_as(|work| work.set_verification_method(VerificationMethod::None))
        .await
        .contract_id;
    let answer = engine
        .bob_client
        .complete_contract(complete(&id))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(answer.contract.unwrap().status(), pb::ContractStatus::Completed);
    assert_eq!(engine.status(&id).await, pb::ContractStatus::Settled);
}

#[tokio::test]
async fn silence_accepts_when_the_review_time_is_over() {
    let mut engine = Engine::new().await;
    let id = engine.delivered().await.contract_id;
    engine.start_workers();
    engine.world.advance(Duration::from_secs(3599));
    let refused = engine.client(&engine.ada).reject_contract(reject(&id)).await;
    assert!(refused.is_ok(), "a second before the deadline");
    let late = engine.delivered_again().await;
    engine.world.advance(Duration::from_hours(1));
    let refused = Refused::from(engine.client(&engine.ada).reject_contract(reject(&late)).await);
    assert_eq!(refused.reason, "CONTRACT_STATUS_INVALID");
    engine
        .until("it is paid", async |engine| {
            engine.status(&late).await == pb::ContractStatus::Settled
        })
        .await;
}

#[tokio::test]
async fn a_rejection_keeps_the_money_for_the_dispute_window() {
    let mut engine = Engine::new().await;
    let id = engine.delivered().await.contract_id;
    let failed = engine
        .ada_client
        .reject_contract(reject(&id))
        .await
        .unwrap()
        .into_inner()
        .contract
        .unwrap();
    assert_eq!(failed.status_reason, "rejected_by_consumer");
    engine.start_workers();
    let wanted = id.clone();
    engine
        .until("the money is released", async |engine| {
            engine.peers.stage().released.contains_key(&wanted)
        })
        .await;
    let not_before = engine.peers.stage().released[&id].not_before.unwrap().seconds;
    assert_eq!(not_before - failed.end_time.unwrap().seconds, 7200);
}

#[tokio::test]
async fn what_is_not_delivered_in_time_expires_and_the_money_goes_back() {
    let mut engine = Engine::new().await;
    let (first, second) = (
        engine.awarded().await.contract_id,
        engine.awarded().await.contract_id,
    );
    engine.bob_client.start_contract(start(&second)).await.unwrap();
    engine.world.advance(Duration::from_mins(10));
    // The deadline decides, not the moment when the timer runs.
    let refused = Refused::from(
        engine
            .client(&engine.bob)
            .complete_contract(complete(&first))
            .await,
    );
    assert_eq!(refused.reason, "CONTRACT_STATUS_INVALID");
    engine.start_workers();
    for id in [first, second] {
        let wanted = id.clone();
        engine
            .until("the money is back", async |engine| {
                engine
                    .peers
                    .stage()
                    .released
                    .get(&wanted)
                    .is_some_and(|release| release.not_before.is_none())
            })
            .await;
        assert_eq!(engine.status(&id).await, pb::ContractStatus::Expired);
    }
}

#[tokio::test]
async fn either_side_can_give_a_contract_up() {
    let mut engine = Engine::new().await;
    let (mut ada, mut bob) = (engine.ada_client.clone(), engine.bob_client.clone());
    let id = engine.awarded().await.contract_id;
    ada.fail_contract(fail(&id)).await.unwrap();
    assert_eq!(engine.get(&id).await.status_reason, "failed_by_consumer");
    let id = engine.awarded().await.contract_id;
    bob.fail_contract(fail(&id)).await.unwrap();
    assert_eq!(engine.get(&id).await.status_reason, "failed_by_provider");
    let id = engine.awarded().await.contract_id;
    let admitted = pb::CompleteContractRequest {
        success: false,
        ..complete(&id)
    };
    bob.complete_contract(admitted).await.unwrap();
    let contract = engine.get(&id).await;
    assert_eq!(
        (contract.status_reason.as_str(), contract.message.as_str()),
        ("provider_reported_failure", "done")
    );
}

#[tokio::test]
async fn a_result_that_lacks_a_field_is_not_taken() {
    let mut engine = Engine::new().await;
    let id = engine
        .awarded_as(|work| {
            work.constraints.get_or_insert_default().required_fields = vec!["confidence".to_owned()];
        })
        .await
        .contract_id;
    let refused = Refused::from(engine.bob_client.complete_contract(complete(&id)).await);
    assert_eq!(refused.why(), (Code::InvalidArgument, "RESULT_INCOMPLETE"));
    assert_eq!(refused.metadata["missing"], "confidence");
    assert_eq!(engine.status(&id).await, pb::ContractStatus::Awarded);
}

#[tokio::test]
async fn a_result_of_four_mebibytes_comes_back_as_it_was() {
    let mut engine = Engine::new().await;
    let id = engine.awarded().await.contract_id;
    let request = pb::GetContractResultRequest {
        contract_id: id.clone(),
    };
    let refused = Refused::from(engine.ada_client.get_contract_result(request.clone()).await);
    assert_eq!(refused.why(), (Code::NotFound, "RESULT_NOT_FOUND"));
    let large = vec![7; 4 << 20];
    let delivery = pb::CompleteContractRequest {
        result: large.clone().into(),
        result_content_type: "image/png".to_owned(),
        ..complete(&id)
    };
    engine.bob_client.complete_contract(delivery).await.unwrap();
    let answer = engine
        .ada_client
        .get_contract_result(request)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(answer.result, large);
    assert_eq!(answer.info.unwrap().size_bytes, 4 << 20);
    let event = engine
        .database
        .events()
        .await
        .into_iter()
        .find(|event| event.r#type == "contract.delivered");
    assert!(event.unwrap().payload.len() < 1024);
}

#[tokio::test]
async fn the_payload_is_the_awarded_providers_until_the_contract_ends() {
    let mut engine = Engine::new().await;
    let contract = engine.awarded().await;
    let id = contract.contract_id;
    engine
        .peers
        .stage()
        .payloads
        .insert(contract.work_id.clone(), b"pixels".to_vec());
    let request = pb::GetContractPayloadRequest {
        contract_id: id.clone(),
    };
    let answer = engine
        .bob_client
        .get_contract_payload(request.clone())
        .await
        .unwrap()
        .into_inner();
    assert_eq!(answer.payload, b"pixels".to_vec());
    engine.bob_client.fail_contract(fail(&id)).await.unwrap();
    let refused = Refused::from(engine.bob_client.get_contract_payload(request).await);
    assert_eq!(refused.reason, "CONTRACT_STATUS_INVALID");
}

#[tokio::test]
async fn of_a_payload_that_is_kept_elsewhere_the_provider_learns_all_but_the_bytes() {
    let mut engine = Engine::new().await;
    let info = PayloadInfo {
        content_type: "image/png".to_owned(),
        size_bytes: 8 << 20,
        sha256: vec![7; 32].into(),
        location: "https://store.example.com/p".to_owned(),
    };
    let kept = info.clone();
    let contract = engine.awarded_as(|work| work.payload = Some(kept)).await;
    let request = pb::GetContractPayloadRequest {
        contract_id: contract.contract_id,
    };
    let answer = engine.bob_client.get_contract_payload(request).await;
    let wanted = pb::GetContractPayloadResponse {
        payload: Vec::new().into(),
        content_type: info.content_type,
        sha256: info.sha256,
        size_bytes: info.size_bytes,
        location: info.location,
    };
    assert_eq!(answer.unwrap().into_inner(), wanted);
}

#[tokio::test]
async fn of_a_result_that_is_kept_elsewhere_the_consumer_learns_all_but_the_bytes() {
    let mut engine = Engine::new().await;
    let id = engine.awarded().await.contract_id;
    let delivery = pb::CompleteContractRequest {
        result: Vec::new().into(),
        result_content_type: "image/png".to_owned(),
        result_location: "https://store.example.com/r".to_owned(),
        result_sha256: vec![7; 32].into(),
        result_size_bytes: 8 << 20,
        ..complete(&id)
    };
    engine.bob_client.complete_contract(delivery).await.unwrap();
    let request = pb::GetContractResultRequest { contract_id: id };
    let answer = engine.ada_client.get_contract_result(request).await;
    let answer = answer.unwrap().into_inner();
    assert!(answer.result.is_empty());
    let wanted = pb::Result {
        summary: "done".to_owned(),
        content_type: "image/png".to_owned(),
        size_bytes: 8 << 20,
        sha256: vec![7; 32].into(),
        location: "https://store.example.com/r".to_owned(),
    };
    assert_eq!(answer.info, Some(wanted));
}
