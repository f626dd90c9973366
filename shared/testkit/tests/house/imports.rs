//! Who may import whom.

use std::{collections::BTreeSet, path::Path};

use crate::{files, read, root};

/// The crates of ours that a crate may use. A service is allowed what is named for `services`, and nothing of another
/// service.
const ALLOWED: &[(&str, &[&str])] = &[
    ("shared/proto", &[]),
    ("shared/types", &[]),
    ("shared/error", &["aex-proto", "aex-types"]),
    ("shared/kit", &["aex-error", "aex-proto", "aex-types"]),
    (
        "shared/store",
        &["aex-error", "aex-kit", "aex-proto", "aex-types"],
    ),
    (
        "shared/testkit",
        &["aex-error", "aex-kit", "aex-proto", "aex-store", "aex-types"],
    ),
    ("services/settlement/ledger", &["aex-types"]),
    (
        "gateway/edge",
        &["aex-error", "aex-kit", "aex-proto", "aex-types"],
    ),
    ("examples/digits", &["aex-proto", "aex-types"]),
    ("loadtest", &["aex-kit", "aex-proto", "aex-testkit", "aex-types"]),
];
const SERVICE: &[&str] = &["aex-error", "aex-kit", "aex-proto", "aex-store", "aex-types"];

/// What the pure parts of a service must not know.
const IMPURE: [&str; 6] = ["sqlx", "tonic", "tokio", "aex_proto", "aex_store", "std::fs"];

#[test]
fn crates_import_only_what_the_map_allows() {
    let root = root();
    let mut wrong = Vec::new();
    for manifest in files(&root, "Cargo.toml") {
        let folder = manifest
            .parent()
            .and_then(|folder| folder.strip_prefix(&root).ok())
            .unwrap_or(Path::new(""));
        let folder = folder.to_string_lossy().into_owned();
        if folder.is_empty() || folder == "services/aex" {
            continue;
        }
        let mut allowed: BTreeSet<&str> = ALLOWED
            .iter()
            .find(|(name, _)| *name == folder)
            .map_or(SERVICE, |(_, allowed)| allowed)
            .iter()
            .copied()
            .collect();
        if folder == "services/settlement" {
            allowed.insert("aex-settlement-ledger");
        }
        let text = read(&manifest);
        let used = text
            .lines()
            .skip_while(|line| *line != "[dependencies]")
            .skip(1)
            .take_while(|line| !line.starts_with('['));
        for line in used.filter(|line| line.starts_with("aex-")) {
            let name = line.split(['.', ' ', '=']).next().unwrap_or_default();
            if !allowed.contains(name) {
                wrong.push(format!("{folder} uses {name}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn inside_a_service_each_layer_keeps_to_itself() {
    let services = root().join("services");
    let mut wrong = Vec::new();
    for file in files(&services, ".rs") {
        let inside = file
            .strip_prefix(&services)
            .expect("a file of a service")
            .to_string_lossy()
            .into_owned();
        let Some((service, path)) = inside.split_once("/src/") else {
            continue;
        };
        if service == "aex" {
            continue;
        }
        let text = read(&file);
        let code: String = text
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"))
            .collect::<Vec<_>>()
            .join("\n");
        let mut refuse = |what: &str| wrong.push(format!("services/{inside}: {what}"));
        if path.starts_with("domain/") || service == "settlement/ledger" {
            for word in IMPURE
                .iter()
                .filter(|word| code.contains(&format!("{word}::")) || code.contains(&format!("use {word}")))
            {
                refuse(&format!("the domain knows {word}"));
            }
        }
        if !path.starts_with("store/")
            && path != "store.rs"
            && (code.contains("sqlx::query") || code.contains("sql!("))
        {
            refuse("SQL outside store/");
        }
        let is_float = |word: &str| matches!(word, "f32" | "f64");
        if service.starts_with("settlement") && code.split(|c: char| !c.is_alphanumeric()).any(is_float) {
            refuse("a float near money");
        }
        let own = format!("aex_proto::aex::{}", service.replace('-', "_"));
        let knows_wire =
            path.starts_with("rpc/") || ["peers.rs", "convert.rs", "lib.rs", "error.rs"].contains(&path);
        let is_convert = path.starts_with("convert/");
        if !knows_wire && !is_convert && code.contains(&own) {
            refuse("wire types outside rpc/, peers.rs and convert.rs");
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
