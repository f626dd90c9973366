//! `aex init`: a tenant and its first key, made with the operator's certificate of a data directory or of a deployment.

use std::path::PathBuf;

use aex_identity::domain::scope::{Scope, UnknownScope};
use aex_kit::{Hosted, Runtime};
use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use crate::{
    calls::Caller,
    deployment,
    home::{Home, hex},
    problem::Problem,
    show,
};

#[derive(Debug, Args)]
pub(crate) struct Init {
    /// The data directory of the running exchange.
    #[arg(long, env = "AEX_DATA_DIR", value_name = "FOLDER")]
    data_dir: Option<PathBuf>,
    /// The configuration of an exchange of `aex serve` processes, with an operator section; it goes before a data directory.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// What the tenant is called.
    #[arg(long, default_value = "first tenant")]
    name: String,
    /// What it does here.
    #[arg(long = "type", value_enum, default_value_t = TenantType::Both)]
    tenant_type: TenantType,
    #[arg(long = "scope", value_name = "SCOPE", default_value = "*", help = scopes())]
    scopes: Vec<Scope>,
    /// Belongs to the exchange's own house: it may trade with itself.
    #[arg(long)]
    internal: bool,
    /// Prints JSON.
    #[arg(long)]
    json: bool,
}

/// Identity knows which scopes there are, and says so in its refusal of another one.
fn scopes() -> String {
    format!("What the key may do; may be given again. Each {UnknownScope}")
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum TenantType {
    Requestor,
    Provider,
    Both,
}

impl TenantType {
    const fn wire(self) -> &'static str {
        match self {
            Self::Requestor => "TENANT_TYPE_REQUESTOR",
            Self::Provider => "TENANT_TYPE_PROVIDER",
            Self::Both => "TENANT_TYPE_BOTH",
        }
    }
}

/// The way of an operator into the exchange that runs on a data directory.
pub(crate) fn operator(home: &Home) -> Result<Caller, Problem> {
    Ok(Caller {
        wire: home.operator()?,
        authorization: None,
        place: format!("the operator port of {}", home.path().display()),
    })
}

pub(crate) async fn run(options: Init) -> Result<(), Problem> {
    let operator =
        match deployment::operator(options.config.as_deref(), &[<aex_identity::App as Hosted>::NAME])? {
            Some(operator) => operator,
            None => operator(&Home::choose(options.data_dir)?)?,
        };
    let runtime = Runtime::system();
    let key = || {
        format!(
            "init-{}",
            hex(&runtime.with_rng(rand::RngExt::random::<[u8; 16]>))
        )
    };
    let created = operator
        .unary(
            "aex.identity.v1.IdentityService/CreateTenant",
            json!({
                "idempotency_key": key(), "display_name": options.name,
                "type": options.tenant_type.wire(), "internal": options.internal,
            }),
        )
        .await?;
    let tenant_id = text(&created, "/tenant/tenant_id")?;
    let made = operator
        .unary(
            "aex.identity.v1.IdentityService/CreateApiKey",
            json!({
                "idempotency_key": key(), "tenant_id": tenant_id, "display_name": "first key",
                "scopes": options.scopes.iter().map(Scope::as_str).collect::<Vec<_>>(),
            }),
        )
        .await?;
    let (key_id, secret) = (text(&made, "/api_key/key_id")?, text(&made, "/secret")?);
    if options.json {
        return show::pretty(&json!({"tenant_id": tenant_id, "key_id": key_id, "api_key": secret}));
    }
    show::out(&format!(
        "tenant  {tenant_id}\nkey     {key_id}\nsecret  {secret}\n\
         This is the only time that the secret is shown. Use it: export AEX_API_KEY={secret}\n"
    ))
}

fn text(answer: &Value, pointer: &str) -> Result<String, Problem> {
    answer
        .pointer(pointer)
        .and_then(Value::as_str)
        .map(str::to_owned)
        .ok_or_else(|| Problem::new(format!("identity's answer has no {pointer}")))
}
