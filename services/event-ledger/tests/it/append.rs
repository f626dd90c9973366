use std::{sync::Arc, time::Duration};

use aex_event_ledger::{App, SCHEMA, domain::chain::Hash};
use aex_kit::{Call, Hosted as _};
use aex_proto::aex::{common::v1::Event, event_ledger::v1 as pb};
use aex_store::{Failure, Store};
use aex_testkit::{Refused, Shape, Who};
use prost::Message as _;
use tokio::sync::Notify;
use tonic::Code;

use crate::fixture::{Client, Ledger, request, sequences};

#[tokio::test]
async fn events_are_kept_byte_for_byte_in_one_dense_chain() {
    for shape in Shape::ALL {
        let mut ledger = Ledger::in_shape(shape).await;
        // A field that this version does not know is part of the bytes.
        let mut with_unknown = ledger.work(1, 1).encode_to_vec();
        with_unknown.extend([0xfa, 0x01, 0x02, b'h', b'i']);
        let second = ledger.work(1, 2).encode_to_vec();
        let request = pb::AppendRequest {
            events: vec![with_unknown.clone().into(), second.clone().into()],
        };
        let answer = ledger.publisher.append(request).await.unwrap().into_inner();
        assert_eq!(answer.sequences, [1, 2]);
        assert_eq!(ledger.append(&[ledger.work(2, 1)]).await, [3]);

        let events = ledger.events().await;
        assert_eq!(sequences(&events), [1, 2, 3]);
        assert_eq!([&events[0].event, &events[1].event], [&with_unknown, &second]);
        let mut hash = Hash::START;
        for stored in &events {
            hash = hash.then(&stored.event);
            assert_eq!(stored.hash, hash.bytes().as_slice());
        }
    }
}

#[tokio::test]
async fn an_event_that_comes_again_keeps_its_place() {
    let mut ledger = Ledger::new().await;
    let (first, second) = (ledger.work(1, 1), ledger.work(1, 2));
    assert_eq!(ledger.append(std::slice::from_ref(&first)).await, [1]);
    // As a relay does that lost the answer: the old batch again, and what came in the meantime.
    assert_eq!(ledger.append(&[first.clone(), second.clone()]).await, [1, 2]);
    assert_eq!(
        ledger.append(&[second.clone(), first.clone(), first]).await,
        [2, 1, 1]
    );
    assert_eq!(ledger.events().await.len(), 2);
}

#[tokio::test]
async fn an_id_stands_for_one_event_only() {
    let mut ledger = Ledger::new().await;
    let event = ledger.work(1, 1);
    ledger.append(std::slice::from_ref(&event)).await;
    let other = Event {
        correlation_id: "another".to_owned(),
        ..event
    };
    let refused = Refused::from(
        ledger
            .publisher
            .append(request(&[ledger.work(2, 1), other]))
            .await,
    );
    assert_eq!(refused.why(), (Code::AlreadyExists, "EVENT_ID_REUSED"));
    assert_eq!(
        ledger.events().await.len(),
        1,
        "a request is appended as a whole or not at all"
    );
}

#[tokio::test]
async fn versions_come_one_after_the_other() {
    let mut ledger = Ledger::new().await;
    ledger.append(&[ledger.work(1, 1)]).await;
    for (wrong, next) in [
        (ledger.work(1, 3), "2"),
        (ledger.work(1, 1), "2"),
        (ledger.work(2, 2), "1"),
    ] {
        let refused = Refused::from(ledger.publisher.append(request(&[wrong])).await);
        assert_eq!(refused.why(), (Code::FailedPrecondition, "VERSION_OUT_OF_ORDER"));
        assert_eq!(refused.metadata["next_version"], next);
    }
    let far = [ledger.work(1, 2), ledger.work(1, 4)];
    let refused = Refused::from(ledger.publisher.append(request(&far)).await);
    assert_eq!(refused.why(), (Code::FailedPrecondition, "VERSION_OUT_OF_ORDER"));
    assert_eq!(ledger.append(&[ledger.work(1, 2)]).await, [2]);
}

#[tokio::test]
async fn a_service_tells_its_own_events_only() {
    let mut ledger = Ledger::new().await;
    let foreign = request(&[ledger.work(1, 1)]);
    let refused = Refused::from(ledger.service("settlement").append(foreign).await);
    assert_eq!(refused.why(), (Code::PermissionDenied, "PRODUCER_MISMATCH"));
    assert_eq!(refused.metadata["producer"], "work-publisher");
    assert!(ledger.events().await.is_empty());
}

#[tokio::test]
async fn everything_that_is_wrong_with_a_batch_is_named_at_once() {
    let mut ledger = Ledger::new().await;
    let wrong = Event {
        event_id: "evt_1".to_owned(),
        r#type: "work submitted".to_owned(),
        aggregate_id: String::new(),
        aggregate_version: 0,
        visible_to: vec!["nobody".to_owned()],
        ..ledger.work(1, 1)
    };
    let mut request = request(&[ledger.work(2, 1), wrong]);
    request.events.push(vec![0xff; 8].into());
    request.events.push(bytes::Bytes::new());
    let refused = Refused::from(ledger.publisher.append(request).await);
    assert_eq!(refused.why(), (Code::InvalidArgument, "REQUEST_INVALID"));
    assert_eq!(
        refused.fields,
        [
            "events[3]",
            "events[1].event_id",
            "events[1].type",
            "events[1].aggregate_id",
            "events[1].aggregate_version",
            "events[1].visible_to[0]",
            "events[2]",
        ]
    );
    let many = pb::AppendRequest {
        events: vec![vec![0xff].into(); 1001],
    };
    let refused = Refused::from(ledger.publisher.append(many).await);
    assert_eq!(refused.why(), (Code::InvalidArgument, "REQUEST_INVALID"));
    assert!(ledger.events().await.is_empty());
}

#[tokio::test]
async fn callers_that_share_a_commit_are_refused_alone() {
    let mut ledger = Ledger::new().await;
    let callers = (0..64_u64).map(|work| {
        // Every fourth caller begins with a version that does not fit.
        let event = ledger.work(work, if work % 4 == 3 { 2 } else { 1 });
        let mut publisher = ledger.publisher.clone();
        tokio::spawn(async move { (work, publisher.append(request(&[event])).await) })
    });
    for caller in callers.collect::<Vec<_>>() {
        let (work, answer) = caller.await.unwrap();
        assert_eq!(answer.is_err(), work % 4 == 3, "work {work}: {answer:?}");
    }
    assert_eq!(sequences(&ledger.events().await), (1..=48).collect::<Vec<_>>());
    assert_eq!(ledger.verify().await.broken_sequence, 0);
}

/// Another transaction that holds the end of the log until it is told to let go.
async fn hold_the_end(ledger: &Ledger) -> Arc<Notify> {
    let store = Store::attach(&SCHEMA, ledger.database.connect(), ledger.world.runtime());
    let (holds, release) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (held, released) = (Arc::clone(&holds), Arc::clone(&release));
    tokio::spawn(async move {
        let mut call = Call::own(store.runtime(), App::NAME, "test", Duration::from_mins(1));
        let holding = store.work(&mut call, async |tx| {
            sqlx::query("SELECT 1 FROM head FOR UPDATE")
                .execute(tx.sql())
                .await
                .map_err(Failure::from)?;
            held.notify_one();
            released.notified().await;
            Ok::<_, Failure>(())
        });
        holding.await.unwrap();
    });
    holds.notified().await;
    release
}

#[tokio::test]
async fn what_waits_for_its_commit_is_bounded() {
    let ledger = Ledger::new().await;
    let release = hold_the_end(&ledger).await;
    let large = |work| Event {
        payload: vec![7; 500 << 10].into(),
        ..ledger.work(work, 1)
    };
    let calls = (0..24_u64).map(|call| {
        let events: Vec<_> = (0..8).map(|event| large(call * 8 + event)).collect();
        let mut publisher = ledger.publisher.clone();
        tokio::spawn(async move { publisher.append(request(&events)).await })
    });
    let (mut placed, mut refused) = (0, 0);
    let mut calls: Vec<_> = calls.collect();
    // 64 MiB wait; the calls beyond are refused at once, while nothing moves.
    while refused == 0 {
        tokio::task::yield_now().await;
        for call in calls.extract_if(.., |call| call.is_finished()) {
            assert_eq!(
                Refused::from(call.await.unwrap()).why(),
                (Code::Unavailable, "OVERLOADED")
            );
            refused += 1;
        }
    }
    release.notify_one();
    for call in calls {
        match call.await.unwrap() {
            Ok(_) => placed += 1,
            Err(status) => {
                assert_eq!(Refused::from(status).why(), (Code::Unavailable, "OVERLOADED"));
                refused += 1;
            }
        }
    }
    assert!(placed >= 16, "{placed} placed, {refused} refused");
    assert_eq!(placed + refused, 24);
}

#[tokio::test]
async fn a_process_that_stops_ends_the_appends_that_it_took() {
    let mut ledger = Ledger::new().await;
    let release = hold_the_end(&ledger).await;
    let calls = (0..20).map(|work| {
        let (mut publisher, event) = (ledger.publisher.clone(), ledger.work(work, 1));
        tokio::spawn(async move { publisher.append(request(&[event])).await })
    });
    let calls: Vec<_> = calls.collect();
    tokio::task::yield_now().await;
    let runtime = ledger.world.runtime().clone();
    let stopping = tokio::spawn(async move { runtime.shutdown(Duration::from_secs(10)).await });
    release.notify_one();
    for call in calls {
        call.await.unwrap().unwrap();
    }
    assert!(stopping.await.unwrap(), "nothing was left behind");
    assert_eq!(ledger.events().await.len(), 20);
}

#[tokio::test]
async fn appends_go_on_after_the_database_has_failed_them() {
    let mut ledger = Ledger::new().await;
    ledger.database.execute("ALTER TABLE event RENAME TO gone").await;
    let calls = (0..8).map(|work| {
        let (mut publisher, event) = (ledger.publisher.clone(), ledger.work(work, 1));
        tokio::spawn(async move { publisher.append(request(&[event])).await })
    });
    for call in calls.collect::<Vec<_>>() {
        assert_eq!(
            Refused::from(call.await.unwrap()).why(),
            (Code::Internal, "INTERNAL")
        );
    }
    ledger.database.execute("ALTER TABLE gone RENAME TO event").await;
    assert_eq!(ledger.append(&[ledger.work(0, 1)]).await, [1]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_appenders_at_two_replicas_make_one_chain() {
    const WRITERS: u64 = 12;
    const ROUNDS: u64 = 25;
    let mut ledger = Ledger::new().await;
    let mut other = aex_testkit::World::new(Shape::InProcess);
    other.host(&crate::fixture::app(&other, &ledger.database)).await;
    let replica = Client::new(other.client(&Who::Service("work-publisher"), App::NAME));

    let writers = (0..WRITERS).map(|writer| {
        // Each writer has a work of its own, and sends every batch to both replicas at once: one of them is first.
        let batches: Vec<Vec<Event>> = (0..ROUNDS)
            .map(|round| {
                let versions = (round * (round + 1) / 2 + 1)..=((round + 1) * (round + 2) / 2);
                versions.map(|version| ledger.work(writer, version)).collect()
            })
            .collect();
        let (here, there) = (ledger.publisher.clone(), replica.clone());
        tokio::spawn(async move {
            for batch in batches {
                let (mut here, mut there) = (here.clone(), there.clone());
                let (one, two) = tokio::join!(here.append(request(&batch)), there.append(request(&batch)));
                assert_eq!(one.unwrap().into_inner(), two.unwrap().into_inner());
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }

    let events = ledger.events().await;
    let total = WRITERS * ROUNDS * (ROUNDS + 1) / 2;
    assert_eq!(sequences(&events), (1..=total).collect::<Vec<_>>());
    let mut hash = Hash::START;
    let mut versions = std::collections::HashMap::new();
    for stored in &events {
        hash = hash.then(&stored.event);
        assert_eq!(stored.hash, hash.bytes().as_slice());
        let event = Event::decode(stored.event.clone()).unwrap();
        let last: &mut u64 = versions.entry(event.aggregate_id).or_default();
        assert_eq!(event.aggregate_version, *last + 1);
        *last += 1;
    }
    let verdict = ledger.verify().await;
    assert_eq!((verdict.checked, verdict.broken_sequence), (total, 0));
}
