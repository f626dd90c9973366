//! Clients of other languages, which `scripts/tools` fetches. A machine that cannot have one skips what it would run.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// The root of the repository.
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .unwrap()
}

/// Where `scripts/tools` leaves programs.
pub fn tools() -> PathBuf {
    repository().join(".aex/tools")
}

/// A program below the tools. Without it `what` cannot run: it is noted, and `make test` names it at its end, unless the
/// machine has to have every client.
pub fn fetched(program: &str, what: &str) -> Option<PathBuf> {
    let path = tools().join(program);
    if path.exists() {
        return Some(path);
    }
    assert!(
        std::env::var("AEX_REQUIRE_CLIENTS").as_deref() != Ok("1"),
        "{what}: {} is not there, and AEX_REQUIRE_CLIENTS=1 wants it",
        path.display()
    );
    let notes = repository().join("target/skipped");
    fs::create_dir_all(&notes).unwrap();
    let name = what.replace(|c: char| !c.is_ascii_alphanumeric(), "-");
    fs::write(
        notes.join(name),
        format!("{what}: .aex/tools/{program} is not there\n"),
    )
    .unwrap();
    None
}
