//! Who plays: the tenants of a data directory, with their keys, kept in a file that only its owner reads.

use std::{
    collections::BTreeMap,
    fs::{self, OpenOptions},
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

use serde::{Deserialize, Serialize};

use crate::{acks::Acks, exchange::Exchange, key::hex, methods::Method, outside::secret};

/// Everyone.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Cast {
    /// Who buys.
    pub(crate) consumer: Role,
    /// Who sells, by method.
    pub(crate) agents: BTreeMap<String, Role>,
}

/// One tenant.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Role {
    /// The tenant.
    pub(crate) tenant_id: String,
    /// Its API key.
    pub(crate) api_key: String,
    /// The private key of its agent, 64 hexadecimal digits.
    pub(crate) seed: String,
}

impl Cast {
    /// The cast of a file; when there is none, made and written there.
    pub(crate) async fn of(path: &Path, exchange: &Exchange, acks: &Acks) -> Result<Self, String> {
        if let Ok(text) = fs::read(path) {
            return serde_json::from_slice(&text).map_err(|error| format!("{}: {error}", path.display()));
        }
        let mut agents = BTreeMap::new();
        for method in Method::ALL {
            let name = format!("Digits by {}", method.name());
            let role = role(exchange, acks, &name, "provider").await?;
            agents.insert(method.name().to_owned(), role);
        }
        let cast = Self {
            consumer: role(exchange, acks, "Digits wanted", "requestor").await?,
            agents,
        };
        cast.write(path)?;
        Ok(cast)
    }

    /// The agent of a method.
    pub(crate) fn agent(&self, method: Method) -> Result<&Role, String> {
        self.agents
            .get(method.name())
            .ok_or_else(|| format!("nobody plays {}", method.name()))
    }

    fn write(&self, path: &Path) -> Result<(), String> {
        let text = serde_json::to_vec_pretty(self).map_err(|error| error.to_string())?;
        OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)
            .and_then(|mut file| file.write_all(&text).and_then(|()| file.sync_all()))
            .map_err(|error| format!("{}: {error}", path.display()))
    }
}

async fn role(exchange: &Exchange, acks: &Acks, name: &str, kind: &str) -> Result<Role, String> {
    let tenant = exchange.tenant(name, kind).await?;
    acks.note("tenant", &tenant.id, "ACTIVE")?;
    acks.note("key", &tenant.key_id, "ACTIVE")?;
    Ok(Role {
        tenant_id: tenant.id,
        api_key: tenant.api_key,
        seed: hex(&secret()),
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn the_keys_are_for_their_owner_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cast.json");
        let role = Role {
            tenant_id: "tenant_1".to_owned(),
            api_key: "aex_test_1".to_owned(),
            seed: "00".repeat(32),
        };
        let cast = Cast {
            consumer: role.clone(),
            agents: BTreeMap::from([("knn".to_owned(), role)]),
        };
        cast.write(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let read: Cast = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        assert!(read == cast);
        assert!(cast.write(&path).is_err(), "keys are never overwritten");
    }
}
