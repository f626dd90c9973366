use aex_proto::aex::event_ledger::v1 as pb;

use crate::fixture::Ledger;

async fn check(ledger: &mut Ledger, from_sequence: u64, limit: i32) -> (u64, u64, u64) {
    let request = pb::VerifyChainRequest { from_sequence, limit };
    let found = ledger.operator.verify_chain(request).await.unwrap().into_inner();
    assert_eq!(found.broken_sequence == 0, found.problem.is_empty());
    (found.checked, found.next_sequence, found.broken_sequence)
}

#[tokio::test]
async fn a_whole_chain_is_checked_part_by_part() {
    let mut ledger = Ledger::new().await;
    assert_eq!(check(&mut ledger, 0, 0).await, (0, 0, 0));
    ledger.append_works(0..10).await;
    assert_eq!(check(&mut ledger, 0, 0).await, (10, 0, 0));
    assert_eq!(check(&mut ledger, 0, 4).await, (4, 5, 0));
    assert_eq!(check(&mut ledger, 5, 4).await, (4, 9, 0));
    assert_eq!(check(&mut ledger, 9, 4).await, (2, 0, 0));
    assert_eq!(check(&mut ledger, 11, 4).await, (0, 0, 0));
    assert_eq!(check(&mut ledger, 1000, 4).await, (0, 0, 0));
}

#[tokio::test]
async fn a_flipped_byte_is_found_wherever_it_is() {
    let mut ledger = Ledger::new().await;
    ledger.append_works(0..5).await;
    let flip = "UPDATE event SET {column} = set_byte({column}, {at}, get_byte({column}, {at}) # 1) WHERE sequence = {seq}";
    for sequence in 1..=5_u64 {
        for (column, at) in [
            ("event", "0"),
            ("event", "length(event) - 1"),
            ("hash", "0"),
            ("hash", "31"),
        ] {
            let flip = flip
                .replace("{column}", column)
                .replace("{at}", at)
                .replace("{seq}", &sequence.to_string());
            assert_eq!(ledger.database.execute(&flip).await, 1);
            let next = (sequence + 1) % 6;
            assert_eq!(
                check(&mut ledger, 0, 0).await,
                (sequence - 1, next, sequence),
                "{column} {at}"
            );
            ledger.database.execute(&flip).await;
        }
    }
    assert_eq!(check(&mut ledger, 0, 0).await, (5, 0, 0));
}

#[tokio::test]
async fn events_that_were_taken_out_or_put_in_are_found() {
    let mut ledger = Ledger::new().await;
    ledger.append_works(0..5).await;
    ledger
        .database
        .execute("CREATE TABLE kept AS SELECT * FROM event")
        .await;
    for missing in [1, 3, 5] {
        ledger
            .database
            .execute(&format!("DELETE FROM event WHERE sequence = {missing}"))
            .await;
        let (checked, _, broken) = check(&mut ledger, 0, 0).await;
        assert_eq!((checked, broken), (missing - 1, missing));
        ledger
            .database
            .execute("INSERT INTO event SELECT * FROM kept ON CONFLICT DO NOTHING")
            .await;
    }
    // From behind the missing one there is nothing to build on.
    ledger
        .database
        .execute("DELETE FROM event WHERE sequence = 2")
        .await;
    assert_eq!(check(&mut ledger, 3, 0).await, (0, 4, 2));
    ledger
        .database
        .execute("INSERT INTO event SELECT * FROM kept ON CONFLICT DO NOTHING")
        .await;

    ledger
        .database
        .execute(
            "INSERT INTO event SELECT 6, gen_random_uuid(), type, producer, aggregate_type, aggregate_id, 2, event,
             hash, append_time FROM event WHERE sequence = 5",
        )
        .await;
    assert_eq!(check(&mut ledger, 0, 0).await.2, 6);
    ledger
        .database
        .execute("DELETE FROM event WHERE sequence = 6")
        .await;

    ledger
        .database
        .execute("UPDATE head SET hash = set_byte(hash, 3, get_byte(hash, 3) # 1)")
        .await;
    assert_eq!(check(&mut ledger, 0, 0).await.2, 5);
}

#[tokio::test]
async fn every_break_is_found_and_each_is_named_once() {
    let mut ledger = Ledger::new().await;
    ledger.append_works(0..12).await;
    ledger
        .database
        .execute("DELETE FROM event WHERE sequence IN (2, 4, 5, 11)")
        .await;
    ledger
        .database
        .execute("UPDATE event SET event = set_byte(event, 0, get_byte(event, 0) # 1) WHERE sequence = 8")
        .await;
    ledger
        .database
        .execute("UPDATE head SET hash = set_byte(hash, 3, get_byte(hash, 3) # 1)")
        .await;
    for limit in [0, 1, 3] {
        let (mut next, mut broken) = (1, Vec::new());
        while next != 0 {
            let found = check(&mut ledger, next, limit).await;
            assert!(
                found.1 == 0 || found.1 > next,
                "a check goes on: {found:?} from {next}"
            );
            next = found.1;
            broken.extend(Some(found.2).filter(|sequence| *sequence != 0));
        }
        assert_eq!(broken, [2, 4, 5, 8, 11, 12], "limit {limit}");
    }
}
