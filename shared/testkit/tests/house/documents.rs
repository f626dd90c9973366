//! Every path that a document names is there.

use std::path::Path;

use crate::{files, read, root};

/// The README of a crate may name its sources without `src/`. A word in backticks, or the target of a link, that looks like a path of the repository.
fn named_paths(text: &str) -> Vec<String> {
    let mut named = Vec::new();
    let mut in_fence = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            in_fence = !in_fence;
        }
        if in_fence {
            continue;
        }
        let ticked = line.split('`').skip(1).step_by(2).map(str::to_owned);
        let linked = line
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split(')').next())
            .map(str::to_owned);
        named.extend(ticked.chain(linked).filter(|word| looks_like_path(word)));
    }
    named
}

fn looks_like_path(word: &str) -> bool {
    const ROOTS: [&str; 9] = [
        "proto/",
        "shared/",
        "services/",
        "gateway/",
        "loadtest/",
        "examples/",
        "infra/",
        "docs/",
        "scripts/",
    ];
    const ENDINGS: [&str; 4] = [".md", ".toml", ".yaml", ".rs"];
    let plain = word
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || "._-/".contains(c));
    let local = ROOTS.iter().any(|root| word.starts_with(root));
    plain
        && !word.starts_with('/')
        && (local || (word.contains('/') && ENDINGS.iter().any(|ending| word.ends_with(ending))))
}

#[test]
fn every_path_that_a_document_names_is_there() {
    let root = root();
    let mut missing = Vec::new();
    let documents = files(&root, ".md");
    assert!(documents.len() >= 3, "the documents are not there");
    for document in documents {
        let folder = document.parent().unwrap_or(Path::new("")).to_owned();
        for path in named_paths(&read(&document)) {
            if ![
                root.join(&path),
                folder.join(&path),
                folder.join("src").join(&path),
            ]
            .iter()
            .any(|path| path.exists())
            {
                missing.push(format!(
                    "{} names {path}",
                    document.strip_prefix(&root).unwrap_or(&document).display()
                ));
            }
        }
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}
