use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Stdio},
    time::{Duration, Instant},
};

use aex_kit::{
    Clock, Wire,
    principal::PrincipalKey,
    remote,
    tls::{Credentials, DevAuthority, Pem},
};
use aex_proto::aex::identity::v1::{self as pb, identity_service_client::IdentityServiceClient};
use aex_store::private::{Options, PrivateServer, Search};
use tonic::{Request, transport::Endpoint};

use crate::machine::Machine;

/// A process of `aex serve`; killed when dropped.
struct Process {
    child: Child,
    address: String,
}

impl Process {
    fn start(machine: &Machine, service: &str, config: &Path) -> Self {
        let mut child = machine
            .command(&["serve", service, "--config", &config.display().to_string()])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let line = lines.next().unwrap().unwrap();
        let address = line
            .strip_prefix(&format!("{service} listens on "))
            .unwrap()
            .to_owned();
        Self { child, address }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn write(folder: &Path, name: &str, pem: &Pem) -> String {
    let path = |end: &str| folder.join(format!("{name}{end}")).display().to_string();
    fs::write(path(".ca.pem"), &pem.ca).unwrap();
    fs::write(path(".pem"), &pem.cert).unwrap();
    fs::write(path(".key"), &pem.key).unwrap();
    format!(
        "[{name}.auth]\nca_file = {:?}\ncert_file = {:?}\nkey_file = {:?}\n",
        path(".ca.pem"),
        path(".pem"),
        path(".key")
    )
}

fn operator(authority: &DevAuthority, address: &str) -> IdentityServiceClient<Wire> {
    let pem = authority.operator("ada", Clock::system().now()).unwrap();
    let credentials = Credentials::new(&pem).unwrap();
    IdentityServiceClient::new(remote("identity", address, credentials).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn services_in_processes_of_their_own_answer_as_one() {
    let machine = Machine::new();
    let folder = machine.folder.path();
    let options = Options::new(folder.join("postgres"), Search::from_env());
    let postgres = tokio::task::spawn_blocking(move || PrivateServer::start(&options).unwrap())
        .await
        .unwrap();
    let now = Clock::system().now();
    let authority = DevAuthority::new("aex", now).unwrap();
    let principal = PrincipalKey::from_seed(&[9; 32]).unwrap();
    fs::write(folder.join("principal.key"), principal.private_pem()).unwrap();
    fs::write(folder.join("principal.pub"), principal.public_pem()).unwrap();

    let config = folder.join("identity.toml");
    let text = format!(
        "{}principal_key_files = [{:?}]\n[identity.server]\nlisten = \"127.0.0.1:0\"\n\
         [identity.keys]\npepper = \"a pepper of thirty-two bytes, no less\"\n\
         [identity.database]\nurl = \"postgres://{}@localhost:{}/postgres?host={}\"\n",
        write(folder, "identity", &authority.service("identity", now).unwrap()),
        folder.join("principal.pub"),
        postgres.superuser(),
        postgres.port(),
        postgres.socket_dir().display(),
    );
    fs::write(&config, text).unwrap();
    let identity = Process::start(&machine, "identity", &config);

    let config = folder.join("gateway.toml");
    let text = format!(
        "[gateway]\nlisten = \"127.0.0.1:0\"\nprincipal_key_file = {:?}\n{}[gateway.peers]\nidentity = {:?}\n",
        folder.join("principal.key"),
        write(folder, "gateway", &authority.service("gateway", now).unwrap()),
        identity.address,
    );
    fs::write(&config, text).unwrap();
    let gateway = Process::start(&machine, "gateway", &config);

    let mut operator = operator(&authority, &identity.address);
    let create = pb::CreateTenantRequest {
        idempotency_key: "create-0123456789".to_owned(),
        display_name: "Ada".to_owned(),
        r#type: pb::TenantType::Both.into(),
        ..Default::default()
    };
    let tenant_id = operator
        .create_tenant(create)
        .await
        .unwrap()
        .into_inner()
        .tenant
        .unwrap()
        .tenant_id;
    let with_key = pb::CreateApiKeyRequest {
        idempotency_key: "key-0123456789abc".to_owned(),
        tenant_id: tenant_id.clone(),
        display_name: "robot".to_owned(),
        scopes: vec!["*".to_owned()],
        ..Default::default()
    };
    let made = operator.create_api_key(with_key).await.unwrap().into_inner();

    let channel = Endpoint::from_shared(format!("http://{}", gateway.address))
        .unwrap()
        .connect_lazy();
    let mut client = IdentityServiceClient::new(channel);
    let request = || {
        let mut request = Request::new(pb::GetTenantRequest {
            tenant_id: tenant_id.clone(),
        });
        let bearer = format!("Bearer {}", made.secret);
        request
            .metadata_mut()
            .insert("authorization", bearer.parse().unwrap());
        request
    };
    let found = client
        .get_tenant(request())
        .await
        .unwrap()
        .into_inner()
        .tenant
        .unwrap();
    assert_eq!(found.display_name, "Ada");

    // Without identity nobody is let in, and with it again everybody is, by the same edge.
    drop(identity);
    let begun = Instant::now();
    let refused = loop {
        match client.get_tenant(request()).await {
            Ok(_) => assert!(
                begun.elapsed() < Duration::from_secs(2),
                "the verdict outlived identity"
            ),
            Err(status) => break status,
        }
    };
    assert_eq!(refused.code(), tonic::Code::Unavailable);
}
