use std::time::Duration;

use aex_event_ledger::App;
use aex_kit::Hosted as _;
use aex_proto::aex::{common::v1::Event, event_ledger::v1 as pb};
use aex_testkit::{Shape, Who, World, principal};
use tonic::Streaming;

use crate::fixture::{Client, Ledger, app, request, sequences};

/// Long enough for anything that will come at all.
const SOON: Duration = Duration::from_secs(10);

async fn tail(client: &mut Client, after_sequence: u64, types: &[&str]) -> Streaming<pb::TailEventsResponse> {
    let request = pb::TailEventsRequest {
        filter: Some(pb::EventFilter {
            types: types.iter().map(ToString::to_string).collect(),
            ..Default::default()
        }),
        after_sequence,
    };
    client.tail_events(request).await.unwrap().into_inner()
}

async fn next(tail: &mut Streaming<pb::TailEventsResponse>) -> pb::TailEventsResponse {
    let message = tokio::time::timeout(SOON, tail.message()).await;
    message.expect("nothing came").unwrap().expect("the tail ended")
}

/// Reads until so many events came; answers their sequences.
async fn read(tail: &mut Streaming<pb::TailEventsResponse>, count: usize) -> Vec<u64> {
    let mut found = Vec::new();
    while found.len() < count {
        let batch = next(tail).await;
        assert!(batch.events.len() <= 200);
        assert!(batch.resume_sequence >= batch.events.last().map_or(0, |last| last.sequence));
        found.extend(sequences(&batch.events));
    }
    found
}

#[tokio::test]
async fn a_tail_gives_what_is_stored_and_then_what_comes() {
    for shape in Shape::ALL {
        let mut ledger = Ledger::in_shape(shape).await;
        ledger.append_works(0..450).await;
        let mut all = tail(&mut ledger.operator, 0, &[]).await;
        let mut late = tail(&mut ledger.service("settlement"), 440, &[]).await;
        assert_eq!(read(&mut all, 450).await, (1..=450).collect::<Vec<_>>());
        assert_eq!(read(&mut late, 10).await, (441..=450).collect::<Vec<_>>());
        for round in 0..5 {
            ledger.append_works(1000 + round * 3..1003 + round * 3).await;
            let expected: Vec<_> = (451 + round * 3..454 + round * 3).collect();
            assert_eq!(read(&mut all, 3).await, expected);
            assert_eq!(read(&mut late, 3).await, expected);
        }
    }
}

#[tokio::test]
async fn a_tail_resumes_behind_what_it_did_not_want() {
    let mut ledger = Ledger::new().await;
    let rare = |event: Event| Event {
        r#type: "work.cancelled".to_owned(),
        ..event
    };
    ledger.append_works(0..3).await;
    ledger.append(&[rare(ledger.work(0, 2))]).await;
    let mut cancelled = tail(&mut ledger.operator, 0, &["work.cancelled"]).await;
    let batch = next(&mut cancelled).await;
    assert_eq!((sequences(&batch.events), batch.resume_sequence), (vec![4], 4));
    // At the end of the log, from memory.
    ledger.append_works(10..13).await;
    ledger
        .append(&[rare(ledger.work(1, 2)), ledger.work(20, 1)])
        .await;
    let batch = next(&mut cancelled).await;
    assert_eq!(sequences(&batch.events), [8]);
    assert_eq!(batch.resume_sequence, 9);
    ledger.append_works(30..40).await;
    drop(cancelled);
    let mut resumed = tail(&mut ledger.operator, batch.resume_sequence, &["work.cancelled"]).await;
    ledger.append(&[rare(ledger.work(2, 2))]).await;
    assert_eq!(read(&mut resumed, 1).await, [20]);
}

#[tokio::test]
async fn a_tenant_receives_only_what_it_may_see() {
    let mut ledger = Ledger::new().await;
    let ada = principal(&ledger.world);
    let shown = |event: Event| Event {
        visible_to: vec![ada.tenant.to_string()],
        ..event
    };
    ledger
        .append(&[ledger.work(1, 1), shown(ledger.work(2, 1))])
        .await;
    let mut client = ledger.tenant(&ada);
    let mut stored = tail(&mut client, 0, &[]).await;
    assert_eq!(read(&mut stored, 1).await, [2]);
    ledger
        .append(&[ledger.work(3, 1), shown(ledger.work(4, 1))])
        .await;
    assert_eq!(read(&mut stored, 1).await, [4]);
}

#[tokio::test]
async fn messages_of_large_events_stay_small() {
    let mut ledger = Ledger::new().await;
    let large = |event: Event| Event {
        payload: vec![7; 400 << 10].into(),
        ..event
    };
    let mut live = tail(&mut ledger.operator, 0, &[]).await;
    let events: Vec<_> = (0..5).map(|work| large(ledger.work(work, 1))).collect();
    ledger.append(&events).await;
    let mut stored = tail(&mut ledger.operator, 0, &[]).await;
    for tail in [&mut live, &mut stored] {
        let mut sizes = Vec::new();
        while sizes.iter().sum::<usize>() < 5 {
            sizes.push(next(tail).await.events.len());
        }
        assert_eq!(sizes, [2, 2, 1]);
    }
}

#[tokio::test]
async fn a_tail_sees_what_another_replica_appends() {
    let mut ledger = Ledger::new().await;
    let mut other = World::new(Shape::InProcess);
    other.host(&app(&other, &ledger.database)).await;
    let mut replica = Client::new(other.client(&Who::Service("work-publisher"), App::NAME));
    ledger.append_works(0..2).await;
    let mut here = tail(&mut ledger.operator, 0, &[]).await;
    assert_eq!(read(&mut here, 2).await, [1, 2]);
    for round in 0..4_u64 {
        let next = 3 + round * 4;
        replica
            .append(request(&[ledger.work(100 + round, 1)]))
            .await
            .unwrap();
        ledger.append_works(10 + round..11 + round).await;
        assert_eq!(read(&mut here, 2).await, [next, next + 1]);
        // And alone, so that only looking can find it.
        for version in 2..4 {
            replica
                .append(request(&[ledger.work(100 + round, version)]))
                .await
                .unwrap();
        }
        assert_eq!(read(&mut here, 2).await, [next + 2, next + 3]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn tails_that_are_opened_anywhere_miss_nothing_while_many_append() {
    let mut ledger = Ledger::new().await;
    let writers = (0..8_u64).map(|writer| {
        let events: Vec<_> = (1..=60).map(|version| ledger.work(writer, version)).collect();
        let mut publisher = ledger.publisher.clone();
        tokio::spawn(async move {
            for batch in events.chunks(3) {
                publisher.append(request(batch)).await.unwrap();
            }
        })
    });
    let writers: Vec<_> = writers.collect();
    let readers = (0..12_u64).map(|reader| {
        let mut operator = ledger.operator.clone();
        tokio::spawn(async move {
            // Closed and opened again in between, at the position that it was told.
            let mut position = reader * 7;
            let mut found = Vec::new();
            while position < 480 {
                let mut open = tail(&mut operator, position, &["work.*"]).await;
                for _ in 0..3 {
                    let batch = next(&mut open).await;
                    found.extend(sequences(&batch.events));
                    position = batch.resume_sequence;
                    if position >= 480 {
                        break;
                    }
                }
            }
            assert_eq!(found, (reader * 7 + 1..=480).collect::<Vec<_>>());
        })
    });
    let readers: Vec<_> = readers.collect();
    for task in writers.into_iter().chain(readers) {
        task.await.unwrap();
    }
    assert_eq!(ledger.verify().await.checked, 480);
}
