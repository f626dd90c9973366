//! A rebuilt schema beside the live one.

use std::time::Duration;

use aex_kit::Call;
use aex_store::{Due, Failure, Schema, Store, image::Image};
use aex_testkit::{Database, Shape, World};
use aex_types::Timestamp;
use sqlx::{migrate::Migrator, types::Uuid};

static SCHEMA: Schema = Schema {
    name: "compared",
    migrations: Migrator::DEFAULT,
    keeps_keys: false,
    not_replayed: &["cellar"],
    set_again: &["again"],
    set_by_feed: &["heard"],
};

const TABLES: &str = "
    CREATE TABLE stock (shelf integer, thing text, amount numeric, note text, PRIMARY KEY (thing, shelf));
    CREATE TABLE cellar (thing text PRIMARY KEY);
    INSERT INTO stock VALUES (1, 'nut', 1.50, NULL), (2, 'nut', 2, 'x'), (1, 'Öl', 3, 'x');
    INSERT INTO timer (kind, key, due_time) VALUES ('once', gen_random_uuid(), '2026-01-01');
    DELETE FROM timer";

async fn two() -> (Database, Database) {
    let (live, rebuilt) = (Database::of(&SCHEMA).await, Database::of(&SCHEMA).await);
    live.execute(TABLES).await;
    rebuilt.execute(TABLES).await;
    (live, rebuilt)
}

#[tokio::test]
async fn the_first_row_that_differs_is_named_with_its_columns() {
    let (live, rebuilt) = two().await;
    live.execute("INSERT INTO cellar VALUES ('wine')").await;
    assert_eq!(live.differences(&rebuilt).await, [""; 0]);
    for (change, named) in [
        (
            "UPDATE stock SET amount = 2.0, note = NULL WHERE shelf = 2",
            "stock nut 2: not what the events say: amount, note",
        ),
        (
            "DELETE FROM stock WHERE shelf = 2",
            "stock nut 2: the events made it and it is not there",
        ),
        (
            "INSERT INTO stock VALUES (0, 'ax', 1, '')",
            "stock ax 0: no event made it",
        ),
    ] {
        live.execute(change).await;
        assert_eq!(live.differences(&rebuilt).await, [named]);
    }
}

#[tokio::test]
async fn equal_tables_have_equal_hashes_whatever_the_order_they_were_written_in() {
    let (live, rebuilt) = two().await;
    rebuilt
        .execute("UPDATE stock SET note = 'y' WHERE thing = 'nut'")
        .await;
    rebuilt
        .execute("UPDATE stock SET note = 'x' WHERE shelf = 2")
        .await;
    rebuilt
        .execute("UPDATE stock SET note = NULL WHERE note = 'y'")
        .await;
    let open = async |database: &Database| Image::open(&SCHEMA, &database.connect().app).await;
    live.execute("GRANT SELECT ON stock, cellar TO compared").await;
    rebuilt.execute("GRANT SELECT ON stock, cellar TO compared").await;
    let (mut one, mut other) = (
        open(&live).await.expect("open"),
        open(&rebuilt).await.expect("open"),
    );
    let compared = one.compare(&mut other).await.expect("readable");
    let tables: Vec<_> = compared
        .iter()
        .map(|table| (table.table.as_str(), table.live.count))
        .collect();
    assert_eq!(tables, [("stock", 3), ("timer", 0)]);
    assert!(
        compared
            .iter()
            .all(|table| table.live == table.rebuilt && table.difference.is_none())
    );
}

#[tokio::test]
async fn a_rebuilt_schema_may_have_more_only_of_the_jobs_that_no_event_ends() {
    let (live, rebuilt) = two().await;
    let set = |kind: &str, number: u32, day: u32| {
        format!(
            "INSERT INTO timer (kind, key, due_time) VALUES ('{kind}', lpad('{number}', 32, '0')::uuid, '2026-01-0{day}')"
        )
    };
    live.execute(&set("heard", 1, 1)).await;
    for database in [&live, &rebuilt] {
        database.execute(&set("once", 1, 1)).await;
    }
    live.execute(&set("again", 1, 1)).await;
    rebuilt.execute(&set("again", 1, 2)).await;
    rebuilt.execute(&set("again", 2, 2)).await;
    live.execute("UPDATE timer SET leased_until = '2026-01-02', attempts = 3")
        .await;
    assert_eq!(live.differences(&rebuilt).await, [""; 0]);

    let key = |number: u32| Uuid::from_u128(number.into());
    live.execute(&set("again", 3, 1)).await;
    let named = format!("timer again {}: no event made it", key(3));
    assert_eq!(live.differences(&rebuilt).await, [named]);
    live.execute("DELETE FROM timer WHERE kind = 'again'").await;
    live.execute("UPDATE timer SET due_time = '2026-01-03' WHERE kind = 'once'")
        .await;
    let named = format!("timer once {}: not what the events say: due_time", key(1));
    assert_eq!(live.differences(&rebuilt).await, [named]);
}

#[tokio::test]
async fn live_and_replay_set_the_same_jobs() {
    let world = World::new(Shape::InProcess);
    let (live, rebuilt) = two().await;
    let at = |micros| Timestamp::from_unix_micros(micros).expect("a time");
    let key = Uuid::from_u128(7);
    let steps = [
        vec![],
        vec![Due::new("once", key, at(1)), Due::new("review", key, at(2))],
        vec![Due::new("once", key, at(3))],
    ];
    let store = |database: &Database| Store::attach(&SCHEMA, database.connect(), world.runtime());
    let (store_live, store_rebuilt) = (store(&live), store(&rebuilt));
    for pair in steps.windows(2) {
        let mut call = Call::own(world.runtime(), "example", "test", Duration::from_secs(10));
        let done = store_live.work(&mut call, async |tx| {
            tx.rearm(&pair[0], &pair[1]);
            Ok::<_, Failure>(())
        });
        done.await.expect("the jobs are set");
        let folded = store_rebuilt.fold::<Failure>(async |folding| folding.rearm(&pair[0], &pair[1]).await);
        folded.await.expect("the jobs are set");
    }
    assert_eq!(live.execute("SELECT 1 FROM timer WHERE kind = 'once'").await, 1);
    assert_eq!(live.execute("SELECT 1 FROM timer").await, 1);
    assert_eq!(live.differences(&rebuilt).await, [""; 0]);
}
