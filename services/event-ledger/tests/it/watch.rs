use std::time::Duration;

use aex_store::{Failure, Store};
use aex_testkit::{Database, Shape, World};
use uuid::Uuid;

use crate::reader::{SCHEMA, call, run, store};

const RESOURCE: Uuid = Uuid::from_u128(7);

/// Tells the watchers a word. The upsert holds the resource's row until the commit.
async fn tell(store: &Store, word: &str) {
    let mut call = call(store);
    let told = store.work(&mut call, async |tx| {
        run(tx, RESOURCE).await?;
        tx.tell(RESOURCE, &word.to_owned());
        Ok::<_, Failure>(())
    });
    told.await.unwrap();
}

async fn told(store: &Store, after: u64) -> Vec<(u64, String)> {
    let mut call = call(store);
    let mut watched = store.watched(RESOURCE, after);
    let told = store.read(&mut call, async |tx| watched.news(tx).await);
    told.await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_watch_that_resumes_has_no_gap_and_no_repetition() {
    const WRITERS: u64 = 6;
    const WORDS: u64 = 40;
    let world = World::new(Shape::InProcess);
    let database = Database::of(&SCHEMA).await;
    let stores = [
        store(&database, world.runtime()),
        store(&database, world.runtime()),
    ];
    for store in &stores {
        store.start_watch_reader();
    }
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let store = stores[usize::from(writer % 2 == 0)].clone();
            tokio::spawn(async move {
                for word in 0..WORDS {
                    tell(&store, &format!("{writer} {word}")).await;
                }
            })
        })
        .collect();

    // Opened anew after every few rounds, at the version that it came to, at one replica and then at the other.
    let mut heard = Vec::new();
    let mut version = 0;
    let mut opened = 0;
    while version < WRITERS * WORDS {
        let store = &stores[opened % 2];
        let watched = store.watched(RESOURCE, version);
        let mut signal = watched.signal();
        for _ in 0..5 {
            for (next, word) in told(store, version).await {
                assert_eq!(next, version + 1);
                version = next;
                heard.push(word);
            }
            if version == WRITERS * WORDS {
                break;
            }
            // The signal, of this replica's commits or of the reader that looks for those of the other.
            tokio::time::timeout(Duration::from_secs(10), signal.wait())
                .await
                .expect("nobody woke the watch");
        }
        opened += 1;
    }
    for writer in writers {
        writer.await.unwrap();
    }
    for writer in 0..WRITERS {
        let own = format!("{writer} ");
        let words: Vec<_> = heard
            .iter()
            .filter(|word| word.starts_with(&own))
            .cloned()
            .collect();
        assert_eq!(
            words,
            (0..WORDS)
                .map(|word| format!("{writer} {word}"))
                .collect::<Vec<_>>()
        );
    }
    assert_eq!(told(&stores[0], version).await, []);
}

#[tokio::test]
async fn a_refused_transaction_tells_nobody() {
    let world = World::new(Shape::InProcess);
    let database = Database::of(&SCHEMA).await;
    let store = store(&database, world.runtime());
    tell(&store, "one").await;
    let mut call = call(&store);
    let refused = store.work(&mut call, async |tx| {
        run(tx, RESOURCE).await?;
        tx.tell(RESOURCE, &"never".to_owned());
        Err::<(), _>(Failure::corrupt("refused"))
    });
    refused.await.unwrap_err();
    tell(&store, "two").await;
    assert_eq!(
        told(&store, 0).await,
        [(1, "one".to_owned()), (2, "two".to_owned())]
    );
}
