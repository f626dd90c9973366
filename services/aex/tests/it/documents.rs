//! The commands of the documents work, and print what the documents show.
//!
//! In every document of the repository the blocks marked `sh` are commands: they run in order, in one shell, at the root
//! of a checkout, against an exchange of their own. A block marked `console` is an excerpt of what the block before it
//! printed: each of its lines is among them, in this order, and `…` stands for anything. Only the exchange's port is
//! replaced; where it keeps its data comes from the environment.

use std::{fs, os::unix::fs::symlink, path::PathBuf, process::Command};

use crate::{
    clients::{fetched, repository, tools},
    machine::{Machine, Running},
};

/// Commands that are not run, and why not.
const LEFT_OUT: [(&str, &str); 4] = [
    ("make demo", "builds a release and trades for half a minute"),
    (
        "target/release/aex-digits day",
        "is what `make demo` runs, on a binary of another crate",
    ),
    ("make test", "is what runs this"),
    (
        "make dev",
        "stays: the exchange that the commands meet stands for it",
    ),
];
/// Commands that need what a machine may lack, and what that is.
const CLIENTS: [(&str, &str); 4] = [
    ("buf", "bin/buf"),
    ("grpcurl", "bin/grpcurl"),
    ("scripts/tools python", "python/bin/python"),
    (".aex/tools/python/bin/python", "python/bin/python"),
];
/// Where documents expect the exchange.
const PORT: &str = "127.0.0.1:8080";

/// One block of a document, and the line that it begins at.
struct Block {
    kind: String,
    line: usize,
    text: String,
}

fn blocks(text: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut is_open = false;
    for (at, line) in text.lines().enumerate() {
        if let Some(kind) = line.strip_prefix("```") {
            is_open = !is_open;
            if is_open {
                blocks.push(Block {
                    kind: kind.to_owned(),
                    line: at + 1,
                    text: String::new(),
                });
            }
        } else if is_open {
            let block = blocks.last_mut().unwrap();
            block.text.push_str(line);
            block.text.push('\n');
        }
    }
    blocks
}

/// The commands of a block: one for each line that does not go on from the line before.
fn commands(text: &str) -> Vec<String> {
    let mut commands: Vec<String> = Vec::new();
    for line in text.lines() {
        match commands.last_mut() {
            Some(last) if last.ends_with('\\') => {
                last.push('\n');
                last.push_str(line);
            }
            _ => commands.push(line.to_owned()),
        }
    }
    commands
}

fn documents() -> Vec<PathBuf> {
    let mut documents = Vec::new();
    let mut folders = vec![repository()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if name.starts_with('.') || name == "target" || name == "node_modules" {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "md") {
                documents.push(path);
            }
        }
    }
    documents.sort();
    documents
}

/// A checkout in which a release was built: the repository's files, and this build in the release's place.
fn checkout(machine: &Machine) -> PathBuf {
    let checkout = machine.folder.path().join("checkout");
    fs::create_dir_all(checkout.join("target/release")).unwrap();
    for entry in fs::read_dir(repository()).unwrap() {
        let entry = entry.unwrap();
        if entry.file_name() != "target" && entry.file_name() != ".git" {
            symlink(entry.path(), checkout.join(entry.file_name())).unwrap();
        }
    }
    symlink(env!("CARGO_BIN_EXE_aex"), checkout.join("target/release/aex")).unwrap();
    checkout
}

/// Is this line what was said, when `…` stands for anything?
fn is_told(pattern: &str, said: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('…') else {
        return pattern == said;
    };
    let mut parts: Vec<_> = rest.split('…').collect();
    let last = parts.pop().unwrap_or_default();
    let mut rest = said.strip_prefix(first);
    for part in parts {
        rest = rest
            .and_then(|rest| rest.split_once(part))
            .map(|(_, after)| after);
    }
    rest.is_some_and(|rest| rest.ends_with(last))
}

/// The first line of an excerpt that was not said, after those before it.
fn untold<'a>(excerpt: &'a str, said: &str) -> Option<&'a str> {
    let mut said = said.lines();
    excerpt
        .lines()
        .find(|line| !said.any(|told| is_told(line.trim_end(), told.trim_end())))
}

/// The script of a document, which tells on its output where each block begins.
fn script(name: &str, blocks: &[Block], port: &str) -> String {
    let mut script = String::from("set -eux\n");
    for (at, block) in blocks.iter().enumerate().filter(|(_, block)| block.kind == "sh") {
        script.extend(["echo '== ", &at.to_string(), "'\n"]);
        for command in commands(&block.text) {
            let lacks = CLIENTS.iter().any(|(client, program)| {
                is_of(&command, client) && fetched(program, &format!("{client} in {name}")).is_none()
            });
            if !is_left_out(&command) && !lacks {
                script.extend([&command.replace(PORT, port), "\n"]);
            }
        }
    }
    script
}

fn is_left_out(command: &str) -> bool {
    LEFT_OUT.iter().any(|(left, _)| is_of(command, left))
}

fn is_of(command: &str, words: &str) -> bool {
    command
        .strip_prefix(words)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
}

/// What each block printed; the exchange's own words belong to the block that starts it.
fn told(blocks: &[Block], output: &str, running: &Running) -> Vec<String> {
    let mut told: Vec<String> = blocks
        .iter()
        .map(|block| {
            let starts = commands(&block.text)
                .iter()
                .any(|command| is_of(command, "make dev"));
            if starts {
                running.said.clone()
            } else {
                String::new()
            }
        })
        .collect();
    let mut at: usize = 0;
    for line in output.lines() {
        if let Some(number) = line.strip_prefix("== ") {
            at = number.parse().unwrap();
        } else {
            told.get_mut(at).unwrap().extend([line, "\n"]);
        }
    }
    told
}

/// Runs one document, and answers what is not true in it.
fn untrue(name: &str, blocks: &[Block]) -> Vec<String> {
    let machine = Machine::new();
    let running = machine.start();
    let port = running.edge.trim_start_matches("http://");
    let path = std::env::var("PATH").unwrap();
    let output = Command::new("sh")
        .args(["-c", &script(name, blocks, port)])
        .current_dir(checkout(&machine))
        .env("PATH", format!("{}:{path}", tools().join("bin").display()))
        .env("AEX_DATA_DIR", machine.data())
        .env("AEX_SERVER", &running.edge)
        .env_remove("AEX_API_KEY")
        .output()
        .unwrap();
    if !output.status.success() {
        return vec![format!(
            "{name} fails:\n{}\n{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        )];
    }
    let said = told(blocks, &String::from_utf8(output.stdout).unwrap(), &running);
    let mut untrue = Vec::new();
    for (pair, said) in blocks.windows(2).zip(said) {
        let said = said.replace(port, PORT);
        if let [before, excerpt] = pair
            && excerpt.kind == "console"
            && !lacks_a_client(before)
            && let Some(line) = untold(&excerpt.text, &said)
        {
            untrue.push(format!("{name}:{}: {line:?} is not in\n{said}", excerpt.line));
        }
    }
    untrue
}

fn lacks_a_client(block: &Block) -> bool {
    let gone = CLIENTS.map(|(client, program)| (client, !tools().join(program).exists()));
    commands(&block.text).iter().any(|command| {
        gone.iter()
            .any(|(client, is_gone)| *is_gone && is_of(command, client))
    })
}

#[test]
fn the_commands_of_every_document_work_and_print_what_it_shows() {
    let mut found = Vec::new();
    let mut seen = Vec::new();
    for path in documents() {
        let name = path.strip_prefix(repository()).unwrap().display().to_string();
        let blocks = blocks(&fs::read_to_string(&path).unwrap());
        let of_it = blocks.iter().filter(|block| block.kind == "sh");
        let of_it: Vec<_> = of_it.flat_map(|block| commands(&block.text)).collect();
        if of_it.iter().any(|command| !is_left_out(command)) {
            found.extend(untrue(&name, &blocks));
        }
        seen.extend(of_it);
        let after_nothing = blocks
            .iter()
            .enumerate()
            .filter(|(at, block)| block.kind == "console" && (*at == 0 || blocks[at - 1].kind != "sh"));
        found.extend(after_nothing.map(|(_, block)| format!("{name}:{}: an excerpt of nothing", block.line)));
    }
    for (command, why) in LEFT_OUT {
        if !seen.iter().any(|seen| is_of(seen, command)) {
            found.push(format!("no document has {command}, left out because it {why}"));
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn an_excerpt_is_compared_line_by_line() {
    assert!(is_told(
        "tenant  tenant_…",
        "tenant  tenant_01h455vb4pex5vsknk084sn02q"
    ));
    assert!(is_told(
        "up after … s (PostgreSQL … s)",
        "up after 1.2 s (PostgreSQL 0.7 s)"
    ));
    assert!(!is_told("up after … s", "up after 1.2 s (PostgreSQL 0.7 s)"));
    assert!(!is_told("tenant", "tenants"));
    assert!(is_told("…s…s", "always is s") && !is_told("…x…s", "always is s"));
    assert!(is_told("", ""));
    assert_eq!(untold("b\n…\nd\n", "a\nb\nc\nd\n"), None);
    assert_eq!(untold("b\na\n", "a\nb\n"), Some("a"));
    let blocks = blocks("```sh\nmake dev   # stays\nbuf \\\n  curl\n```\ntext\n```\ndrawing\n```\n");
    assert_eq!(blocks.len(), 2);
    assert_eq!(
        commands(&blocks[0].text),
        ["make dev   # stays", "buf \\\n  curl"]
    );
    assert!(is_of("make dev   # stays", "make dev") && !is_of("make develop", "make dev"));
}
