//! `aex fsck`: asks every service what it knows and what it finds broken, and compares what they say of one another.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    path::{Path, PathBuf},
    time::Duration,
};

use aex_kit::Peer;
use aex_proto::POOL;
use aex_types::Timestamp;
use clap::Args;
use serde_json::{Value, json};
use tonic::Code;
use tower::{ServiceExt as _, util::BoxCloneSyncService};

use crate::{
    calls::{Caller, Refusal},
    deployment,
    exchange::Exchange,
    home::{self, Home},
    init,
    operator::Switch,
    problem::Problem,
    rules::{self, Facts, Finding},
    services::SERVICES,
    show,
};

#[derive(Debug, Args)]
pub(crate) struct Fsck {
    /// The data directory.
    #[arg(long, env = "AEX_DATA_DIR", value_name = "FOLDER")]
    data_dir: Option<PathBuf>,
    /// The configuration of an exchange of `aex serve` processes, with an operator section; it goes before a data directory.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// What is younger than this many seconds may be on its way, and is told apart.
    #[arg(long, default_value_t = 30)]
    grace: u64,
    /// A file of acknowledged things, one `kind id` a line: each must exist.
    #[arg(long, value_name = "FILE")]
    acks: Option<PathBuf>,
    /// Prints JSON.
    #[arg(long)]
    json: bool,
}

/// Answers whether nothing is broken.
pub(crate) async fn run(options: Fsck) -> Result<bool, Problem> {
    let facts = match deployment::operator(options.config.as_deref(), &deployment::everyone())? {
        Some(operator) => collect(&operator).await?,
        None => of_home(&Home::choose(options.data_dir.clone())?).await?,
    };
    let acked = options.acks.as_deref().map(acks).transpose()?.unwrap_or_default();
    report(&facts, &acked, &options)
}

/// What the services of a data directory know, whether they run or not.
async fn of_home(home: &Home) -> Result<Facts, Problem> {
    let live = match home.running() {
        Some(_) => collect(&init::operator(home)?).await,
        None => Err(Refusal {
            code: Code::Unavailable,
            problem: Problem::new("nothing runs"),
        }),
    };
    match live {
        Err(refusal) if refusal.code == Code::Unavailable => at_rest(home).await,
        other => Ok(other?),
    }
}

/// With nobody listening, the services are opened without their workers, asked, and closed again.
async fn at_rest(home: &Home) -> Result<Facts, Problem> {
    if !home.exists() {
        return Err(Problem::new(format!(
            "there is no exchange in {}: name its --data-dir",
            home.path().display()
        )));
    }
    let exchange = Exchange::open(home).await?;
    let switch = Switch::new(&exchange.services);
    let operator = Caller {
        wire: BoxCloneSyncService::new(tower::service_fn(move |mut request: http::Request<_>| {
            request.extensions_mut().insert(Peer::Operator("fsck".to_owned()));
            let switch = switch.clone();
            async move {
                match switch.oneshot(request).await {
                    Ok(response) => Ok(response),
                    Err(never) => match never {},
                }
            }
        })),
        authorization: None,
        place: "the services".to_owned(),
    };
    let facts = collect(&operator).await;
    exchange.close(Duration::from_secs(5)).await?;
    Ok(facts?)
}

/// Every page of every service's audit.
async fn collect(operator: &Caller) -> Result<Facts, Refusal> {
    let mut facts = Facts::default();
    for service in SERVICES {
        let package = format!("aex.{}.v1.", service.name.replace('-', "_"));
        let contracts = POOL.services().filter(|contract| {
            contract.full_name().starts_with(&package)
                && contract.methods().any(|method| method.name() == "Audit")
        });
        for contract in contracts {
            let method = format!("{}/Audit", contract.full_name());
            let mut token = String::new();
            loop {
                let page = operator.unary(&method, json!({"page_token": token})).await?;
                facts.take(service.name, &page);
                let next = page.get("next_page_token").and_then(Value::as_str);
                next.unwrap_or_default().clone_into(&mut token);
                if token.is_empty() {
                    break;
                }
            }
        }
    }
    Ok(facts)
}

/// `kind id`, one a line.
fn acks(file: &Path) -> Result<Vec<(String, String)>, Problem> {
    let text = std::fs::read_to_string(file)
        .map_err(|error| Problem::new(format!("{}: {error}", file.display())))?;
    text.lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .map(|line| {
            line.split_once(char::is_whitespace)
                .map(|(kind, id)| (kind.to_owned(), id.trim().to_owned()))
                .ok_or_else(|| Problem::new(format!("{}: `{line}` is not `kind id`", file.display())))
        })
        .collect()
}

fn report(facts: &Facts, acked: &[(String, String)], options: &Fsck) -> Result<bool, Problem> {
    let now = home::clock().now();
    let mut findings = rules::judge(facts);
    findings.extend(rules::missing(facts, acked));
    let oldest = now.saturating_sub(Duration::from_secs(options.grace));
    let is_young = |finding: &Finding| finding.since.is_some_and(|since: Timestamp| since > oldest);
    let (young, broken): (Vec<_>, Vec<_>) = findings.into_iter().partition(is_young);

    if options.json {
        show::pretty(&json!({
            "facts": facts.counts(),
            "acknowledged": acked.len(),
            "violations": broken.iter().map(Finding::json).collect::<Vec<_>>(),
            "in_flight": young.iter().map(Finding::json).collect::<Vec<_>>(),
        }))?;
        return Ok(broken.is_empty());
    }
    let services: BTreeSet<_> = facts.services().collect();
    let mut text = format!(
        "asked {} services, {} facts, {} acknowledged\n",
        services.len(),
        facts.len(),
        acked.len()
    );
    for (title, findings) in [("in flight", &young), ("broken", &broken)] {
        for finding in findings {
            let _ = writeln!(
                text,
                "{title}  {}  {}  {}",
                finding.invariant, finding.subject, finding.detail
            );
        }
    }
    text.push_str(match broken.len() {
        0 => "nothing is broken\n",
        _ => "something is broken\n",
    });
    show::out(&text)?;
    Ok(broken.is_empty())
}

/// How many facts of each kind.
pub(crate) type Counts = BTreeMap<String, usize>;
