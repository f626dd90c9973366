//! A disk that is full: calls are refused with a reason, nothing acknowledged is lost, and with space again it goes on.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Instant,
};

use serde_json::Value;

use crate::{
    killer::PATIENCE,
    machine::{Machine, Running},
};

/// The disk: a start asks for 256 MiB that are free, and a cluster has about 80.
const SIZE: &str = "384m";
/// Changes that are tried on the full disk; each brings a payload of its own.
const TRIES: usize = 30;

/// A machine whose data directory is a small disk, which only its own processes see.
struct SmallDisk {
    machine: Machine,
    holder: Child,
}

impl SmallDisk {
    /// `None`, with the reason printed, where this user may not mount.
    fn mount() -> Option<Self> {
        let mut machine = Machine::new();
        std::fs::create_dir(machine.data()).unwrap();
        let script = r#"mount -t tmpfs -o size=$1,mode=711 none "$0" && echo mounted && exec cat"#;
        let started = Command::new("unshare")
            .args(["--mount", "sh", "-c", script])
            .arg(machine.data())
            .arg(SIZE)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let mut said = String::new();
        let holder = started.and_then(|mut holder| {
            BufReader::new(holder.stdout.take().unwrap()).read_line(&mut said)?;
            Ok(holder)
        });
        match holder {
            Ok(holder) if said == "mounted\n" => {
                machine.within = Some(holder.id());
                Some(Self { machine, holder })
            }
            _ => {
                println!("skipped: a small disk needs root, unshare and mount");
                None
            }
        }
    }

    /// A file on the disk.
    fn at(&self, name: &str) -> PathBuf {
        let data = self.machine.data();
        PathBuf::from(format!("/proc/{}/root{}", self.holder.id(), data.display())).join(name)
    }

    /// Fills it but for so many bytes.
    fn fill(&self, left: u64) {
        let mut file = std::fs::File::create(self.at("ballast")).unwrap();
        while file.write_all(&[0; 4096]).is_ok() {}
        let full = file.metadata().unwrap().len();
        file.set_len(full.checked_sub(left).unwrap()).unwrap();
    }

    fn free(&self) {
        std::fs::remove_file(self.at("ballast")).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

/// Publishes a work with a payload of its own; answers its id, or why not.
fn publish(disk: &SmallDisk, running: &Running, key: &str, number: usize) -> Result<String, String> {
    let payload = disk.machine.folder.path().join("payload");
    // Nothing that could be compressed.
    let mut word = u64::try_from(number).unwrap() + 1;
    let bytes: Vec<u8> = std::iter::repeat_with(|| {
        word = word.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        word.to_be_bytes()[0]
    })
    .take(500_000)
    .collect();
    std::fs::write(&payload, bytes).unwrap();
    let arguments = [
        "work",
        "publish",
        "1",
        "--category",
        "a.b",
        "--description",
        "x",
        "--json",
    ];
    let output = disk
        .machine
        .command(&arguments)
        .args(["--server", &running.edge, "--payload"])
        .arg(&payload)
        .env("AEX_API_KEY", key)
        .output()
        .unwrap();
    if output.status.success() {
        let reply: Value = serde_json::from_slice(&output.stdout).unwrap();
        return Ok(reply["work"]["work_id"].as_str().unwrap().to_owned());
    }
    Err(String::from_utf8(output.stderr).unwrap())
}

#[test]
fn a_disk_without_room_for_tables_refuses_loses_nothing_and_goes_on_when_there_is_space() {
    full_but_for(0);
}

/// The write-ahead log grows by 16 MiB at once, so that it is what finds no room.
#[test]
fn a_disk_without_room_for_the_log_refuses_loses_nothing_and_goes_on_when_there_is_space() {
    full_but_for(12 << 20);
}

fn full_but_for(left: u64) {
    let Some(disk) = SmallDisk::mount() else { return };
    let log = disk.machine.folder.path().join("log");
    let open = || {
        std::fs::File::options()
            .create(true)
            .append(true)
            .open(&log)
            .unwrap()
    };
    let mut running = disk.machine.start_logged(open().into());
    let made = disk.machine.json(&["init", "--name", "Ada", "--json"]);
    let key = made["api_key"].as_str().unwrap();
    let mut deposit = disk
        .machine
        .command(&["deposit", "1000", "--server", &running.edge]);
    assert!(deposit.env("AEX_API_KEY", key).output().unwrap().status.success());
    let mut acks = vec![publish(&disk, &running, key, 0).unwrap()];

    disk.fill(left);
    let mut refused = Vec::new();
    for number in 1..TRIES {
        match publish(&disk, &running, key, number) {
            Ok(work) => acks.push(work),
            Err(said) => refused.push(said),
        }
    }
    println!(
        "{} acknowledged, {} refused: {:?}",
        acks.len(),
        refused.len(),
        refused.first()
    );
    assert!(!refused.is_empty(), "the disk never was full");
    for said in &refused {
        assert_eq!(said.lines().count(), 1, "{said}");
        let reasons = [
            "DEPENDENCY_UNAVAILABLE",
            "OVERLOADED",
            "DEADLINE_EXCEEDED",
            "cannot reach",
        ];
        assert!(reasons.iter().any(|reason| said.contains(reason)), "{said}");
    }

    disk.free();
    let begun = Instant::now();
    let mut number = TRIES;
    while running.ended().is_none() {
        number += 1;
        match publish(&disk, &running, key, number) {
            Ok(work) => {
                acks.push(work);
                break;
            }
            Err(said) => assert!(begun.elapsed() < PATIENCE, "{said}"),
        }
    }
    let said = std::fs::read_to_string(&log).unwrap();
    let mut why = said
        .lines()
        .filter(|line| line.contains("No space left on device"));
    let told = match running.ended() {
        None => why.next(),
        Some(_) => why.find(|line| line.starts_with("aex: PostgreSQL ended")),
    };
    println!("{}", told.unwrap_or_else(|| panic!("{said}")));
    drop(running);

    let mut running = disk.machine.start();
    acks.push(publish(&disk, &running, key, 0).unwrap());
    let file = disk.machine.folder.path().join("acks");
    std::fs::write(&file, format!("work {}\n", acks.join("\nwork "))).unwrap();
    disk.machine
        .says(&["fsck", "--acks", &file.display().to_string()]);
    assert!(running.signal("TERM").success());
}
