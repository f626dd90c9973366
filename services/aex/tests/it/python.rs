//! A client of another language: Python, by reflection, without a line of generated code.

use std::process::Command;

use serde_json::Value;

use crate::{
    clients::{fetched, repository},
    machine::{Machine, Running},
};

/// What the exchange answers to a tenant that asks by the command line.
fn answer(machine: &Machine, running: &Running, tenant: &Value, arguments: &[&str]) -> Value {
    let output = machine
        .command(arguments)
        .args(["--json", "--server", &running.edge])
        .env("AEX_API_KEY", tenant["api_key"].as_str().unwrap())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn a_python_client_plays_one_full_trade_by_reflection() {
    let Some(python) = fetched("python/bin/python", "one trade in Python") else {
        return;
    };
    let machine = Machine::new();
    let running = machine.start();
    let consumer = machine.json(&["init", "--name", "Ada", "--json"]);
    let provider = machine.json(&["init", "--name", "Grace", "--json"]);
    let played = Command::new(python)
        .arg("-B")
        .arg(repository().join("examples/python/trade.py"))
        .arg(&running.edge)
        .env("CONSUMER_KEY", consumer["api_key"].as_str().unwrap())
        .env("PROVIDER_KEY", provider["api_key"].as_str().unwrap())
        .output()
        .unwrap();
    let said = String::from_utf8(played.stdout).unwrap();
    assert!(
        played.status.success(),
        "{said}\n{}",
        String::from_utf8_lossy(&played.stderr)
    );
    for line in [
        "refused INVALID_ARGUMENT REQUEST_INVALID of common.aex: category, description, max_price.amount",
        "contract PROPOSED AWARDED EXECUTING VERIFICATION_PENDING COMPLETED SETTLED",
        "paid 1.234567 USD: 1.049382 to the provider, 0.185185 to the exchange",
    ] {
        assert!(said.lines().any(|told| told == line), "{line} in {said}");
    }

    // The same, as the exchange tells it to others.
    let balance = |tenant| answer(&machine, &running, tenant, &["balance"])["balances"][0].clone();
    let (paid, earned) = (balance(&consumer), balance(&provider));
    assert_eq!(
        (&paid["available"], &paid["escrow"]),
        (&"98.765433".into(), &"0".into())
    );
    assert_eq!(
        (&earned["available"], &earned["pending"]),
        (&"1.049382".into(), &"0".into())
    );
    let contracts = answer(&machine, &running, &provider, &["contract", "list"]);
    let contracts = contracts["contracts"].as_array().unwrap();
    assert_eq!(contracts.len(), 1, "{contracts:?}");
    assert_eq!(contracts[0]["status"], "CONTRACT_STATUS_SETTLED");
    assert_eq!(contracts[0]["consumer_id"], consumer["tenant_id"]);
    let checked = machine.json(&["fsck", "--json"]);
    assert_eq!(checked["violations"].as_array().unwrap().len(), 0, "{checked}");
}
