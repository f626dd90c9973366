//! One machine with the binary on it, and a data directory of its own.

use std::{
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;
use tempfile::TempDir;

pub struct Machine {
    pub folder: TempDir,
}

/// A running `aex dev`; killed when dropped.
pub struct Running {
    child: Child,
    pub edge: String,
    pub said: String,
    pub took: Duration,
}

impl Machine {
    pub fn new() -> Self {
        use std::os::unix::fs::PermissionsExt as _;
        // As root, the database's account has to pass through.
        let folder = tempfile::Builder::new().prefix("aex-system-").tempdir().unwrap();
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o711)).unwrap();
        Self { folder }
    }

    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_aex"));
        command
            .args(arguments)
            .env("AEX_DATA_DIR", self.data())
            .env_remove("AEX_API_KEY")
            .env_remove("AEX_SERVER");
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// What a command printed that succeeds.
    pub fn says(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(
            output.status.success(),
            "{arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap()
    }

    pub fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.says(arguments)).unwrap()
    }

    pub fn start(&self) -> Running {
        let begun = Instant::now();
        let mut child = self
            .command(&["dev", "--port", "0"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = String::new();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut edge = String::new();
        let mut took = Duration::ZERO;
        for line in &mut lines {
            let line = line.unwrap();
            if said.is_empty() {
                took = begun.elapsed();
            }
            said.push_str(&line);
            said.push('\n');
            let mut words = line.split_whitespace();
            if words.next() == Some("edge") {
                words.next().unwrap().clone_into(&mut edge);
            }
            if line.trim_start().starts_with("stop") {
                break;
            }
        }
        assert!(!edge.is_empty(), "it said: {said}");
        Running {
            child,
            edge,
            said,
            took,
        }
    }

    /// The folder of the private PostgreSQL's socket, while it lives.
    pub fn sockets(&self) -> PathBuf {
        self.postmaster(4).unwrap().into()
    }

    /// A line of what the private PostgreSQL notes about itself.
    fn postmaster(&self, line: usize) -> Option<String> {
        let file = self.data().join("postgres/data/postmaster.pid");
        let noted = std::fs::read_to_string(file).ok()?;
        noted.lines().nth(line).map(str::to_owned)
    }

    /// The process of the private PostgreSQL, while it lives.
    pub fn postgres(&self) -> Option<u32> {
        let pid = self.postmaster(0)?.parse().ok()?;
        Path::new(&format!("/proc/{pid}")).exists().then_some(pid)
    }
}

impl Running {
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn signal(&mut self, name: &str) -> std::process::ExitStatus {
        let sent = Command::new("kill")
            .args([&format!("-{name}"), &self.child.id().to_string()])
            .status()
            .unwrap();
        assert!(sent.success());
        self.child.wait().unwrap()
    }

    /// Resident memory, in MiB.
    pub fn memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
