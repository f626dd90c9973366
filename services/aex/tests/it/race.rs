//! Races across all real services: an exchange from the binary, traders on its edge, and after each race a look from
//! outside whether the books, the works and the contracts agree. Most run on `aex dev`; where processes make a
//! difference, a race runs on a fleet too.

mod awards;
mod cancel;
mod closing;
mod deposits;
mod funds;
mod settle;

use std::{
    collections::HashMap,
    fmt::Debug,
    future::Future,
    path::Path,
    time::{Duration, Instant},
};

use aex_testkit::{
    Fleet, FleetOptions, Refused,
    trader::{Consumer, Exchange, Provider, Terms},
};
use aex_types::Amount;
use serde_json::Value;
use tokio::task::JoinSet;

use crate::machine::{Machine, Running};

/// What all races trade in.
const CATEGORY: &str = "race";
/// How long a race's last effects may take to arrive everywhere.
const REST: Duration = Duration::from_mins(1);

/// A running exchange of one test.
struct Track {
    exchange: Exchange,
    ground: Ground,
}

/// What an exchange runs on.
enum Ground {
    // The process ends before its data directory is removed.
    Dev { _running: Running, machine: Machine },
    Fleet(Box<Fleet>),
}

impl Track {
    /// All services in the process of `aex dev`.
    fn dev() -> Self {
        let machine = Machine::new();
        let running = machine.start();
        Self {
            exchange: Exchange::of_home(&machine.data()),
            ground: Ground::Dev {
                _running: running,
                machine,
            },
        }
    }

    /// Every service in a process of its own.
    async fn fleet() -> Self {
        let fleet = Fleet::start(Path::new(env!("CARGO_BIN_EXE_aex")), FleetOptions::default()).await;
        let operators = ["identity", "settlement"].map(|service| (service, fleet.operator(service)));
        let operators = HashMap::from(operators);
        Self {
            exchange: Exchange::new(&fleet.edge(), move |service| operators[service].clone()),
            ground: Ground::Fleet(Box::new(fleet)),
        }
    }

    /// A consumer with so many dollars.
    async fn consumer(&self, dollars: &str) -> Consumer {
        let consumer = self.exchange.consumer("Ada").await;
        consumer.deposit(dollars).await.unwrap();
        consumer
    }

    async fn provider(&self) -> Provider {
        self.exchange.provider("Grace", CATEGORY).await
    }

    async fn providers(&self, count: usize) -> Vec<Provider> {
        all((0..count).map(|_| {
            let exchange = self.exchange.clone();
            async move { exchange.provider("Grace", CATEGORY).await }
        }))
        .await
    }

    /// Ends with nothing broken. Answers what `aex fsck` says of `aex dev`.
    fn is_sound(&self) -> Value {
        match &self.ground {
            Ground::Dev { machine, .. } => found(machine),
            Ground::Fleet(fleet) => {
                assert_eq!(fleet.errors(), Vec::<String>::new());
                Value::Null
            }
        }
    }
}

/// What a machine's exchange says once it rests: no service finds anything in its own tables, and no two of them
/// disagree, however young what they say.
fn found(machine: &Machine) -> Value {
    let begun = Instant::now();
    loop {
        let output = machine.run(&["fsck", "--json", "--grace", "0"]);
        let said = String::from_utf8_lossy(&output.stdout);
        if output.status.success() {
            let found: Value = serde_json::from_str(&said).unwrap();
            assert_eq!(found["violations"].as_array().unwrap().len(), 0, "{said}");
            return found;
        }
        let complained = String::from_utf8_lossy(&output.stderr);
        assert!(begun.elapsed() < REST, "{said}{complained}");
    }
}

/// Runs all of them at once, each as a task, and answers what they answer, in their order.
async fn all<F>(futures: impl IntoIterator<Item = F>) -> Vec<F::Output>
where
    F: Future<Output: Send> + Send + 'static,
{
    let mut tasks = JoinSet::new();
    for (place, future) in futures.into_iter().enumerate() {
        tasks.spawn(async move { (place, future.await) });
    }
    let mut answers: Vec<_> = tasks.join_all().await;
    answers.sort_by_key(|(place, _)| *place);
    answers.into_iter().map(|(_, answer)| answer).collect()
}

/// A work that stays open for long, for the consumer to award.
fn terms() -> Terms {
    Terms {
        category: CATEGORY.to_owned(),
        window_seconds: 300,
        ..Terms::default()
    }
}

fn amount(text: &str) -> Amount {
    text.parse().unwrap()
}

/// Micro-dollars as dollars.
fn micros(micros: u64) -> Amount {
    Amount::from_micros(micros).unwrap()
}

/// The refusal is one of these reasons.
fn is_typed<T: Debug>(answer: &Result<T, Refused>, reasons: &[&str]) -> bool {
    match answer {
        Ok(_) => false,
        Err(refused) => {
            assert!(reasons.contains(&refused.reason.as_str()), "{refused:?}");
            true
        }
    }
}
