//! `aex fsck`: asks every service what it knows and what it finds broken, and compares what they say of one another.

use std::{collections::BTreeSet, fmt::Write as _, path::PathBuf, time::Duration};

use aex_kit::Peer;
use aex_proto::POOL;
use aex_types::Timestamp;
use clap::Args;
use serde_json::{Value, json};
use tonic::Code;
use tower::{ServiceExt as _, util::BoxCloneSyncService};

use crate::{
    acks::{self, Ack},
    calls::{Caller, Refusal, unnamed},
    deployment,
    exchange::Exchange,
    home::{self, Home},
    init, log,
    operator::Switch,
    problem::Problem,
    rebuild::{self, Rebuild},
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
    /// A file of acknowledgements, one `kind id STATUS` a line, such as `contract contract_… COMPLETED`: the thing must stand
    /// there or further on. A line without a status asks whether the thing exists.
    #[arg(long, value_name = "FILE")]
    acks: Option<PathBuf>,
    /// Rebuilds every table from the event log, beside the live ones, and compares: of an exchange that does not run.
    #[arg(long)]
    rebuild: bool,
    /// Prints JSON.
    #[arg(long)]
    json: bool,
}

/// Answers whether nothing is broken.
pub(crate) async fn run(options: Fsck) -> Result<bool, Problem> {
    // Before anybody is asked: what is noted meanwhile may be younger than what the services said.
    let acked = options.acks.as_deref().map(acks::read).transpose()?;
    let acked = acked.unwrap_or_default();
    let deployment = deployment::operator(options.config.as_deref(), &deployment::everyone())?;
    let (facts, rebuild) = match deployment {
        Some(_) if options.rebuild => {
            return Err(Problem::usage(
                "a rebuild is of the data directory of an exchange that does not run: leave the configuration of processes away",
            ));
        }
        Some(operator) => (collect(&operator).await?, None),
        None => of_home(&Home::choose(options.data_dir.clone())?, options.rebuild).await?,
    };
    report(&facts, rebuild.as_ref(), &acked, &options)
}

/// What the services of a data directory know, whether they run or not.
async fn of_home(home: &Home, with_rebuild: bool) -> Result<(Facts, Option<Rebuild>), Problem> {
    let live = match home.running() {
        // A rebuild compares tables at rest; whoever runs them still keeps the data directory for itself.
        Some(_) if !with_rebuild => collect(&init::operator(home)?).await,
        _ => Err(Refusal {
            code: Code::Unavailable,
            problem: Problem::new("nothing runs"),
        }),
    };
    match live {
        Err(refusal) if refusal.code == Code::Unavailable => at_rest(home, with_rebuild).await,
        other => Ok((other?, None)),
    }
}

/// With nobody listening, the services are opened without their workers, asked, and closed again.
async fn at_rest(home: &Home, with_rebuild: bool) -> Result<(Facts, Option<Rebuild>), Problem> {
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
    let rebuild = if with_rebuild {
        Some(rebuild::rebuild(&exchange, &operator).await)
    } else {
        None
    };
    exchange.close(Duration::from_secs(5)).await?;
    Ok((facts?, rebuild.transpose()?))
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
    if let Some(broken) = log::verify(operator).await.map_err(unnamed)? {
        facts.found(broken);
    }
    log::journals(operator, &mut facts).await.map_err(unnamed)?;
    Ok(facts)
}

fn report(facts: &Facts, rebuild: Option<&Rebuild>, acked: &[Ack], options: &Fsck) -> Result<bool, Problem> {
    let now = home::clock().now();
    let mut findings = rules::judge(facts);
    findings.extend(acks::broken(facts, acked));
    findings.extend(rebuild.into_iter().flat_map(Rebuild::findings));
    findings.dedup();
    let oldest = now.saturating_sub(Duration::from_secs(options.grace));
    let is_young = |finding: &Finding| finding.since.is_some_and(|since: Timestamp| since > oldest);
    let (young, broken): (Vec<_>, Vec<_>) = findings.into_iter().partition(is_young);

    if options.json {
        let mut answer = json!({
            "facts": facts.counts(),
            "acknowledged": acked.len(),
            "violations": broken.iter().map(Finding::json).collect::<Vec<_>>(),
            "in_flight": young.iter().map(Finding::json).collect::<Vec<_>>(),
        });
        if let (Some(rebuild), Some(answer)) = (rebuild, answer.as_object_mut()) {
            answer.insert("rebuilt".to_owned(), rebuild.json());
        }
        show::pretty(&answer)?;
        return Ok(broken.is_empty());
    }
    let services: BTreeSet<_> = facts.services().collect();
    let mut text = format!(
        "asked {} services, {} facts, {} acknowledged\n",
        services.len(),
        facts.len(),
        acked.len()
    );
    text.push_str(&rebuild.map(Rebuild::text).unwrap_or_default());
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
