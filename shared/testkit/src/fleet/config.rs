//! The one file that the processes of a fleet are configured with, and the keys that it names.

use std::fmt::Write as _;

use aex_kit::{Clock, principal::PrincipalKey, tls::write_private};
use rand::RngExt as _;

use super::{DATABASE, Fleet, GATEWAY, SERVICES};

impl Fleet {
    /// Writes keys, certificates, and the configuration that names them.
    pub(super) fn write_config(&self) {
        let write = |name: &str, text: &str| {
            let path = self.folder.path().join(name);
            write_private(&path, text).expect("the folder is ours");
            format!("{:?}", path.display().to_string())
        };
        let signer = write("principal.key", self.principal.private_pem());
        let believed = write("principal.pub", self.principal.public_pem());
        let token = PrincipalKey::from_seed(&rand::rng().random()).expect("a new key");
        let token = write("token.key", token.private_pem());
        write("ca.pem", self.authority.cert_pem());
        let mut text = format!(
            "[{GATEWAY}]\nprincipal_key_file = {signer}\nlisten = \"{}\"\n",
            self.address(GATEWAY)
        );
        for (service, _) in SERVICES {
            self.certify(service);
            text.push_str(&self.shared_sections(service, &believed));
        }
        let pepper: u128 = rand::rng().random();
        let _ = write!(
            text,
            "[identity.keys]\npepper = \"{pepper:032x}\"\n[contract-engine.tokens]\nkey_file = {token}\n\
             [settlement.rails]\ntest = {}\n",
            self.options.test_rail
        );
        if self.options.windows_zero {
            text.push_str(
                "[settlement.books]\nwindows_zero = true\n[work-publisher.work]\ndispute_window_ms = 0\n\
                 [contract-engine.contracts]\ndispute_window_seconds = 0\n",
            );
        }
        write("aex.toml", &text);
    }

    /// Writes a new certificate for a service, in the place of the one that it had.
    pub fn certify(&self, service: &str) {
        let pem = self
            .authority
            .service(service, Clock::system().now())
            .expect("issued");
        for (end, text) in [("key", &pem.key), ("pem", &pem.cert)] {
            let path = self.folder.path().join(format!("{service}.{end}"));
            write_private(&path, text).expect("the folder is ours");
        }
    }

    /// The sections that every process has.
    fn shared_sections(&self, service: &str, believed: &str) -> String {
        let path = |name: &str| format!("{:?}", self.folder.path().join(name).display().to_string());
        let mut text = format!(
            "[{service}.telemetry]\nlog_level = {:?}\n[{service}.auth]\nca_file = {}\ncert_file = {}\nkey_file = {}\n\
             principal_key_files = [{believed}]\n[{service}.peers]\n",
            self.options.log_level,
            path("ca.pem"),
            path(&format!("{service}.pem")),
            path(&format!("{service}.key")),
        );
        for (peer, _) in SERVICES
            .iter()
            .filter(|(name, _)| *name != service && *name != GATEWAY)
        {
            let _ = writeln!(text, "{peer} = \"{}\"", self.address(peer));
        }
        if service != GATEWAY {
            let role = service.replace('-', "_");
            let url = |role: &str| {
                format!(
                    "postgres://{role}@localhost:{}/{DATABASE}?host={}",
                    self.postgres.port(),
                    self.postgres.socket_dir().display()
                )
            };
            let _ = write!(
                text,
                "[{service}.server]\nlisten = \"{}\"\n[{service}.database]\nurl = \"{}\"\nowner_url = \"{}\"\n",
                self.address(service),
                url(&role),
                url(&format!("{role}_owner"))
            );
        }
        text
    }
}
