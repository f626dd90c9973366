//! What the exchange has acknowledged, one line each, on the disk before anything is built on it. `aex fsck --acks`
//! looks whether all of it is there.

use std::{
    fs::{File, OpenOptions},
    io::Write as _,
    path::Path,
    sync::Arc,
};

/// A file of acknowledgements. Several processes append to it; each line is one write.
#[derive(Debug, Clone)]
pub(crate) struct Acks(Arc<File>);

impl Acks {
    /// Opens the file, or makes it.
    pub(crate) fn open(path: &Path) -> Result<Self, String> {
        let file = OpenOptions::new().create(true).append(true).open(path);
        let file = file.map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(Self(Arc::new(file)))
    }

    /// Notes one acknowledgement: returns when it is on the disk.
    pub(crate) fn note(&self, kind: &str, id: &str) -> Result<(), String> {
        let line = format!("{kind} {id}\n");
        (&*self.0)
            .write_all(line.as_bytes())
            .and_then(|()| self.0.sync_data())
            .map_err(|error| format!("an acknowledgement cannot be noted: {error}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_acknowledgement_is_a_line_and_none_is_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("acks");
        Acks::open(&path).unwrap().note("work", "work_1").unwrap();
        Acks::open(&path).unwrap().note("bid", "bid_1").unwrap();
        assert_eq!(
            std::fs::read_to_string(&path).unwrap(),
            "work work_1\nbid bid_1\n"
        );
    }
}
