//! The way of all commands into the books, when the database refuses, the queue is full, or the process stops.

use std::time::Duration;

use aex_kit::Principal;
use aex_proto::aex::settlement::v1 as pb;
use sqlx::{Connection as _, Executor as _, PgConnection};
use tokio::task::JoinHandle;
use tonic::{Code, Status};

use crate::fixture::{Client, Settlement, config, deposit};

/// Holds the row of one tenant's money, so that the next transaction of the committer waits and commands gather behind it.
async fn stop(settlement: &Settlement) -> PgConnection {
    let mut lock = settlement.database.sql().await;
    lock.execute("BEGIN").await.unwrap();
    let held = lock.execute("SELECT 1 FROM account FOR UPDATE").await.unwrap();
    assert!(held.rows_affected() > 0, "nobody has money yet");
    lock
}

/// Waits until a transaction of the committer stands before the lock.
async fn until_it_waits(settlement: &Settlement, lock: &mut PgConnection) {
    let waits =
        "SELECT count(*) FROM pg_locks WHERE NOT granted AND transactionid = pg_current_xact_id()::xid";
    for _ in 0..2_000 {
        let waiting: i64 = sqlx::query_scalar(waits).fetch_one(&mut *lock).await.unwrap();
        if waiting > 0 {
            return;
        }
        settlement.world.runtime().pause(Duration::from_millis(5)).await;
    }
    panic!("no transaction came to the lock");
}

type Asked = JoinHandle<Result<pb::RequestDepositResponse, Status>>;

fn ask(client: &Client, request: &pb::RequestDepositRequest) -> Asked {
    let (mut client, request) = (client.clone(), request.clone());
    tokio::spawn(async move {
        client
            .request_deposit(request)
            .await
            .map(tonic::Response::into_inner)
    })
}

async fn funded(config: &aex_settlement::Config) -> (Settlement, Principal) {
    let mut settlement = Settlement::with(aex_testkit::Shape::InProcess, config).await;
    let ada = settlement.funded("Ada", "1000").await;
    (settlement, ada)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_the_database_refuses_fails_alone_in_its_transaction() {
    let (mut settlement, ada) = funded(&config()).await;
    settlement
        .database
        .execute("ALTER TABLE journal_line ADD CONSTRAINT unlucky CHECK (amount <> 13)")
        .await;
    let client = settlement.client(&ada);
    let mut lock = stop(&settlement).await;
    let first = ask(&client, &deposit("test", "1"));
    until_it_waits(&settlement, &mut lock).await;
    // These gather meanwhile, and go together.
    let asked: Vec<(u32, Asked)> = (1..=16)
        .map(|dollars| (dollars, ask(&client, &deposit("test", &dollars.to_string()))))
        .collect();
    tokio::task::yield_now().await;
    lock.close().await.unwrap();

    first.await.unwrap().unwrap();
    let mut paid = 1001;
    for (dollars, asked) in asked {
        match asked.await.unwrap() {
            Ok(_) => paid += dollars,
            Err(status) => {
                assert_eq!((dollars, status.code()), (13, Code::Internal));
                assert!(!status.message().contains("unlucky"), "{}", status.message());
            }
        }
    }
    assert_eq!(paid, 1001 + (1..=16).sum::<u32>() - 13);
    assert_eq!(settlement.balance(&ada).await[0], paid.to_string());
    settlement.assert_clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_queue_refuses_what_comes_and_loses_nothing_that_it_took() {
    let mut small = config();
    small.batch.queue = 2;
    let (mut settlement, ada) = funded(&small).await;
    let client = settlement.client(&ada);
    let mut lock = stop(&settlement).await;
    let first = ask(&client, &deposit("test", "1"));
    until_it_waits(&settlement, &mut lock).await;
    let requests: Vec<_> = (0..8).map(|_| deposit("test", "1")).collect();
    let asked: Vec<Asked> = requests.iter().map(|request| ask(&client, request)).collect();
    // Two fit; whoever is refused is answered at once, while the others wait.
    let mut refused = Vec::new();
    while refused.len() < 6 {
        refused = (0..8)
            .filter(|place: &usize| asked[*place].is_finished())
            .collect();
        tokio::task::yield_now().await;
    }
    lock.close().await.unwrap();

    first.await.unwrap().unwrap();
    for (place, asked) in asked.into_iter().enumerate() {
        match asked.await.unwrap() {
            Ok(_) => assert!(!refused.contains(&place)),
            Err(status) => {
                let reason = aex_testkit::Refused::from(status);
                assert_eq!(
                    (reason.code, reason.reason.as_str()),
                    (Code::Unavailable, "OVERLOADED")
                );
                assert!(refused.contains(&place));
            }
        }
    }
    assert_eq!(settlement.balance(&ada).await[0], "1003");
    // Under their keys all of them take effect once.
    for request in &requests {
        ask(&client, request).await.unwrap().unwrap();
    }
    assert_eq!(settlement.balance(&ada).await[0], "1009");
    settlement.assert_clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_stops_answers_the_commands_that_it_took() {
    let (settlement, ada) = funded(&config()).await;
    let client = settlement.client(&ada);
    let mut lock = stop(&settlement).await;
    let asked: Vec<Asked> = (0..8).map(|_| ask(&client, &deposit("test", "1"))).collect();
    until_it_waits(&settlement, &mut lock).await;
    let runtime = settlement.world.runtime().clone();
    let stopping = tokio::spawn({
        let runtime = runtime.clone();
        async move { runtime.shutdown(Duration::from_secs(20)).await }
    });
    runtime.stopping().await;
    lock.close().await.unwrap();
    let mut answered = 0;
    for asked in asked {
        // A call that came after the door was shut is refused; whoever was let in is answered.
        match asked.await.unwrap() {
            Ok(_) => answered += 1,
            Err(status) => assert_eq!(status.code(), Code::Unavailable),
        }
    }
    assert!(answered > 0);
    assert!(stopping.await.unwrap(), "something did not end");

    let confirmed = "SELECT 1 FROM deposit WHERE status = 'CONFIRMED'";
    let there = settlement.database.execute(confirmed).await;
    assert_eq!(there, answered + 1, "with the first that she had");
}
