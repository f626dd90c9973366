//! P5: what a read costs beside an echo.
//!
//! Both are asked directly over mutual TLS, at the same fixed rate: 30 % of what the slower one can do. A read carries a
//! tenant's signed principal and passes the whole guard, takes a place in the pool, and is one transaction on PostgreSQL.

use std::{path::Path, sync::Arc, time::Duration};

use aex_kit::{Principal, Runtime, Wire, principal::HEADER};
use aex_proto::aex::{
    settlement::v1::{GetBalanceRequest, settlement_service_client::SettlementServiceClient},
    work_publisher::v1::{GetWorkRequest, work_publisher_service_client::WorkPublisherServiceClient},
};
use futures::FutureExt as _;
use tonic::Request;
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};

use crate::{
    caller::told,
    cast::Size,
    echo::Echo,
    exchange::Exchange,
    machine,
    pace::{Paced, Question, most, paced},
    problem::Problem,
    report::{Samples, result, say},
    trade,
};

const SIZE: Size = Size {
    consumers: 1,
    categories: 1,
    providers: 1,
    per_tenant: 1,
};
/// The share of what the slower one can do.
const SHARE: f64 = 0.3;

/// How long is measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    pub(crate) runs: usize,
    /// Each of the two, in turns.
    pub(crate) span: Duration,
    pub(crate) turns: usize,
}

pub(crate) async fn run(aex: &Path, folder: &Path, plan: Plan) -> Result<(), Problem> {
    let exchange = Exchange::start(aex, SIZE).await?;
    let machine = machine::line(&exchange.admin(), aex).await?;
    say(format!("machine {machine}"));
    let mut samples = Samples::create(
        folder,
        "reads",
        &machine,
        "what\trate\tp50 us\tp99 us\tp50 from due us",
    )?;
    let echo = Echo::start(
        exchange.fleet().authority(),
        exchange.fleet().folder(),
        &exchange.runtime,
    )
    .await?;
    let (reads, acknowledged) = reads(&exchange).await?;
    let (mut halves, mut tails) = (Vec::new(), Vec::new());
    for number in 1..=plan.runs {
        let mut worst = (0.0_f64, 0.0_f64);
        for (name, read) in &reads {
            let (half, tail) = compare(name, read, &question_to(&echo), plan, &mut samples).await?;
            say(format!(
                "run {number}: {name} by echo: p50 {half:.2}, p99 {tail:.2}"
            ));
            worst = (worst.0.max(half), worst.1.max(tail));
        }
        halves.push(worst.0);
        tails.push(worst.1);
    }
    say(format!("  {}", exchange.end(&acknowledged).await?));
    say(format!("  samples   {}", samples.close()?.display()));
    say(result("P5", &halves, 2));
    say(result("P5-p99", &tails, 2));
    Ok(())
}

/// One read beside the echo, in turns; the ratios of both at the half and at 99 %.
async fn compare(
    name: &str,
    read: &Question,
    echo: &Question,
    plan: Plan,
    samples: &mut Samples,
) -> Result<(f64, f64), Problem> {
    let rate = most(read, plan.span).await?.min(most(echo, plan.span).await?) * SHARE;
    let (mut of_read, mut of_echo) = (Vec::new(), Vec::new());
    for _ in 0..plan.turns {
        of_read.push(paced(read, rate, plan.span).await?);
        of_echo.push(paced(echo, rate, plan.span).await?);
    }
    let (read, echo) = (whole(of_read)?, whole(of_echo)?);
    for (what, times) in [(name, &read), ("echo", &echo)] {
        let micros = |nanos: u64| f64::from(u32::try_from(nanos).unwrap_or(u32::MAX)) / 1000.0;
        samples.line(format!(
            "{what}\t{rate:.0}\t{:.1}\t{:.1}\t{:.1}",
            micros(times.made.value_at_quantile(0.5)),
            micros(times.due.value_at_quantile(0.99)),
            micros(times.due.value_at_quantile(0.5)),
        ))?;
        say(format!(
            "  {what:<12} {rate:.0} a second: p50 {:.0} us (from its due moment {:.0}), p99 {:.0} us",
            micros(times.made.value_at_quantile(0.5)),
            micros(times.due.value_at_quantile(0.5)),
            micros(times.due.value_at_quantile(0.99)),
        ));
    }
    let ratio = |a: u64, b: u64| {
        let of = |nanos: u64| f64::from(u32::try_from(nanos).unwrap_or(u32::MAX));
        of(a) / of(b)
    };
    Ok((
        // The half counts from the call: the delay of the one who asks would flatter the ratio.
        ratio(read.made.value_at_quantile(0.5), echo.made.value_at_quantile(0.5)),
        ratio(read.due.value_at_quantile(0.99), echo.due.value_at_quantile(0.99)),
    ))
}

fn whole(turns: Vec<Paced>) -> Result<Paced, Problem> {
    let mut turns = turns.into_iter();
    let mut all = turns.next().ok_or_else(|| Problem::new("nothing was asked"))?;
    for turn in turns {
        all.due.add(&turn.due)?;
        all.made.add(&turn.made)?;
    }
    Ok(all)
}

fn question_to(echo: &Echo) -> Question {
    let wire = echo.wire();
    Arc::new(move || {
        let mut client = HealthClient::new(wire.clone());
        async move {
            told("echo", client.check(HealthCheckRequest::default()))
                .await
                .map(drop)
        }
        .boxed()
    })
}

/// The reads: a work, and a balance.
async fn reads(exchange: &Exchange) -> Result<(Vec<(&'static str, Question)>, Vec<String>), Problem> {
    let missing = || Problem::new("a cast without a consumer");
    let consumer = exchange.cast.consumers.first().ok_or_else(missing)?;
    let mut times = trade::Times::new()?;
    let providers = exchange.cast.providers.first().ok_or_else(missing)?;
    let trace = trade::trade(consumer, providers, &exchange.keys, &mut times).await?;
    let works = Asker::new(exchange, "work-publisher", consumer.principal.clone());
    let money = Asker::new(exchange, "settlement", consumer.principal.clone());
    let work = trace.work.clone();
    let get_work: Question = Arc::new(move || {
        let (asker, work_id) = (works.clone(), work.clone());
        async move {
            let mut client = WorkPublisherServiceClient::new(asker.wire.clone());
            let request = asker.request(GetWorkRequest { work_id })?;
            told("get_work", client.get_work(request)).await.map(drop)
        }
        .boxed()
    });
    let get_balance: Question = Arc::new(move || {
        let asker = money.clone();
        async move {
            let mut client = SettlementServiceClient::new(asker.wire.clone());
            let request = asker.request(GetBalanceRequest::default())?;
            told("get_balance", client.get_balance(request)).await.map(drop)
        }
        .boxed()
    });
    let acknowledged = vec![
        format!("work {}", trace.work),
        format!("contract {}", trace.contract),
    ];
    Ok((
        vec![("GetWork", get_work), ("GetBalance", get_balance)],
        acknowledged,
    ))
}

/// Asks a service on behalf of a tenant, as the gateway does: with a principal that the gateway signed, and keeps for half
/// a second.
#[derive(Clone)]
struct Asker {
    wire: Wire,
    signed: Arc<dyn Fn() -> Result<String, Problem> + Send + Sync>,
}

impl Asker {
    fn new(exchange: &Exchange, service: &str, principal: Principal) -> Self {
        let (wire, key) = exchange.direct(service);
        let (runtime, key) = (exchange.runtime.clone(), key.private_pem().to_owned());
        Self {
            wire,
            signed: Arc::new(signer(runtime, key, principal)),
        }
    }

    fn request<Q>(&self, request: Q) -> Result<Request<Q>, Problem> {
        let mut request = Request::new(request);
        request.metadata_mut().insert(HEADER, (self.signed)()?.parse()?);
        Ok(request)
    }
}

fn signer(runtime: Runtime, pem: String, principal: Principal) -> impl Fn() -> Result<String, Problem> {
    use std::sync::{Mutex, PoisonError};
    const LIFETIME: Duration = Duration::from_millis(500);
    let kept: Mutex<Option<(tokio::time::Instant, String)>> = Mutex::new(None);
    move || {
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((since, token)) = kept.as_ref()
            && since.elapsed() < LIFETIME
        {
            return Ok(token.clone());
        }
        let key = aex_kit::principal::PrincipalKey::from_pem(&pem)?;
        let token = key.sign(&principal, runtime.now())?;
        *kept = Some((tokio::time::Instant::now(), token.clone()));
        Ok(token)
    }
}
