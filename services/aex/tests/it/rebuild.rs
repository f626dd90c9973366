//! A day of every kind of ending, rebuilt from the log; and what is said when the log, a row or a job was touched.

use std::time::{Duration, Instant};

use aex_proto::aex::{
    contract_engine::v1::ContractStatus,
    identity::v1::{RotateApiKeyRequest, TenantType, identity_service_client::IdentityServiceClient},
    provider_registry::v1::{DeactivateProviderRequest, UpdateProviderRequest},
    settlement::v1::RequestDepositRequest,
    trust_broker::v1::{GetTrustRequest, trust_broker_service_client::TrustBrokerServiceClient},
    work_publisher::v1::{VerificationMethod, WorkStatus},
};
use aex_store::private::{Options, PrivateServer, Search};
use aex_testkit::trader::{Consumer, Exchange, Provider, Terms, usd};
use prost_types::FieldMask;
use serde_json::Value;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Executor as _, PgConnection, postgres::PgConnectOptions};

use crate::machine::Machine;

const SERVICES: [&str; 8] = [
    "identity",
    "provider-registry",
    "settlement",
    "trust-broker",
    "work-publisher",
    "bid-gateway",
    "bid-evaluator",
    "contract-engine",
];

/// Holds up whoever has moved the position of a follower of trust-broker, at its commit.
const HOLD_UP: &str = "
    CREATE FUNCTION trust_broker.hold_up() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN PERFORM pg_advisory_xact_lock(7); RETURN NEW; END $$;
    CREATE CONSTRAINT TRIGGER hold_up AFTER UPDATE ON trust_broker.feed DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW EXECUTE FUNCTION trust_broker.hold_up();
    SELECT pg_advisory_lock(7)";

/// Who is held up and has written an outcome.
const HELD_UP: &str = "
    SELECT count(*) FROM pg_locks AS waiting
    JOIN pg_locks AS written ON written.pid = waiting.pid
        AND written.relation = 'trust_broker.outcome'::regclass AND written.mode = 'RowExclusiveLock'
    WHERE waiting.locktype = 'advisory' AND NOT waiting.granted";

/// The superuser of a running cluster.
async fn superuser(server: &PrivateServer) -> PgConnection {
    PgConnectOptions::new_without_pgpass()
        .socket(server.socket_dir())
        .port(server.port())
        .username(server.superuser())
        .database("aex")
        .connect()
        .await
        .unwrap()
}

/// Changes the tables of an exchange that does not run.
async fn tamper(machine: &Machine, sql: &str) {
    let options = Options::new(machine.data().join("postgres"), Search::from_env());
    let server = PrivateServer::start(&options).unwrap();
    let mut superuser = superuser(&server).await;
    let done = superuser.execute(AssertSqlSafe(sql.to_owned())).await.unwrap();
    assert_eq!(done.rows_affected(), 1, "{sql}");
}

/// What the check says, and whether it is content.
fn fsck(machine: &Machine, arguments: &[&str]) -> (bool, Value) {
    let output = machine.run(&[&["fsck", "--json"][..], arguments].concat());
    let refused = String::from_utf8_lossy(&output.stderr);
    assert!(!output.stdout.is_empty(), "{refused}");
    let said = serde_json::from_slice(&output.stdout).unwrap();
    (output.status.success(), said)
}

/// The one violation that is found: invariant, subject, detail.
fn violation(machine: &Machine, arguments: &[&str]) -> [String; 3] {
    let (is_whole, said) = fsck(machine, arguments);
    let violations = said.get("violations").unwrap().as_array().unwrap();
    assert!(!is_whole && violations.len() == 1, "{said}");
    let violation = violations.first().unwrap();
    ["invariant", "subject", "detail"].map(|name| violation.get(name).unwrap().as_str().unwrap().to_owned())
}

fn rebuilt<'a>(said: &'a Value, service: &str) -> &'a Value {
    let all = said.get("rebuilt").unwrap().as_array().unwrap();
    all.iter()
        .find(|one| one.get("service").is_some_and(|name| name == service))
        .unwrap()
}

/// The cast of a day.
struct Cast {
    ada: Consumer,
    bob: Provider,
    eve: Provider,
}

impl Cast {
    async fn of(exchange: &Exchange) -> Self {
        let ada = exchange.consumer("Ada").await;
        ada.deposit("100").await.unwrap();
        Self {
            ada,
            bob: exchange.provider("Bob", "trade").await,
            eve: exchange.provider("Eve", "trade").await,
        }
    }

    /// A contract of Bob's that he has begun, awarded before bidding was over.
    async fn awarded(&self) -> String {
        let work = self.ada.publish(&Terms::default()).await.unwrap();
        let bid = self.bob.bid(&work.work_id, "2.50").await.unwrap();
        self.eve.bid(&work.work_id, "3").await.unwrap();
        let contract = self.ada.award(&work.work_id, &bid.bid_id).await.unwrap();
        self.bob.start(&contract.contract_id).await.unwrap();
        contract.contract_id
    }

    /// Works that end in every way that a day of seconds has, and some that are under way when it ends.
    async fn trade(&self) {
        let settled = self.awarded().await;
        self.bob.progress(&settled, 50).await.unwrap();
        self.bob.complete(&settled, "done").await.unwrap();
        self.ada.accept(&settled).await.unwrap();
        let rejected = self.awarded().await;
        self.bob.complete(&rejected, "wrong").await.unwrap();
        self.ada.reject(&rejected, "it is wrong").await.unwrap();
        let given_up = self.awarded().await;
        self.bob.give_up(&given_up, "no time").await.unwrap();
        let abandoned = self.awarded().await;
        self.ada.give_up(&abandoned, "no need").await.unwrap();
        self.awarded().await;
        let delivered = self.awarded().await;
        self.bob.complete(&delivered, "look").await.unwrap();

        let cancelled = self.ada.publish(&Terms::default()).await.unwrap();
        self.bob.bid(&cancelled.work_id, "1").await.unwrap();
        self.ada.cancel(&cancelled.work_id).await.unwrap();
        let (lonely, by_itself) = self.windows().await;
        let all = [
            (settled, ContractStatus::Settled),
            (by_itself, ContractStatus::Settled),
        ];
        for (contract, status) in all {
            self.ada.until_contract(&contract, &[status]).await;
        }
        self.ada.until_work(&lonely, &[WorkStatus::Failed]).await;
    }

    /// Two windows that end by themselves: one without a bid; one with bids that were replaced, withdrawn and too dear,
    /// whose best wins by itself and needs no acceptance. Answers the first work, and the contract of the second.
    async fn windows(&self) -> (String, String) {
        let lonely = self.ada.publish(&Terms::default()).await.unwrap();
        let terms = Terms {
            auto_award: true,
            verification: VerificationMethod::None,
            payload: b"{\"digit\": 7}".to_vec(),
            ..Terms::default()
        };
        let work = self.ada.publish(&terms).await.unwrap();
        self.bob.bid(&work.work_id, "4").await.unwrap();
        self.bob.bid(&work.work_id, "3").await.unwrap();
        let withdrawn = self.eve.bid(&work.work_id, "2").await.unwrap();
        self.eve.withdraw(&withdrawn.bid_id).await.unwrap();
        self.eve.bid(&work.work_id, "11").await.unwrap();
        let contract = self
            .bob
            .until_contract_on(&work.work_id, &[ContractStatus::Awarded])
            .await;
        self.bob.complete(&contract.contract_id, "7").await.unwrap();
        (lonely.work_id, contract.contract_id)
    }

    /// What else changes: a key, providers, and money that is asked for and has not come.
    async fn change(&self, exchange: &Exchange, key_id: &str) {
        let mut identity = IdentityServiceClient::new(exchange.operator("identity"));
        let rotate = RotateApiKeyRequest {
            idempotency_key: self.ada.key("rotate"),
            key_id: key_id.to_owned(),
        };
        identity.rotate_api_key(rotate).await.unwrap();
        let update = UpdateProviderRequest {
            idempotency_key: self.bob.key("update"),
            provider_id: self.bob.provider_id.clone(),
            display_name: "Bob & Co.".to_owned(),
            update_mask: Some(FieldMask {
                paths: vec!["display_name".to_owned()],
            }),
            ..Default::default()
        };
        self.bob.registry().update_provider(update).await.unwrap();
        let deactivate = DeactivateProviderRequest {
            idempotency_key: self.eve.key("deactivate"),
            provider_id: self.eve.provider_id.clone(),
        };
        self.eve.registry().deactivate_provider(deactivate).await.unwrap();
        let transfer = RequestDepositRequest {
            idempotency_key: self.ada.key("bank"),
            amount: Some(usd("12.345678")),
            rail: "bank".to_owned(),
        };
        self.ada.money().request_deposit(transfer).await.unwrap();
    }
}

// Another thread closes the connections when the exchange asks for it, while this one waits for its end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_table_is_the_fold_of_the_log_and_what_was_touched_is_named() {
    let machine = Machine::new();
    let mut running = machine.start();
    let made = machine.json(&["init", "--json"]);
    let exchange = Exchange::of_home(&machine.data());
    let cast = Cast::of(&exchange).await;
    cast.trade().await;
    cast.change(&exchange, made["key_id"].as_str().unwrap()).await;
    assert!(running.signal("TERM").success());

    let (is_whole, said) = fsck(&machine, &["--rebuild"]);
    assert!(is_whole, "{said}");
    for service in SERVICES {
        let rebuilt = rebuilt(&said, service);
        assert!(rebuilt["events"].as_u64().unwrap() > 0, "{rebuilt}");
        for table in rebuilt["tables"].as_array().unwrap() {
            assert_eq!(table["equal"], true, "{rebuilt}");
            assert!(
                table["table"] == "timer" || table["rebuilt_hash"] == table["hash"],
                "{rebuilt}"
            );
        }
    }
    let timers = rebuilt(&said, "contract-engine")["tables"].as_array().unwrap();
    let timers = timers.iter().find(|table| table["table"] == "timer").unwrap();
    assert!(timers["rows"].as_u64().unwrap() >= 2, "{timers}");
    let text = machine.says(&["fsck", "--rebuild"]);
    assert!(text.contains("rebuilt  contract-engine "), "{text}");

    a_flipped_byte_is_named(&machine).await;
    a_row_that_no_event_made_is_named(&machine).await;
    events_that_wait_count(&machine).await;
}

async fn a_flipped_byte_is_named(machine: &Machine) {
    let flip = "UPDATE event_ledger.event SET event = set_byte(event, 20, get_byte(event, 20) # 1) WHERE sequence = 7";
    tamper(machine, flip).await;
    for arguments in [&[][..], &["--rebuild"]] {
        let [invariant, subject, detail] = violation(machine, arguments);
        assert_eq!([invariant.as_str(), subject.as_str()], ["ledger.chain", "7"]);
        assert!(detail.contains("its bytes"), "{detail}");
    }
    tamper(machine, flip).await;
    assert!(fsck(machine, &[]).0);
}

async fn a_row_that_no_event_made_is_named(machine: &Machine) {
    let touch = |from: &str, to: &str| {
        format!("UPDATE contract_engine.contract SET message = '{to}' WHERE message = '{from}'")
    };
    tamper(machine, &touch("no need", "no need at all")).await;
    let [_, subject, detail] = violation(machine, &["--rebuild"]);
    assert!(subject.starts_with("contract-engine contract "), "{subject}");
    assert_eq!(detail, "not what the events say: message");
    tamper(machine, &touch("no need at all", "no need")).await;
    // A contract whose end nobody would notice.
    tamper(
        machine,
        "WITH one AS (SELECT key FROM contract_engine.timer WHERE kind = 'expire' LIMIT 1)
         DELETE FROM contract_engine.timer USING one WHERE timer.key = one.key AND kind = 'expire'",
    )
    .await;
    let [_, subject, found] = violation(machine, &["--rebuild"]);
    assert!(subject.starts_with("contract-engine timer expire "), "{subject}");
    assert_eq!(found, "the events made it and it is not there");
    tamper(
        machine,
        "INSERT INTO contract_engine.timer (kind, key, due_time)
         SELECT 'expire', contract_id, expire_time FROM contract_engine.contract
         WHERE status IN ('AWARDED', 'EXECUTING')
             AND NOT EXISTS (SELECT 1 FROM contract_engine.timer WHERE kind = 'expire' AND key = contract_id)",
    )
    .await;
    assert!(fsck(machine, &["--rebuild"]).0);
}

/// Somebody else holds the relay's lease, and does nothing: what happens stays in the outbox.
async fn events_that_wait_count(machine: &Machine) {
    let waiting = |said: &Value| rebuilt(said, "identity")["not_in_ledger"].as_u64().unwrap();
    // An exchange that is told to stop may leave some, for the next start.
    let left = waiting(&fsck(machine, &["--rebuild"]).1);
    tamper(
        machine,
        "INSERT INTO identity.lease (name, holder, until_time)
         VALUES ('relay', gen_random_uuid(), now() + interval '1 h')
         ON CONFLICT (name) DO UPDATE SET holder = EXCLUDED.holder, until_time = EXCLUDED.until_time",
    )
    .await;
    let mut running = machine.start();
    let exchange = Exchange::of_home(&machine.data());
    exchange.tenant("Cy", TenantType::Both).await;
    assert!(running.signal("TERM").success());
    let (is_whole, said) = fsck(machine, &["--rebuild"]);
    assert!(is_whole, "{said}");
    assert_eq!(waiting(&said), left + 2, "{said}");
    let text = machine.says(&["fsck", "--rebuild"]);
    let told = format!("; {} events not yet in the ledger", left + 2);
    assert!(text.contains(&told), "{text}");
}

/// Polls the thing itself.
async fn eventually(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let begun = Instant::now();
    while !is_so().await {
        assert!(begun.elapsed() < Duration::from_secs(20), "{what}");
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_consumer_that_is_killed_with_effect_and_position_uncommitted_applies_once() {
    let machine = Machine::new();
    let mut running = machine.start();
    let exchange = Exchange::of_home(&machine.data());
    let cast = Cast::of(&exchange).await;
    let contract = cast.awarded().await;
    cast.bob.complete(&contract, "done").await.unwrap();

    // The transaction of trust-broker's follower is held up at its commit, when the effect of the event and the position are
    // written already, and neither is there for others.
    let sockets = machine.sockets();
    let options = || {
        PgConnectOptions::new_without_pgpass()
            .socket(&sockets)
            .port(5432)
            .username("postgres")
            .database("aex")
    };
    let mut looker = options().connect().await.unwrap();
    let count = async |of: &mut PgConnection, table: &str| -> i64 {
        let counted = AssertSqlSafe(format!("SELECT count(*) FROM trust_broker.{table}"));
        sqlx::query_scalar(counted).fetch_one(of).await.unwrap()
    };
    eventually("both providers are known", async || {
        count(&mut looker, "trust").await == 2
    })
    .await;
    let mut holder = options().connect().await.unwrap();
    holder.execute(HOLD_UP).await.unwrap();
    cast.ada.accept(&contract).await.unwrap();
    eventually("the outcome is written and not committed", async || {
        let held: i64 = sqlx::query_scalar(HELD_UP).fetch_one(&mut looker).await.unwrap();
        held > 0
    })
    .await;
    assert_eq!(count(&mut looker, "outcome").await, 0);

    running.signal("KILL");
    drop((holder, looker));
    let mut running = machine.start();
    let exchange = Exchange::of_home(&machine.data());
    let trust = async || {
        let mut trust = TrustBrokerServiceClient::new(exchange.operator("trust-broker"));
        let provider_id = cast.bob.provider_id.clone();
        let asked = trust.get_trust(GetTrustRequest { provider_id }).await;
        asked.unwrap().into_inner().trust.unwrap()
    };
    eventually("the outcome is counted", async || {
        trust().await.total_contracts > 0
    })
    .await;
    assert!(running.signal("TERM").success());
    let (is_whole, said) = fsck(&machine, &["--rebuild"]);
    assert!(is_whole, "{said}");
    assert_eq!(said["facts"]["trust.outcome"], 1, "{said}");
}
