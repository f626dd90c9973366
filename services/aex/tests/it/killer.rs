//! Stops a running exchange exactly where a test wants it: a lock in its private PostgreSQL blocks one step of an award,
//! whoever waits for the lock shows that the step has begun, and then the process is killed.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use sqlx::{
    AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _, PgConnection, Row as _,
    postgres::PgConnectOptions,
};

use crate::machine::{Machine, Running};

/// How long anything of a test may take to come about.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// One step of an award, and how to stop right before it takes effect.
#[derive(Debug, Clone, Copy)]
pub struct Step {
    pub name: &'static str,
    /// The statement that takes the lock.
    lock: &'static str,
    /// Whose transaction waits for it.
    service: &'static str,
    /// Contract, work and hold, as they are committed when the step is about to take effect.
    pub stands: &'static str,
}

const fn step(name: &'static str, lock: &'static str, service: &'static str, stands: &'static str) -> Step {
    Step {
        name,
        lock,
        service,
        stands,
    }
}

const WORK: &str = "SELECT FROM work_publisher.work FOR UPDATE";
const BOOK: &str = "SELECT FROM bid_gateway.book FOR UPDATE";
const ACCOUNT: &str = "SELECT FROM settlement.account FOR UPDATE";
const CONTRACT: &str = "SELECT FROM contract_engine.contract FOR UPDATE";
const JOB: &str = "SELECT FROM contract_engine.timer WHERE kind = 'award' FOR UPDATE";
const NEW_CONTRACT: &str = "LOCK TABLE contract_engine.contract IN SHARE ROW EXCLUSIVE MODE";
const NEW_HOLD: &str = "LOCK TABLE settlement.hold IN SHARE ROW EXCLUSIVE MODE";

/// The steps of an award that comes about, in their order.
pub const AWARD: [Step; 7] = [
    step("propose", NEW_CONTRACT, "contract_engine", "- OPEN -"),
    step("reserve", WORK, "work_publisher", "PROPOSED OPEN -"),
    step("rank", BOOK, "bid_gateway", "PROPOSED AWARDING -"),
    step("hold", ACCOUNT, "settlement", "PROPOSED AWARDING -"),
    step("award", CONTRACT, "contract_engine", "PROPOSED AWARDING HELD"),
    step("confirm", WORK, "work_publisher", "AWARDED AWARDING HELD"),
    step("done", JOB, "contract_engine", "AWARDED AWARDED HELD"),
];

/// The steps of an award whose consumer cannot pay.
pub const VOID: [Step; 8] = [
    AWARD[0],
    AWARD[1],
    AWARD[2],
    AWARD[3],
    step("void", CONTRACT, "contract_engine", "PROPOSED AWARDING -"),
    step("release the money", NEW_HOLD, "settlement", "VOID AWARDING -"),
    step(
        "release the work",
        WORK,
        "work_publisher",
        "VOID AWARDING RELEASED",
    ),
    step("done", JOB, "contract_engine", "VOID EVALUATING RELEASED"),
];

/// What contract, work and hold of the youngest work are.
const STANDS: &str =
    "SELECT COALESCE(contract.status, '-') || ' ' || work.status || ' ' || COALESCE(hold.status, '-')
     FROM work_publisher.work
     LEFT JOIN contract_engine.contract USING (work_id)
     LEFT JOIN settlement.hold ON hold.contract_id = contract.contract_id
     ORDER BY work.create_time DESC LIMIT 1";

/// A session of the superuser.
pub struct Session(PgConnection);

impl Session {
    pub async fn open(machine: &Machine) -> Self {
        let note = std::fs::read_to_string(machine.data().join("postgres/data/postmaster.pid")).unwrap();
        // The fourth line is the port, the fifth the folder of the socket.
        let lines: Vec<_> = note.lines().map(str::trim).collect();
        let options = PgConnectOptions::new_without_pgpass()
            .socket(Path::new(lines[4]))
            .port(lines[3].parse().unwrap())
            .username("postgres")
            .database("aex");
        Self(options.connect().await.unwrap())
    }

    pub async fn ask(&mut self, statement: &'static str) -> String {
        sqlx::query_scalar(statement)
            .fetch_one(&mut self.0)
            .await
            .unwrap()
    }

    pub async fn stands(&mut self) -> String {
        self.ask(STANDS).await
    }

    async fn lock(&mut self, step: Step) {
        self.0
            .execute(AssertSqlSafe(format!("BEGIN; {}", step.lock)))
            .await
            .unwrap();
    }

    async fn unlock(&mut self) {
        self.0.execute("ROLLBACK").await.unwrap();
    }

    /// Waits until the award has come to the step: what goes before is committed, and a transaction of the step's service
    /// waits for this session. It need not be the award's own, for others want the same row; the award has not gone by.
    async fn until_blocking(&mut self, step: Step) {
        let begun = Instant::now();
        let waits = "SELECT EXISTS (SELECT 1 FROM pg_stat_activity
             WHERE usename = $1 AND pg_backend_pid() = ANY(pg_blocking_pids(pid)))";
        loop {
            let row = sqlx::query(waits)
                .bind(step.service)
                .fetch_one(&mut self.0)
                .await
                .unwrap();
            let stands = self.stands().await;
            if row.get(0) && stands == step.stands {
                return;
            }
            assert!(begun.elapsed() < PATIENCE, "{stands} before {}", step.name);
        }
    }
}

/// Lets the award that `begin` begins go up to the last of the steps and kills the exchange there.
///
/// The lock of a step is taken while the award waits at the step before it, so that it can neither be too late nor stop
/// anything else.
pub async fn kill_before<T>(
    machine: &Machine,
    mut running: Running,
    steps: &[Step],
    begin: impl FnOnce() -> T,
) -> T {
    let mut sessions = [Session::open(machine).await, Session::open(machine).await];
    let [here, there] = &mut sessions;
    let (mut holds, mut free) = (here, there);
    let (first, rest) = steps.split_first().unwrap();
    holds.lock(*first).await;
    let client = begin();
    holds.until_blocking(*first).await;
    for step in rest {
        free.lock(*step).await;
        holds.unlock().await;
        free.until_blocking(*step).await;
        (holds, free) = (free, holds);
    }
    running.signal("KILL");
    let killed = Instant::now();
    while machine.postgres().is_some() {
        assert!(killed.elapsed() < PATIENCE, "PostgreSQL outlived the kill");
        std::thread::yield_now();
    }
    // Its lock died with the server.
    assert!(holds.0.ping().await.is_err());
    client
}
