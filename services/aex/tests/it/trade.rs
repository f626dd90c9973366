//! A whole trade by the command line alone, and what a trader gets wrong.

use std::{
    fs,
    path::PathBuf,
    process::{Command, Output},
    time::{Duration, Instant},
};

use aex_kit::principal::PrincipalKey;
use serde_json::Value;

use crate::machine::{Machine, Running};

/// How long the exchange may take to settle what it has accepted.
const PATIENCE: Duration = Duration::from_secs(20);

/// One side of a trade, with a key of its own.
struct Trader<'a> {
    machine: &'a Machine,
    edge: &'a str,
    key: String,
}

impl<'a> Trader<'a> {
    fn new(machine: &'a Machine, running: &'a Running, name: &str) -> Self {
        let made = machine.json(&["init", "--name", name, "--json"]);
        Self {
            machine,
            edge: &running.edge,
            key: made["api_key"].as_str().unwrap().to_owned(),
        }
    }

    fn command(&self, line: &[&str]) -> Command {
        let mut command = self.machine.command(line);
        command.env("AEX_API_KEY", &self.key).env("AEX_SERVER", self.edge);
        command
    }

    fn run(&self, line: &[&str]) -> Output {
        self.command(line).output().unwrap()
    }

    /// What a command prints for people.
    #[track_caller]
    fn says(&self, line: &[&str]) -> String {
        let output = self.run(line);
        assert!(
            output.status.success(),
            "{line:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap()
    }

    /// What a command prints for programs.
    #[track_caller]
    fn json(&self, line: &[&str]) -> Value {
        let line: Vec<_> = line.iter().copied().chain(["--json"]).collect();
        serde_json::from_str(&self.says(&line)).unwrap()
    }

    /// One text out of what a command answers.
    #[track_caller]
    fn text(&self, pointer: &str, line: &[&str]) -> String {
        let answer = self.json(line);
        let text = answer.pointer(pointer).and_then(Value::as_str);
        text.unwrap_or_else(|| panic!("{pointer} in {answer}")).to_owned()
    }

    /// Asks until the answer is this.
    #[track_caller]
    fn until(&self, pointer: &str, wanted: &str, line: &[&str]) {
        let begun = Instant::now();
        loop {
            let answer = self.json(line);
            if answer.pointer(pointer).and_then(Value::as_str) == Some(wanted) {
                return;
            }
            assert!(
                begun.elapsed() < PATIENCE,
                "{pointer} is not {wanted} in {answer}"
            );
        }
    }

    /// A command that is refused with this exit code, in one line that names all the words.
    #[track_caller]
    fn refused(&self, code: i32, words: &[&str], line: &[&str]) {
        told(&self.run(line), code, words);
    }
}

#[track_caller]
fn told(output: &Output, code: i32, words: &[&str]) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    for word in words {
        assert!(said.contains(word), "{word} in {said}");
    }
}

fn write(machine: &Machine, name: &str, text: &str) -> PathBuf {
    let path = machine.folder.path().join(name);
    fs::write(&path, text).unwrap();
    path
}

/// A provider with an agent and a subscription; answers its id.
fn set_up_shop(machine: &Machine, seller: &Trader) -> String {
    let endpoint = ["--endpoint", "https://agent.example"];
    let register = ["provider", "register", "Ada", "--capability", "vision.digits"];
    let provider = seller.text("/provider/provider_id", &[&register[..], &endpoint].concat());
    let updated = seller.json(&[
        "provider",
        "update",
        &provider,
        "--name",
        "Ada's",
        "--description",
        "Reads digits",
    ]);
    assert_eq!(updated["provider"]["display_name"], "Ada's");
    assert_eq!(updated["provider"]["endpoint"], "https://agent.example");

    let key = PrincipalKey::from_seed(&[5; 32]).unwrap();
    let file = write(machine, "agent.key", key.private_pem())
        .display()
        .to_string();
    let agent = seller.text(
        "/agent/agent_id",
        &["provider", "add-agent", &provider, "robot", "--agent-key", &file],
    );
    assert!(seller.says(&["provider", "agents", &provider]).contains("active"));
    assert_eq!(
        seller.text("/agent/status", &["provider", "retire-agent", &agent]),
        "AGENT_STATUS_RETIRED"
    );

    let subscription = seller.text(
        "/subscription/subscription_id",
        &["provider", "subscribe", &provider, "vision.*"],
    );
    assert!(
        seller
            .says(&["provider", "subscriptions", &provider])
            .contains(&subscription)
    );
    assert_eq!(
        seller.text("/provider/status", &["provider", "deactivate", &provider]),
        "PROVIDER_STATUS_INACTIVE"
    );
    seller.says(&["provider", "activate", &provider]);
    assert!(
        seller
            .says(&["provider", "search", "vision.digits"])
            .contains(&provider)
    );
    assert!(seller.says(&["provider", "list"]).starts_with("PROVIDER_ID"));
    provider
}

#[test]
fn a_whole_trade_by_the_command_line() {
    let machine = Machine::new();
    let running = machine.start();
    let buyer = Trader::new(&machine, &running, "Ada");
    let seller = Trader::new(&machine, &running, "Grace");
    buyer.says(&["deposit", "100"]);
    buyer.until("/balances/0/available", "100", &["balance"]);
    let provider = set_up_shop(&machine, &seller);

    let payload = write(&machine, "payload", "0123456789").display().to_string();
    let publish = [
        "work",
        "publish",
        "5",
        "--category",
        "vision.digits",
        "--description",
        "Read ten digits",
    ];
    let more = [
        "--window",
        "60",
        "--payload",
        &payload,
        "--idempotency-key",
        "publish-0123456789",
    ];
    let line = [&publish[..], &more].concat();
    let work = buyer.text("/work/work_id", &line);
    assert_eq!(
        buyer.text("/work/work_id", &line),
        work,
        "the same key answers the same"
    );
    let listed = buyer.says(&["work", "list"]);
    assert!(
        listed.contains(&work) && listed.contains("open") && listed.contains("5 USD"),
        "{listed}"
    );

    let submit = [
        "bid",
        "submit",
        &work,
        "4",
        "--provider",
        &provider,
        "--approach",
        "by heart",
    ];
    let bid = seller.text(
        "/bid/bid_id",
        &[&submit[..], &["--endpoint", "https://agent.example"]].concat(),
    );
    assert!(buyer.says(&["bid", "list", "--work", &work]).contains(&bid));
    assert!(
        seller
            .says(&["bid", "list", "--provider", &provider])
            .contains(&bid)
    );
    assert!(seller.says(&["bid", "get", &bid]).contains("4 USD"));

    let contract = buyer.text("/contract/contract_id", &["contract", "award", &work, &bid]);
    let ranking = buyer.says(&["work", "ranking", &work]);
    assert!(ranking.contains("RANK") && ranking.contains(&bid), "{ranking}");
    assert!(buyer.says(&["work", "explain", &work, &bid]).contains("FORMULA"));
    seller.says(&["contract", "start", &contract]);
    let received = machine.folder.path().join("received").display().to_string();
    seller.says(&["contract", "payload", &contract, "--out", &received]);
    assert_eq!(fs::read_to_string(&received).unwrap(), "0123456789");
    seller.says(&["contract", "progress", &contract, "50", "--message", "half"]);
    let result = write(&machine, "result", "ten digits").display().to_string();
    seller.says(&[
        "contract",
        "complete",
        &contract,
        "--summary",
        "read",
        "--result",
        &result,
    ]);
    buyer.says(&["contract", "result", &contract, "--out", &received]);
    assert_eq!(fs::read_to_string(&received).unwrap(), "ten digits");
    assert_eq!(
        buyer.says(&["contract", "result", &contract, "--out", "-"]),
        "ten digits"
    );
    let shown = buyer.says(&["contract", "result", &contract]);
    // What `printf 'ten digits' | sha256sum` says.
    assert!(
        shown.contains("f83c944549481e464fa490d7b1e6811985a34800a0e0efc18f5907185d109565"),
        "{shown}"
    );

    seller.refused(
        1,
        &["CONTRACT_STATUS_INVALID", "aex contract get"],
        &["contract", "start", &contract],
    );
    buyer.says(&["contract", "accept", &contract]);
    paid(&buyer, &seller, &provider, &contract);
    let found = machine.json(&["fsck", "--json"]);
    assert_eq!(found["violations"].as_array().unwrap().len(), 0, "{found}");
}

#[test]
fn content_that_is_kept_elsewhere_is_named_and_no_empty_file_stands_for_it() {
    let machine = Machine::new();
    let running = machine.start();
    let buyer = Trader::new(&machine, &running, "Ada");
    let seller = Trader::new(&machine, &running, "Grace");
    buyer.says(&["deposit", "100"]);
    buyer.until("/balances/0/available", "100", &["balance"]);
    let provider = set_up_shop(&machine, &seller);
    let kept = |what: &str| {
        format!(
            r#"{{"{what}_location": "https://store.example/{what}", "{what}_content_type": "image/png",
                "{what}_sha256": "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=",
                "{what}_size_bytes": 8388608}}"#
        )
    };
    let what = [
        "5",
        "--category",
        "vision.digits",
        "--description",
        "Read ten digits",
    ];
    let publish = [&["work", "publish"], &what[..], &["--window", "60", "--request"]].concat();
    let work = buyer.text("/work/work_id", &[&publish[..], &[&kept("payload")]].concat());
    let submit = [
        "bid",
        "submit",
        &work,
        "4",
        "--provider",
        &provider,
        "--approach",
        "by heart",
    ];
    let bid = seller.text(
        "/bid/bid_id",
        &[&submit[..], &["--endpoint", "https://agent.example"]].concat(),
    );
    let contract = buyer.text("/contract/contract_id", &["contract", "award", &work, &bid]);
    let named = |trader: &Trader, what: &str| {
        let file = machine.folder.path().join(what);
        let (location, digest) = (format!("https://store.example/{what}"), "07".repeat(32));
        let words = [location.as_str(), digest.as_str()];
        let shown = trader.says(&["contract", what, &contract]);
        for word in [words[0], words[1], "8388608", "image/png"] {
            assert!(shown.contains(word), "{word} in {shown}");
        }
        let path = file.display().to_string();
        for out in [path.as_str(), "-"] {
            trader.refused(1, &words, &["contract", what, &contract, "--out", out]);
        }
        assert!(!file.exists());
    };
    named(&seller, "payload");
    seller.says(&["contract", "complete", &contract, "--request", &kept("result")]);
    named(&buyer, "result");
}

/// What both sides read of an accepted contract of 4 dollars.
fn paid(buyer: &Trader, seller: &Trader, provider: &str, contract: &str) {
    buyer.until(
        "/contract/status",
        "CONTRACT_STATUS_SETTLED",
        &["contract", "get", contract],
    );
    assert!(buyer.says(&["contract", "list"]).contains("settled"));
    buyer.until("/balances/0/available", "96", &["balance"]);
    seller.until("/balances/0/available", "3.4", &["balance"]);
    assert!(seller.says(&["balance"]).starts_with("CURRENCY_CODE  AVAILABLE"));
    assert!(
        seller
            .says(&["statement", "--contract", contract])
            .contains("3.4 USD")
    );
    seller.until("/trust/tier", "TIER_UNVERIFIED", &["trust", "get", provider]);
    let begun = Instant::now();
    while !buyer
        .says(&["events", "list", "--about", contract])
        .contains("contract.completed")
    {
        assert!(begun.elapsed() < PATIENCE);
    }
}

#[test]
fn what_a_trader_gets_wrong_is_told_with_what_to_do() {
    let machine = Machine::new();
    let running = machine.start();
    let buyer = Trader::new(&machine, &running, "Ada");
    let publish = |amount: &str, more: &[&str]| {
        let line = [
            "work",
            "publish",
            amount,
            "--category",
            "vision.digits",
            "--description",
            "x",
        ];
        buyer.run(&[&line[..], more].concat())
    };
    // A misspelt field, command and option.
    told(
        &publish("1", &["--request", r#"{"categry": "x"}"#]),
        2,
        &["PublishWork has no field categry", "did you mean category?"],
    );
    told(
        &publish("1", &["--request", "{"]),
        2,
        &["--request is no JSON object"],
    );
    for (line, near) in [
        (&["wrk", "list"][..], "work"),
        (&["work", "list", "--jsn"], "--json"),
    ] {
        let output = buyer.run(line);
        assert_eq!(output.status.code(), Some(2));
        assert!(
            String::from_utf8_lossy(&output.stderr).contains(near),
            "{output:?}"
        );
    }
    // Amounts.
    for amount in ["1.2345678", "1e3", "five", "-5"] {
        told(&publish(amount, &[]), 1, &["REQUEST_INVALID", "max_price"]);
    }
    buyer.refused(1, &["REQUEST_INVALID", "amount"], &["deposit", "-5"]);
    told(
        &publish("1", &["--window", "-1"]),
        1,
        &["REQUEST_INVALID", "bid_window", "5000"],
    );
    told(&publish("1000", &[]), 1, &["INSUFFICIENT_FUNDS", "aex deposit"]);
    // Ids of another kind, and of nobody.
    let id = "01h455vb4pex5vsknk084sn02q";
    buyer.refused(
        1,
        &["REQUEST_INVALID", "work_id"],
        &["work", "get", &format!("bid_{id}")],
    );
    buyer.refused(
        1,
        &["CONTRACT_NOT_FOUND", "aex contract list"],
        &["contract", "get", &format!("contract_{id}")],
    );
    // Another's work is like one that does not exist.
    buyer.says(&["deposit", "10"]);
    let made = publish("1", &["--json"]);
    let made: Value = serde_json::from_slice(&made.stdout).unwrap();
    let work = made["work"]["work_id"].as_str().unwrap();
    let stranger = Trader::new(&machine, &running, "Grace");
    let by_request = format!(r#"{{"work_id": "{work}"}}"#);
    buyer.says(&["bid", "list", "--request", &by_request]);
    stranger.refused(1, &["WORK_NOT_FOUND", "aex work list"], &["work", "cancel", work]);
    buyer.says(&["work", "cancel", work]);
    buyer.refused(
        1,
        &["WORK_NOT_CANCELLABLE", "aex work get"],
        &["work", "cancel", work],
    );
    // Files that are not there, or are something else.
    told(
        &publish("1", &["--payload", "/nowhere"]),
        2,
        &["--payload /nowhere", "No such file"],
    );
    let odd = write(&machine, "odd.key", "nothing").display().to_string();
    let add = [
        "provider",
        "add-agent",
        "provider_x",
        "robot",
        "--agent-key",
        &odd,
    ];
    buyer.refused(2, &["odd.key", "openssl genpkey"], &add);
    buyer.refused(
        2,
        &["nothing to change", "--name"],
        &["provider", "update", "provider_x"],
    );
    // Nobody answers: the outcome is unknown, and the key that makes it safe is told.
    let mut away = buyer.command(&["deposit", "5"]);
    let output = away.env("AEX_SERVER", "http://127.0.0.1:1").output().unwrap();
    told(
        &output,
        3,
        &["cannot reach http://127.0.0.1:1", "--idempotency-key cli-"],
    );
}
