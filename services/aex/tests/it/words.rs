//! What goes wrong is told in one line that says what to do.

use std::process::Output;

use crate::machine::Machine;

fn refused(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let said = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(said.starts_with("aex: "), "{said}");
    said
}

#[track_caller]
fn names(said: &str, words: &[&str]) {
    for word in words {
        assert!(said.contains(word), "{word} in {said}");
    }
}

#[test]
fn a_port_that_is_taken() {
    let machine = Machine::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let said = refused(&machine.run(&["dev", "--port", &port]));
    names(&said, &["cannot listen on", &port]);
    assert_eq!(machine.postgres(), None);
}

#[test]
fn a_data_directory_in_use() {
    let machine = Machine::new();
    let running = machine.start();
    let said = refused(&machine.run(&["dev", "--port", "0"]));
    names(
        &said,
        &[
            "in use",
            &running.pid().to_string(),
            "choose another data directory",
        ],
    );
}

#[test]
fn no_postgres() {
    let machine = Machine::new();
    let empty = machine.folder.path().join("empty");
    std::fs::create_dir(&empty).unwrap();
    let output = machine
        .command(&["dev", "--port", "0"])
        .env("AEX_PG_BIN", &empty)
        .output();
    names(&refused(&output.unwrap()), &["PostgreSQL", "AEX_PG_BIN"]);
}

#[test]
fn a_wrong_key_no_key_and_no_exchange() {
    let machine = Machine::new();
    let running = machine.start();
    let ask = ["work", "list", "--server", &running.edge];
    names(
        &refused(&machine.run(&ask)),
        &["CREDENTIAL_MISSING", "AEX_API_KEY"],
    );
    let output = machine
        .command(&ask)
        .env("AEX_API_KEY", "aex_test_wrong")
        .output()
        .unwrap();
    names(&refused(&output), &["CREDENTIAL_INVALID", &running.edge]);
    let gone = refused(&machine.run(&["work", "list", "--server", "http://127.0.0.1:1"]));
    names(&gone, &["cannot reach http://127.0.0.1:1"]);
    let odd = refused(&machine.run(&["work", "list", "--server", "nonsense"]));
    names(&odd, &["nonsense is no address"]);
}

#[test]
fn a_configuration_that_cannot_be_used() {
    let machine = Machine::new();
    let file = machine.folder.path().join("aex.toml");
    let path = file.display().to_string();
    let check = ["config", "check", "--config", &path];
    names(
        &refused(&machine.run(&check)),
        &["cannot read the configuration", &path],
    );
    std::fs::write(&file, "[identity.server]\nmax_cals = 7\n").unwrap();
    names(&refused(&machine.run(&check)), &["identity", "max_cals"]);
    std::fs::write(&file, "[identity.server]\nmax_calls = 7\n").unwrap();
    machine.says(&check);
    let output = machine
        .command(&["config", "print", "--config", &path])
        .env(
            "AEX_IDENTITY__KEYS__PEPPER",
            "a pepper that is never printed anywhere",
        )
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(
        said.contains("\"max_calls\": 7") && said.contains("[redacted]"),
        "{said}"
    );
    assert!(!said.contains("never printed"), "{said}");
}

#[test]
fn a_service_that_does_not_exist_or_is_told_nothing() {
    let machine = Machine::new();
    names(
        &refused(&machine.run(&["serve", "identiti"])),
        &["identiti", "identity"],
    );
    names(
        &refused(&machine.run(&["serve", "identity"])),
        &["AEX_IDENTITY__SERVER__LISTEN"],
    );
    names(
        &refused(&machine.run(&["init"])),
        &["no exchange runs on", "aex dev"],
    );
    names(&refused(&machine.run(&["fsck"])), &["there is no exchange in"]);
}

#[test]
fn version_and_completions() {
    let machine = Machine::new();
    assert_eq!(
        machine.says(&["version"]),
        format!("aex {}\n", env!("CARGO_PKG_VERSION"))
    );
    for shell in ["bash", "zsh", "fish"] {
        assert!(machine.says(&["completions", shell]).contains("aex"));
    }
}
