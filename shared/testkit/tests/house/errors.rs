//! The page of errors says what the contracts say.

use std::fmt::Write as _;

use crate::{files, read, root};

const HEAD: &str = "# Errors\n\n\
    Every refusal carries an `ErrorInfo` with a reason and a domain; the words of its message stand in the metadata too.\n\
    `BadRequest` names each wrong field, `RetryInfo` says when to call again. This page is made from the contracts\n\
    (`AEX_WRITE_DOCS=1 cargo test -p aex-testkit --test house errors`).\n";

/// The reasons of every service, with what the contract says of each.
fn page() -> String {
    let mut page = HEAD.to_owned();
    for file in files(&root().join("proto"), "error_reason.proto") {
        let text = read(&file);
        let package = text
            .lines()
            .find_map(|line| line.strip_prefix("package aex."))
            .unwrap_or_default();
        let service = package.split('.').next().unwrap_or_default().replace('_', "-");
        let _ = write!(
            page,
            "\n## {service}.aex\n\n| reason | code | when, and what to do | example |\n|---|---|---|---|\n"
        );
        let mut comment = String::new();
        for line in text.lines().map(str::trim) {
            if let Some(words) = line.strip_prefix("// ") {
                comment.push_str(words);
                comment.push(' ');
                continue;
            }
            let name = line
                .strip_prefix("ERROR_REASON_")
                .and_then(|rest| rest.split(' ').next());
            if let Some(name) = name.filter(|name| *name != "UNSPECIFIED") {
                let (what, example) = comment.split_once(" Example: ").unwrap_or((&comment, ""));
                let (code, what) = what.split_once(". ").unwrap_or(("", what));
                let _ = writeln!(
                    page,
                    "| `{name}` | {code} | {} | {} |",
                    what.trim(),
                    example.trim()
                );
            }
            comment.clear();
        }
    }
    page
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the one switch of this test")]
fn the_page_of_errors_is_what_the_contracts_say() {
    let path = root().join("docs/errors.md");
    let page = page();
    assert!(page.contains("| `TENANT_NOT_FOUND` | NOT_FOUND |"), "{page}");
    if std::env::var_os("AEX_WRITE_DOCS").is_some() {
        std::fs::write(&path, &page).expect("the page is writable");
    }
    assert!(
        read(&path) == page,
        "docs/errors.md is not what the contracts say; see its head for how to make it"
    );
}
