//! What goes wrong is told in one line that says what to do.

use std::{io::Write as _, process::Output};

use crate::machine::Machine;

fn refused(output: &Output) -> String {
    ended(output, 1)
}

fn ended(output: &Output, code: i32) -> String {
    assert_eq!(output.status.code(), Some(code), "{output:?}");
    // What is logged beside it, such as a statement that is slow on a busy machine, is JSON.
    let said = String::from_utf8(output.stderr.clone()).unwrap();
    let told: Vec<_> = said.lines().filter(|line| !line.starts_with('{')).collect();
    let said = told.join("\n");
    assert_eq!(told.len(), 1, "{said}");
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
    names(&said, &["cannot listen on", &port, "--port"]);
    assert!(!machine.data().exists());
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
fn a_data_directory_that_cannot_be_made() {
    let machine = Machine::new();
    std::fs::write(machine.data(), "a file").unwrap();
    let said = refused(&machine.run(&["dev", "--port", "0"]));
    names(
        &said,
        &["cannot make", &machine.data().display().to_string(), "--data-dir"],
    );
}

#[test]
fn a_data_directory_of_a_newer_release() {
    let machine = Machine::new();
    std::fs::create_dir(machine.data()).unwrap();
    std::fs::write(machine.data().join("version"), "9.0.0\n").unwrap();
    let said = refused(&machine.run(&["dev", "--port", "0"]));
    names(&said, &["aex 9.0.0", "newer than this aex", "--data-dir"]);
    assert!(!machine.data().join("postgres").exists());
}

#[test]
fn a_database_that_does_not_start_says_what_its_log_says() {
    let machine = Machine::new();
    let mut running = machine.start();
    running.signal("TERM");
    let cluster = machine.data().join("postgres/data");
    let control = cluster.join("global/pg_control");
    let whole = std::fs::read(&control).unwrap();
    std::fs::write(&control, "damaged").unwrap();
    let said = refused(&machine.run(&["dev", "--port", "0"]));
    names(&said, &["PostgreSQL did not start", "pg_control"]);
    std::fs::write(&control, whole).unwrap();

    // A cluster of another major version is not touched.
    let version = cluster.join("PG_VERSION");
    let ours = std::fs::read_to_string(&version).unwrap();
    std::fs::write(&version, "99\n").unwrap();
    let said = refused(&machine.run(&["dev", "--port", "0"]));
    names(&said, &["made by PostgreSQL 99", "AEX_PG_BIN"]);
    std::fs::write(&version, ours).unwrap();
    machine.start();
}

#[test]
fn a_wrong_key_no_key_and_no_exchange() {
    let machine = Machine::new();
    let running = machine.start();
    let ask = ["work", "list", "--server", &running.edge];
    names(
        &refused(&machine.run(&ask)),
        &["CREDENTIAL_MISSING", "AEX_API_KEY", "--key-file"],
    );
    let output = machine
        .command(&ask)
        .env("AEX_API_KEY", "aex_test_wrong")
        .output()
        .unwrap();
    names(
        &refused(&output),
        &["CREDENTIAL_INVALID", "AEX_API_KEY", "--server"],
    );
    let gone = ended(
        &machine.run(&["work", "list", "--server", "http://127.0.0.1:1"]),
        3,
    );
    names(&gone, &["cannot reach http://127.0.0.1:1"]);
    let odd = ended(&machine.run(&["work", "list", "--server", "nonsense"]), 2);
    names(&odd, &["nonsense is no address"]);
}

#[test]
fn a_server_that_is_no_exchange() {
    for (said, answer) in [
        (
            "HTTP/1.1",
            &b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n"[..],
        ),
        ("garbage", &[0x15; 64]),
    ] {
        let machine = Machine::new();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let server = format!("http://{}", listener.local_addr().unwrap());
        let asked = machine
            .command(&["work", "list", "--server", &server])
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let (mut stream, _) = listener.accept().unwrap();
        stream.write_all(answer).unwrap();
        let told = ended(&asked.wait_with_output().unwrap(), 3);
        names(
            &told,
            &[&server, "does not answer as an edge of an exchange", "AEX_SERVER"],
        );
        assert!(!told.contains("h2"), "{said}: {told}");
    }
}

#[test]
fn what_is_refused_before_anybody_is_asked() {
    let machine = Machine::new();
    let publish = ["work", "publish", "1", "--category", "a.b", "--description", "x"];
    let with = |more: &[&'static str]| [&publish[..], more].concat();
    for (line, words) in [
        (
            vec!["work", "list", "--server", "https://127.0.0.1:1"],
            &["--ca-file"][..],
        ),
        (
            vec![
                "work",
                "list",
                "--server",
                "https://127.0.0.1:1",
                "--ca-file",
                "/nonexistent",
            ],
            &["--ca-file /nonexistent"],
        ),
        (with(&["--payload", "/nonexistent"]), &["--payload /nonexistent"]),
        (
            vec!["work", "list", "--key-file", "/nonexistent"],
            &["--key-file /nonexistent"],
        ),
        (
            vec!["contract", "complete", "c", "--result", "/nonexistent"],
            &["--result /nonexistent"],
        ),
        (
            vec!["provider", "add-agent", "p", "Ada", "--agent-key", "/nonexistent"],
            &["--agent-key /nonexistent"],
        ),
        (vec!["bid", "list"], &["--work WORK", "--provider PROVIDER"]),
    ] {
        names(&ended(&machine.run(&line), 2), words);
    }
}

#[test]
fn a_number_that_cannot_be_meant() {
    let machine = Machine::new();
    let submit = ["bid", "submit", "work_1", "1", "--endpoint", "https://x"];
    for (line, words) in [
        (&["--confidence", "nan"][..], "must be a number from 0 to 1"),
        (&["--confidence", "inf"], "must be a number from 0 to 1"),
        (&["--confidence", "-inf"], "must be a number from 0 to 1"),
        (&["--confidence=-0.1"], "must be a number from 0 to 1"),
        (&["--confidence", "1.01"], "must be a number from 0 to 1"),
        (&["--confidence", "sure"], "must be a number from 0 to 1"),
        (&["--valid-for", "-5"], "-5"),
        (&["--valid-for", "0"], "1.."),
    ] {
        let output = machine.run(&[&submit[..], line].concat());
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(words) && !said.contains("-- -"), "{said}");
    }
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
    let said = refused(&machine.run(&check));
    names(
        &said,
        &["identity", "server.max_cals", "did you mean server.max_calls?"],
    );
    std::fs::write(&file, "[identiy.server]\nmax_calls = 7\n").unwrap();
    let said = refused(&machine.run(&check));
    names(&said, &[&path, "[identiy]", "did you mean [identity]?"]);
    std::fs::write(&file, "[gateway]\nlisten_on = 7\n").unwrap();
    names(
        &refused(&machine.run(&check)),
        &["gateway", "did you mean listen?"],
    );
    for (section, key) in [
        ("identity.database", "max_connections"),
        ("identity.database", "acquire_ms"),
        ("identity.server", "max_calls"),
        ("identity.server", "max_watches"),
        ("gateway", "max_connections"),
    ] {
        std::fs::write(&file, format!("[{section}]\n{key} = 0\n")).unwrap();
        let said = refused(&machine.run(&check));
        names(&said, &["configuration of", key, "at least 1"]);
    }
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
    let whole: serde_json::Value = serde_json::from_str(&said).unwrap();
    let sections: Vec<_> = whole.as_object().unwrap().keys().map(String::as_str).collect();
    for section in ["gateway", "operator", "settlement", "contract-engine"] {
        assert!(sections.contains(&section), "{sections:?}");
    }
}

#[test]
fn a_variable_of_a_section_that_does_not_exist() {
    let machine = Machine::new();
    for arguments in [
        &["config", "check"][..],
        &["serve", "identity"],
        &["dev", "--port", "0"],
    ] {
        let told = |name: &str| refused(&machine.command(arguments).env(name, "foo").output().unwrap());
        names(
            &told("AEX_IDENTITTY__SERVER__LISTEN"),
            &["AEX_IDENTITTY__SERVER__LISTEN", "did you mean AEX_IDENTITY__…?"],
        );
        names(
            &told("AEX_NONSENSE__X"),
            &[
                "AEX_NONSENSE__X",
                "choose from",
                "AEX_EVENT_LEDGER",
                "AEX_GATEWAY",
            ],
        );
    }
    assert!(!machine.data().exists());
    let output = machine
        .command(&["config", "check"])
        .env("AEX_BID_GATEWAY__SERVER__MAX_CALLS", "7")
        .env("AEX_PG_BIN", "/nowhere")
        .env("AEX_LOG", "warn")
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn a_configuration_that_could_not_be_used() {
    let machine = Machine::new();
    for (variable, value, words) in [
        (
            "AEX_SETTLEMENT__BOOKS__LEAST_DEPOSIT",
            "200000",
            &["books.least_deposit", "books.most_deposit"][..],
        ),
        ("AEX_SETTLEMENT__BOOKS__CURRENCIES", "", &["books.currencies"]),
        ("AEX_SETTLEMENT__BATCH__LINGER_MS", "3600000", &["at most 1000"]),
        ("AEX_IDENTITY__KEYS__PEPPER", "short", &["at least 32 bytes"]),
        ("AEX_IDENTITY__DATABASE__URL", "foo", &["identity"]),
        (
            "AEX_IDENTITY__TELEMETRY__LOG_LEVEL",
            "loud",
            &["loud is no level", "`info`"],
        ),
        (
            "AEX_SETTLEMENT__PEERS__IDNTITY",
            "127.0.0.1:9",
            &["peers.idntity", "did you mean peers.identity?"],
        ),
        (
            "AEX_SETTLEMENT__PEERS__IDENTITY",
            "here",
            &["peers.identity", "here"],
        ),
        (
            "AEX_GATEWAY__LISTEN",
            "0.0.0.0:1",
            &["0.0.0.0:1", "tls.cert_file"],
        ),
        ("AEX_GATEWAY__ORIGINS", "foo", &["foo"]),
    ] {
        let output = machine
            .command(&["config", "check"])
            .env(variable, value)
            .output();
        names(&refused(&output.unwrap()), words);
    }
    // Text is text, whatever it looks like.
    let output = machine
        .command(&["config", "print"])
        .env("AEX_SETTLEMENT__BOOKS__MOST_DEPOSIT", "999999999999.123457")
        .env("AEX_SETTLEMENT__BOOKS__CURRENCIES", "USD, EUR")
        .env("AEX_SETTLEMENT__AUTH__TRUST_DOMAIN", "0012")
        .output()
        .unwrap();
    let printed: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let settlement = &printed["settlement"];
    assert_eq!(settlement["books"]["most_deposit"], "999999999999.123457");
    assert_eq!(
        settlement["books"]["currencies"],
        serde_json::json!(["USD", "EUR"])
    );
    assert_eq!(settlement["auth"]["trust_domain"], "0012");
}

#[test]
fn a_log_filter_that_cannot_be_read() {
    let machine = Machine::new();
    for (arguments, variable) in [
        (&["dev", "--port", "0"][..], "AEX_LOG"),
        (&["config", "check"], "AEX_IDENTITY__TELEMETRY__LOG_LEVEL"),
        (&["serve", "identity"], "AEX_IDENTITY__TELEMETRY__LOG_LEVEL"),
    ] {
        let output = machine.command(arguments).env(variable, "aex_kit=loud").output();
        names(
            &refused(&output.unwrap()),
            &["cannot read the log filter", "aex_kit=loud", "`info`"],
        );
    }
    assert!(!machine.data().exists());
}

#[test]
fn a_service_that_does_not_exist_or_is_told_nothing() {
    let machine = Machine::new();
    names(
        &ended(&machine.run(&["serve", "identiti"]), 2),
        &["identiti", "did you mean identity?"],
    );
    names(
        &refused(&machine.run(&["serve", "identity"])),
        &["identity has no identity", "AEX_IDENTITY__AUTH__CERT_FILE"],
    );
    names(
        &refused(&machine.run(&["init"])),
        &["no exchange runs on", "aex dev"],
    );
    names(&refused(&machine.run(&["fsck"])), &["there is no exchange in"]);
}

#[test]
fn a_line_of_acknowledgements_that_cannot_be_meant() {
    let machine = Machine::new();
    let file = machine.folder.path().join("acks");
    let file = file.display().to_string();
    let said = ended(&machine.run(&["fsck", "--acks", &file]), 2);
    names(&said, &["--acks", &file, "No such file"]);
    std::fs::write(&file, "work w1 OPEN\ncontract c1 DONE\n").unwrap();
    let said = ended(&machine.run(&["fsck", "--acks", &file]), 2);
    names(
        &said,
        &[
            "--acks",
            &file,
            "line 2",
            "contract c1 DONE",
            "COMPLETED, SETTLED",
        ],
    );
}

#[test]
fn scopes_are_all_named_in_the_help_and_to_who_gives_another() {
    let machine = Machine::new();
    let help = machine.says(&["init", "--help"]);
    let output = machine.run(&["init", "--scope", "work:reed"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{said}");
    for told in [&help, &said] {
        names(
            told,
            &["billing:read", "events:read", "trust:*", "work:read", "work:*"],
        );
    }
}

#[test]
fn an_exchange_that_was_killed_does_not_run_whatever_it_has_noted() {
    let machine = Machine::new();
    let mut running = machine.start();
    running.signal("KILL");
    assert!(machine.data().join("operator.json").exists());
    let data = machine.data().display().to_string();
    names(
        &refused(&machine.run(&["init"])),
        &[
            "no exchange runs on",
            &data,
            &format!("aex dev --data-dir {data}"),
        ],
    );
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
