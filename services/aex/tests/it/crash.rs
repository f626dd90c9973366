//! `kill -9` at each step of an award: after the restart the award ends by itself, whoever asked gets the same answer, and
//! nothing is left behind.

use std::{
    process::{Child, Output, Stdio},
    time::Instant,
};

use serde_json::Value;

use crate::{
    killer::{AWARD, PATIENCE, Session, Step, VOID, kill_before},
    machine::{Machine, Running},
};

/// The key that the award is asked for with, before and after the kill.
const KEY: &str = "award-after-a-kill";
/// Jobs of the engine that belong to an award under way.
const JOBS: &str = "SELECT COUNT(*)::text FROM contract_engine.timer WHERE kind IN ('award', 'auto')";
/// Events that have not reached the ledger.
const UNSENT: &str =
    "SELECT ((SELECT COUNT(*) FROM contract_engine.outbox) + (SELECT COUNT(*) FROM work_publisher.outbox)
    + (SELECT COUNT(*) FROM settlement.outbox))::text";

/// An exchange with a work of Ada's that Bob has bid on.
struct Stage {
    machine: Machine,
    ada: String,
    bob: String,
    work: String,
    bid: String,
    acks: String,
}

impl Stage {
    /// Ada can pay for one work of two; she has spent her money when `is_poor`.
    fn set(is_poor: bool) -> (Self, Running) {
        let machine = Machine::new();
        let running = machine.start();
        let key = |name: &str| machine.json(&["init", "--name", name, "--json"])["api_key"].clone();
        let mut stage = Self {
            ada: text(&key("Ada")),
            bob: text(&key("Bob")),
            work: String::new(),
            bid: String::new(),
            acks: String::new(),
            machine,
        };
        let (ada, bob) = (stage.ada.clone(), stage.bob.clone());
        stage.done(&running, &ada, &["deposit", "5"]);
        let registered = [
            "provider",
            "register",
            "Bob",
            "--endpoint",
            "https://bob.example/",
        ];
        let registered = [&registered[..], &["--capability", "vision.digits"]].concat();
        let provider = stage.done(&running, &bob, &registered)["provider"]["provider_id"].clone();
        let works = [(); 2].map(|()| stage.publish(&running));
        let bids = works.clone().map(|work| {
            let submit = [
                "bid",
                "submit",
                &work,
                "5",
                "--provider",
                provider.as_str().unwrap(),
            ];
            let submit = [&submit[..], &["--endpoint", "https://bob.example/"]].concat();
            text(&stage.done(&running, &bob, &submit)["bid"]["bid_id"])
        });
        if is_poor {
            stage.done(&running, &ada, &["contract", "award", &works[0], &bids[0]]);
        }
        stage.acks = format!("work {}\nbid {}\n", works.join("\nwork "), bids.join("\nbid "));
        [_, stage.work] = works;
        [_, stage.bid] = bids;
        (stage, running)
    }

    fn publish(&self, running: &Running) -> String {
        let publish = ["work", "publish", "5", "--category", "vision.digits"];
        let publish = [&publish[..], &["--description", "digits", "--window", "300"]].concat();
        text(&self.done(running, &self.ada, &publish)["work"]["work_id"])
    }

    fn asked(&self, running: &Running, key: &str, arguments: &[&str]) -> Output {
        self.ask(running, key, arguments).wait_with_output().unwrap()
    }

    fn ask(&self, running: &Running, key: &str, arguments: &[&str]) -> Child {
        let mut command = self.machine.command(arguments);
        command
            .args(["--json", "--server", &running.edge])
            .env("AEX_API_KEY", key);
        command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }

    /// What a command answers that succeeds.
    fn done(&self, running: &Running, key: &str, arguments: &[&str]) -> Value {
        let output = self.asked(running, key, arguments);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {said}");
        serde_json::from_slice(&output.stdout).unwrap()
    }

    fn award(&self) -> [&str; 6] {
        [
            "contract",
            "award",
            &self.work,
            &self.bid,
            "--idempotency-key",
            KEY,
        ]
    }

    /// Nothing is broken, everything acknowledged is there, and what is on its way to the event log arrives.
    fn check(&self) {
        let file = self.machine.folder.path().join("acks");
        std::fs::write(&file, &self.acks).unwrap();
        let begun = Instant::now();
        loop {
            let found = self
                .machine
                .json(&["fsck", "--json", "--acks", &file.display().to_string()]);
            let count = |kind: &str| found[kind].as_array().unwrap().len();
            assert_eq!(count("violations"), 0, "{found:#}");
            if count("in_flight") == 0 {
                return;
            }
            assert!(begun.elapsed() < PATIENCE, "{found:#}");
        }
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

/// Kills the exchange before the last of the steps, starts it again, and waits until the award has ended as it shall.
/// Answers the exchange that runs then.
async fn survive(stage: &Stage, running: Running, steps: &[Step], ends: &str) -> Running {
    let step = steps.last().unwrap().name;
    let edge = running.edge.clone();
    let client = kill_before(&stage.machine, running, steps, || {
        let mut command = stage.machine.command(&stage.award());
        command
            .args(["--json", "--server", &edge])
            .env("AEX_API_KEY", &stage.ada);
        std::thread::spawn(move || {
            loop {
                let output = command.output().unwrap();
                let said = String::from_utf8_lossy(&output.stderr);
                // A machine that has too much to do may say so; callers ask again with the same key.
                if !said.contains("OVERLOADED") && !said.contains("DEPENDENCY_UNAVAILABLE") {
                    println!("the award of the caller: {said}");
                    return output;
                }
            }
        })
    })
    .await;
    let output = client.join().unwrap();
    assert!(!output.status.success(), "an answer before {step}");

    let killed = Instant::now();
    let running = stage.machine.start();
    let started = killed.elapsed();
    let mut session = Session::open(&stage.machine).await;
    loop {
        let stands = session.stands().await;
        if stands == ends && session.ask(JOBS).await == "0" && session.ask(UNSENT).await == "0" {
            break;
        }
        assert!(killed.elapsed() < PATIENCE, "{stands} after a kill before {step}");
        tokio::task::yield_now().await;
    }
    println!(
        "killed before {step}: up after {started:.1?}, ended after {:.1?}",
        killed.elapsed()
    );
    running
}

/// An award that was stopped before the step of this number comes about, and its trade ends as if nothing had been.
async fn award_survives(step: usize) {
    let (mut stage, running) = Stage::set(false);
    let steps = &AWARD[..=step];
    // What was not committed never was; its caller asks again.
    let ends = if step == 0 {
        "- OPEN -"
    } else {
        "AWARDED AWARDED HELD"
    };
    let running = survive(&stage, running, steps, ends).await;

    let (ada, bob) = (stage.ada.clone(), stage.bob.clone());
    let awarded = stage.done(&running, &ada, &stage.award());
    let contract = text(&awarded["contract"]["contract_id"]);
    assert_eq!(awarded["contract"]["status"], "CONTRACT_STATUS_AWARDED");
    let again = stage.done(&running, &ada, &stage.award());
    assert_eq!(
        again["contract"]["contract_id"],
        awarded["contract"]["contract_id"]
    );
    let all = stage.done(&running, &ada, &["contract", "list"]);
    assert_eq!(all["contracts"].as_array().unwrap().len(), 1, "{all:#}");
    stage.acks = format!("{}contract {contract}\nhold {contract}\n", stage.acks);
    stage.check();

    stage.done(&running, &bob, &["contract", "complete", &contract]);
    stage.done(&running, &ada, &["contract", "accept", &contract]);
    let mut session = Session::open(&stage.machine).await;
    let begun = Instant::now();
    while session.stands().await != "SETTLED COMPLETED CAPTURED" {
        assert!(begun.elapsed() < PATIENCE);
        tokio::task::yield_now().await;
    }
}

/// An award whose consumer cannot pay, stopped before the step of this number, is undone; who asks again gets the
/// refusal.
async fn void_survives(step: usize) {
    let (stage, running) = Stage::set(true);
    let steps = &VOID[..=step];
    let running = survive(&stage, running, steps, "VOID EVALUATING RELEASED").await;
    let output = stage.asked(&running, &stage.ada, &stage.award());
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        !output.status.success() && said.contains("INSUFFICIENT_FUNDS"),
        "{said}"
    );
    stage.check();
}

macro_rules! kills {
    ($($name:ident: $survives:ident($step:literal);)*) => {
        $(#[tokio::test]
        async fn $name() {
            $survives($step).await;
        })*
    };
}

kills! {
    a_kill_before_the_proposal_leaves_nothing: award_survives(0);
    a_kill_before_the_work_is_reserved: award_survives(1);
    a_kill_before_the_bids_are_ranked: award_survives(2);
    a_kill_before_the_money_is_held: award_survives(3);
    a_kill_before_the_contract_is_awarded: award_survives(4);
    a_kill_before_the_work_is_told: award_survives(5);
    a_kill_before_an_award_is_done: award_survives(6);
    a_kill_before_a_refused_award_is_void: void_survives(4);
    a_kill_before_the_money_of_a_void_award_is_released: void_survives(5);
    a_kill_before_the_work_of_a_void_award_is_released: void_survives(6);
    a_kill_before_a_void_award_is_done: void_survives(7);
}
