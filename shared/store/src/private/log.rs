//! The file that the server writes its messages to.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use super::Trouble;
use super::trouble::last_lines;

/// A log longer than this is put aside at the next start.
const LOG_LIMIT: u64 = 8 << 20;
/// How much of it is read for the text of an error.
const TAIL_LIMIT: u64 = 16 << 10;

/// The log of one start: what was written before it is not looked at.
#[derive(Debug)]
pub(super) struct Log {
    path: PathBuf,
    begin: u64,
}

impl Log {
    pub(super) fn new(path: PathBuf) -> Result<Self, Trouble> {
        let mut begin = fs::metadata(&path).map_or(0, |found| found.len());
        if begin > LOG_LIMIT {
            fs::rename(&path, path.with_extension("log.old")).map_err(Trouble::at(&path))?;
            begin = 0;
        }
        Ok(Self { path, begin })
    }

    /// A handle for the server to append to. We open the file, so its account needs no right to.
    pub(super) fn writer(&self) -> Result<File, Trouble> {
        OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o600)
            .open(&self.path)
            .map_err(Trouble::at(&self.path))
    }

    /// The last lines of this start.
    pub(super) fn tail(&self) -> String {
        let mut text = Vec::new();
        let read = File::open(&self.path).and_then(|mut file| {
            let from = file.metadata()?.len().saturating_sub(TAIL_LIMIT).max(self.begin);
            file.seek(SeekFrom::Start(from))?;
            file.take(TAIL_LIMIT).read_to_end(&mut text)
        });
        match read {
            Ok(_) => last_lines(&String::from_utf8_lossy(&text)),
            Err(error) => format!("{}: {error}", self.path.display()),
        }
    }
}
