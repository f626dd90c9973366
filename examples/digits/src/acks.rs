//! What the exchange has acknowledged, one line each, on the disk before anything is built on it: the thing, and where it
//! stood then. `aex fsck --acks` looks whether all of it is there, and stands there or further on.

use std::{
    fs::{File, OpenOptions},
    io::Write as _,
    path::Path,
    sync::Arc,
};

use aex_proto::aex::contract_engine::v1::Contract;

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

    /// Notes one acknowledgement: returns when it is on the disk. A status is called as on the wire, and written down
    /// without the name of its kind.
    pub(crate) fn note(&self, kind: &str, id: &str, status: &str) -> Result<(), String> {
        let (_, status) = status.split_once("_STATUS_").unwrap_or(("", status));
        let line = format!("{kind} {id} {status}\n");
        (&*self.0)
            .write_all(line.as_bytes())
            .and_then(|()| self.0.sync_data())
            .map_err(|error| format!("an acknowledgement cannot be noted: {error}"))
    }

    /// Notes where a contract stands by the exchange's answer.
    pub(crate) fn contract(&self, told: &Contract) -> Result<(), String> {
        self.note("contract", &told.contract_id, told.status().as_str_name())
    }
}

#[cfg(test)]
mod tests {
    use aex_proto::aex::contract_engine::v1::ContractStatus;

    use super::*;

    #[test]
    fn every_acknowledgement_is_a_line_and_none_is_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("acks");
        let contract = Contract {
            contract_id: "contract_1".to_owned(),
            status: ContractStatus::VerificationPending.into(),
            ..Contract::default()
        };
        Acks::open(&path)
            .unwrap()
            .note("tenant", "tenant_1", "ACTIVE")
            .unwrap();
        Acks::open(&path).unwrap().contract(&contract).unwrap();
        assert_eq!(
            std::fs::read_to_string(&path).unwrap(),
            "tenant tenant_1 ACTIVE\ncontract contract_1 VERIFICATION_PENDING\n"
        );
    }
}
