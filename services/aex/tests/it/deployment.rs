//! An exchange of processes as its operator reaches it: `init` and `fsck` with a certificate and a configuration.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
    time::Duration,
};

use aex_kit::{
    Clock,
    tls::{DevAuthority, Pem},
};
use aex_testkit::{Fleet, FleetOptions};
use serde_json::Value;

const AEX: &str = env!("CARGO_BIN_EXE_aex");

/// An operator's files, and the configuration that names them.
struct Operator {
    folder: PathBuf,
    config: PathBuf,
}

impl Operator {
    /// Certified by the fleet's own authority.
    fn of(fleet: &Fleet) -> Self {
        let pem = fleet.authority().operator("ada", Clock::system().now()).unwrap();
        let operator = Self {
            folder: fleet.folder().to_owned(),
            config: fleet.folder().join("operator.toml"),
        };
        operator.carry(&pem);
        let section = operator
            .files()
            .map(|(name, file)| format!("{name} = {:?}\n", file.display().to_string()))
            .concat();
        let services = fs::read_to_string(fleet.config()).unwrap();
        fs::write(
            &operator.config,
            format!("{services}\n[operator.auth]\n{section}"),
        )
        .unwrap();
        operator
    }

    fn files(&self) -> [(&'static str, PathBuf); 3] {
        [
            ("ca_file", self.folder.join("operator.ca.pem")),
            ("cert_file", self.folder.join("operator.pem")),
            ("key_file", self.folder.join("operator.key")),
        ]
    }

    /// Uses another certificate from now on.
    fn carry(&self, pem: &Pem) {
        let [ca, cert, key] = self.files();
        fs::write(ca.1, &pem.ca).unwrap();
        fs::write(cert.1, &pem.cert).unwrap();
        fs::write(key.1, &pem.key).unwrap();
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments)
            .arg("--config")
            .arg(&self.config)
            .output()
            .unwrap()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(AEX);
        command
            .args(arguments)
            .env("AEX_DATA_DIR", self.folder.join("no-such-data"))
            .env_remove("AEX_API_KEY");
        command
    }
}

#[track_caller]
fn json(output: &Output) -> Value {
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).unwrap()
}

/// What was said in one line that names all the words.
#[track_caller]
fn refused(output: &Output, code: i32, words: &[&str]) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    for word in words {
        assert!(said.contains(word), "{word} in {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_makes_a_first_key_and_checks_everything_over_the_wire() {
    let fleet = Fleet::start(Path::new(AEX), FleetOptions::default()).await;
    let operator = Operator::of(&fleet);
    let made = json(&operator.run(&["init", "--name", "Ada", "--json"]));

    let mut balance = operator.command(&["balance", "--server", &fleet.edge(), "--json"]);
    let balance = balance
        .env("AEX_API_KEY", made["api_key"].as_str().unwrap())
        .output()
        .unwrap();
    assert!(json(&balance)["balances"].is_array());

    let found = json(&operator.run(&["fsck", "--json"]));
    assert_eq!(found["violations"].as_array().unwrap().len(), 0, "{found}");
    assert_eq!(found["facts"]["tenant.status"], 1, "{found}");

    // The same without a file: certificate and addresses from the environment.
    let mut from_environment = operator.command(&["fsck", "--json"]);
    for (name, file) in operator.files() {
        from_environment.env(format!("AEX_OPERATOR__AUTH__{}", name.to_uppercase()), file);
    }
    for (service, _) in aex_testkit::fleet::SERVICES {
        let variable = service.replace('-', "_").to_uppercase();
        from_environment.env(
            format!("AEX_OPERATOR__PEERS__{variable}"),
            fleet.address(service).to_string(),
        );
    }
    assert_eq!(json(&from_environment.output().unwrap()), found);

    refused(&operator.run(&["fsck", "--rebuild"]), 2, &["data directory"]);

    fleet.kill("settlement");
    let address = fleet.address("settlement").to_string();
    let words = ["settlement cannot be reached", &address, "aex serve settlement"];
    refused(&operator.run(&["fsck"]), 3, &words);
    fleet.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_operator_lacks_is_named() {
    let fleet = Fleet::furnish(Path::new(AEX), FleetOptions::default()).await;
    fleet.launch(&["identity", "event-ledger"]);
    fleet.wait_for(&["identity", "event-ledger"]).await;
    let operator = Operator::of(&fleet);
    let now = Clock::system().now();
    let init = || operator.run(&["init"]);
    let good = fleet.authority().operator("ada", now).unwrap();
    let stranger = DevAuthority::new("aex", now)
        .unwrap()
        .operator("ada", now)
        .unwrap();

    let nothing = operator
        .command(&["init", "--config"])
        .arg(fleet.config())
        .output()
        .unwrap();
    refused(
        &nothing,
        1,
        &[
            "no operator's certificate",
            "[operator.auth]",
            "AEX_OPERATOR__AUTH__CERT_FILE",
        ],
    );
    operator.carry(&fleet.authority().service("settlement", now).unwrap());
    refused(
        &init(),
        1,
        &["spiffe://aex/svc/settlement", "spiffe://aex/operator/NAME"],
    );
    operator.carry(
        &fleet
            .authority()
            .operator("ada", now.saturating_sub(Duration::from_hours(48)))
            .unwrap(),
    );
    refused(&init(), 1, &["operator.pem", "has expired"]);
    operator.carry(&Pem {
        key: stranger.key.clone(),
        ..good.clone()
    });
    refused(&init(), 1, &["operator.pem"]);
    operator.carry(&Pem {
        ca: stranger.ca.clone(),
        ..good.clone()
    });
    refused(
        &init(),
        3,
        &[
            "identity cannot be reached",
            "not of the authorities in",
            "operator.ca.pem",
        ],
    );
    operator.carry(&Pem {
        ca: good.ca.clone(),
        ..stranger
    });
    refused(&init(), 3, &["identity cannot be reached", "authority"]);
    operator.carry(&good);
    json(&operator.run(&["init", "--json"]));

    let other = operator
        .command(&["init", "--config"])
        .arg(&operator.config)
        .env(
            "AEX_OPERATOR__PEERS__IDENTITY",
            fleet.address("event-ledger").to_string(),
        )
        .output()
        .unwrap();
    refused(&other, 3, &["what answers there is not identity"]);
    let nowhere = operator
        .command(&["init"])
        .env("AEX_OPERATOR__AUTH__CERT_FILE", operator.files()[1].1.clone())
        .env("AEX_OPERATOR__AUTH__CA_FILE", operator.files()[0].1.clone())
        .env("AEX_OPERATOR__AUTH__KEY_FILE", operator.files()[2].1.clone())
        .output()
        .unwrap();
    refused(
        &nowhere,
        1,
        &[
            "where identity is",
            "operator.peers.identity",
            "AEX_OPERATOR__PEERS__IDENTITY",
        ],
    );
    fleet.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_without_its_secret_does_not_start() {
    let fleet = Fleet::furnish(Path::new(AEX), FleetOptions::default()).await;
    let whole = fs::read_to_string(fleet.config()).unwrap();
    let without = fleet.folder().join("without.toml");
    for (service, section, words) in [
        ("identity", "[identity.keys]", &["identity", "keys.pepper"][..]),
        (
            "contract-engine",
            "[contract-engine.tokens]",
            &[
                "contract-engine",
                "tokens.key_file",
                "openssl genpkey -algorithm ed25519",
            ],
        ),
    ] {
        let (before, after) = whole.split_once(section).unwrap();
        let (_, after) = after.split_once("\n[").unwrap();
        fs::write(&without, format!("{before}\n[{after}")).unwrap();
        let output = Command::new(AEX)
            .args(["serve", service, "--config"])
            .arg(&without)
            .output()
            .unwrap();
        refused(&output, 1, words);
    }
    fleet.stop().await;
}
