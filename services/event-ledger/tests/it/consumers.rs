use aex_proto::aex::event_ledger::v1 as pb;
use aex_testkit::{Refused, principal};
use tonic::Code;

use crate::{conformance::commit, fixture::Ledger};

fn get(name: &str) -> pb::GetConsumerRequest {
    pb::GetConsumerRequest {
        name: name.to_owned(),
    }
}

#[tokio::test]
async fn a_consumer_stands_where_it_last_said() {
    let mut ledger = Ledger::new().await;
    ledger.append_works(0..3).await;
    let refused = Refused::from(ledger.operator.get_consumer(get("reports")).await);
    assert_eq!(refused.why(), (Code::NotFound, "CONSUMER_NOT_FOUND"));
    for sequence in [0, 2, 2, 3] {
        let made = ledger
            .operator
            .commit_consumer(commit("reports", sequence))
            .await
            .unwrap();
        let read = ledger
            .operator
            .get_consumer(get("reports"))
            .await
            .unwrap()
            .into_inner()
            .consumer
            .unwrap();
        assert_eq!(made.into_inner().consumer.unwrap(), read);
        assert_eq!((read.name.as_str(), read.sequence), ("reports", sequence));
    }
}

#[tokio::test]
async fn a_position_moves_forward_and_not_beyond_the_last_event() {
    let mut ledger = Ledger::new().await;
    ledger.append_works(0..3).await;
    ledger
        .operator
        .commit_consumer(commit("reports", 2))
        .await
        .unwrap();
    for wrong in [1, 4, i64::MAX.unsigned_abs()] {
        let refused = Refused::from(ledger.operator.commit_consumer(commit("reports", wrong)).await);
        assert_eq!(refused.why(), (Code::FailedPrecondition, "POSITION_INVALID"));
    }
    let refused = Refused::from(ledger.operator.commit_consumer(commit("new", 4)).await);
    assert_eq!(refused.why(), (Code::FailedPrecondition, "POSITION_INVALID"));
    let refused = Refused::from(ledger.operator.get_consumer(get("new")).await);
    assert_eq!(refused.code, Code::NotFound, "a refused commit makes no consumer");
}

#[tokio::test]
async fn a_name_belongs_to_the_one_who_uses_it() {
    let mut ledger = Ledger::new().await;
    ledger.append_works(0..3).await;
    let (ada, bob) = (principal(&ledger.world), principal(&ledger.world));
    let (mut ada, mut bob) = (ledger.tenant(&ada), ledger.tenant(&bob));
    ada.commit_consumer(commit("reports", 3)).await.unwrap();
    bob.commit_consumer(commit("reports", 1)).await.unwrap();
    let at = |answer: pb::GetConsumerResponse| answer.consumer.unwrap().sequence;
    assert_eq!(
        at(ada.get_consumer(get("reports")).await.unwrap().into_inner()),
        3
    );
    assert_eq!(
        at(bob.get_consumer(get("reports")).await.unwrap().into_inner()),
        1
    );
    let refused = Refused::from(ledger.operator.get_consumer(get("reports")).await);
    assert_eq!(refused.why(), (Code::NotFound, "CONSUMER_NOT_FOUND"));
}

#[tokio::test]
async fn nobody_has_more_than_a_hundred_consumers() {
    let ledger = Ledger::new().await;
    let (ada, bob) = (principal(&ledger.world), principal(&ledger.world));
    let (mut ada, mut bob) = (ledger.tenant(&ada), ledger.tenant(&bob));
    for number in 0..100 {
        ada.commit_consumer(commit(&format!("reader-{number}"), 0))
            .await
            .unwrap();
    }
    let refused = Refused::from(ada.commit_consumer(commit("reader-100", 0)).await);
    assert_eq!(refused.why(), (Code::ResourceExhausted, "CONSUMER_LIMIT_REACHED"));
    ada.commit_consumer(commit("reader-7", 0)).await.unwrap();
    bob.commit_consumer(commit("reader-100", 0)).await.unwrap();
}
