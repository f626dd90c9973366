//! The way of every command that changes the books: one queue, one transaction for many.
//!
//! A lone command is committed at once. While a transaction is under way others gather, and go together in the next
//! one: it locks in one order (request keys, holds, deposits, accounts), loads the working set, folds command by command
//! through the ledger, each seeing the ones before, and writes one delta for each account. Then each caller is answered.

use std::{ops::Range, sync::Arc, time::Duration};

use aex_error::{Code, Explain as _, chain};
use aex_kit::{Call, Runtime};
use aex_proto::{Keyed, Secrets};
use aex_settlement_ledger::{Books, Command, Deposit, Event, Hold, Item, Outcome, Policy, Touched};
use aex_store::{Claim, Fact, Failure, Store, Taken, Tx};
use prost::Message;
use tokio::sync::{mpsc, oneshot};

use crate::{
    Error,
    config::Batch,
    convert,
    store::{self, Jobs, Known, accounts, deposits, holds},
};

/// The time of one transaction.
const TIME: Duration = Duration::from_secs(10);
/// After shutdown began, the committer ends when nothing came for so long.
const REST: Duration = Duration::from_secs(1);

/// What a command was about, as it was right after it.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    Hold(Box<Hold>),
    Deposit(Box<Deposit>),
}

impl Answer {
    pub(crate) fn hold(self) -> Result<Hold, Error> {
        match self {
            Self::Hold(hold) => Ok(*hold),
            Self::Deposit(_) => Err(Failure::corrupt("a deposit where a hold was due").into()),
        }
    }

    pub(crate) fn deposit(self) -> Result<Deposit, Error> {
        match self {
            Self::Deposit(deposit) => Ok(*deposit),
            Self::Hold(_) => Err(Failure::corrupt("a hold where a deposit was due").into()),
        }
    }
}

/// What a command ended with.
#[derive(Debug)]
enum Ended {
    Now(Answer),
    /// The request took effect before, with this reply.
    Before(Vec<u8>),
}

/// The stored form of the reply to a request.
type Reply = Box<dyn Fn(&Answer) -> Result<Vec<u8>, Error> + Send + Sync>;

/// A command that waits for its transaction.
struct Waiting {
    command: Command,
    claim: Option<(Claim, Reply)>,
    request_id: String,
    traceparent: String,
    caller: oneshot::Sender<Result<Ended, Error>>,
}

/// The way in. Clones lead to the same queue.
#[derive(Debug, Clone)]
pub(crate) struct Committer {
    queue: mpsc::Sender<Waiting>,
}

impl Committer {
    /// Starts the committer of a store.
    pub(crate) fn start(store: &Store, service: &'static str, policy: Arc<Policy>, config: &Batch) -> Self {
        let (queue, waiting) = mpsc::channel(config.queue);
        let worker = Worker {
            store: store.clone(),
            service,
            policy,
            most: config.most,
            linger: Duration::from_millis(config.linger_ms),
        };
        store.runtime().spawn_needed(worker.run(waiting));
        Self { queue }
    }

    /// Does a command whose business key makes it happen once.
    pub(crate) async fn submit(&self, call: &Call, command: Command) -> Result<Answer, Error> {
        match self.enqueue(call, command, None).await? {
            Ended::Now(answer) => Ok(answer),
            Ended::Before(_) => Err(Failure::corrupt("a stored reply without a key").into()),
        }
    }

    /// Does the command of a request once: asked again with the same key, the first reply is answered.
    pub(crate) async fn submit_keyed<Q, A>(
        &self,
        call: &Call,
        request: &Q,
        command: Command,
        reply: fn(Answer) -> Result<A, Error>,
    ) -> Result<A, Error>
    where
        Q: Message + Keyed,
        A: Message + Default + Secrets + 'static,
    {
        let stored: Reply = Box::new(move |answer| {
            let mut kept = reply(answer.clone())?;
            kept.blank();
            Ok(kept.encode_to_vec())
        });
        let claim = (Claim::of(call, request), stored);
        match self.enqueue(call, command, Some(claim)).await? {
            Ended::Now(answer) => reply(answer),
            Ended::Before(bytes) => {
                A::decode(bytes.as_slice()).map_err(|error| Failure::corrupt(error.to_string()).into())
            }
        }
    }

    async fn enqueue(
        &self,
        call: &Call,
        command: Command,
        claim: Option<(Claim, Reply)>,
    ) -> Result<Ended, Error> {
        let (caller, ended) = oneshot::channel();
        let waiting = Waiting {
            command,
            claim,
            request_id: call.request_id().to_owned(),
            traceparent: call.traceparent().to_owned(),
            caller,
        };
        self.queue.try_send(waiting).map_err(|_| Failure::Overloaded)?;
        match tokio::time::timeout(call.time_left(), ended).await {
            Ok(Ok(ended)) => ended,
            // The committer ended with the process: whether it committed is unknown.
            Ok(Err(_)) | Err(_) => Err(Failure::Deadline.into()),
        }
    }
}

struct Worker {
    store: Store,
    service: &'static str,
    policy: Arc<Policy>,
    most: usize,
    linger: Duration,
}

impl Worker {
    async fn run(self, mut queue: mpsc::Receiver<Waiting>) {
        let mut postponed = Vec::new();
        while let Some(batch) = self.gather(&mut queue, &mut postponed).await {
            self.settle(batch).await;
        }
    }

    /// The commands of the next transaction; none at the end.
    async fn gather(
        &self,
        queue: &mut mpsc::Receiver<Waiting>,
        postponed: &mut Vec<Waiting>,
    ) -> Option<Vec<Waiting>> {
        let mut batch = std::mem::take(postponed);
        if batch.is_empty() {
            batch.push(next(self.store.runtime(), queue).await?);
        }
        self.fill(queue, &mut batch);
        if batch.len() > 1 && batch.len() < self.most && !self.linger.is_zero() {
            self.store.runtime().pause(self.linger).await;
            self.fill(queue, &mut batch);
        }
        // Two requests with one key: the second is answered from what the first leaves behind.
        let mut first: Vec<Waiting> = Vec::with_capacity(batch.len());
        for waiting in batch {
            let twin = waiting.claim.as_ref().is_some_and(|(claim, _)| {
                first.iter().any(|other| {
                    other
                        .claim
                        .as_ref()
                        .is_some_and(|(before, _)| before.is_same_key(claim))
                })
            });
            if twin {
                postponed.push(waiting);
            } else {
                first.push(waiting);
            }
        }
        Some(first)
    }

    fn fill(&self, queue: &mut mpsc::Receiver<Waiting>, batch: &mut Vec<Waiting>) {
        while batch.len() < self.most
            && let Ok(waiting) = queue.try_recv()
        {
            batch.push(waiting);
        }
    }

    /// Commits a batch and answers its callers. What the database refuses is halved until the bad command stands alone.
    async fn settle(&self, batch: Vec<Waiting>) {
        let mut ended: Vec<Option<Result<Ended, Error>>> = batch.iter().map(|_| None).collect();
        let mut parts: Vec<Range<usize>> = Vec::from([Range {
            start: 0,
            end: batch.len(),
        }]);
        while let Some(part) = parts.pop() {
            let commands = batch.get(part.clone()).unwrap_or_default();
            match self.commit(commands).await {
                Ok(answers) => {
                    for (place, answer) in part.zip(answers) {
                        put(&mut ended, place, answer);
                    }
                }
                Err(error) if part.len() > 1 && error.explain().code() == Code::Internal => {
                    // Its cause is told with the command that it belongs to, when that stands alone.
                    tracing::warn!(commands = part.len(), "a transaction of many is halved");
                    let middle = part.start + part.len() / 2;
                    parts.push(middle..part.end);
                    parts.push(part.start..middle);
                }
                Err(error) => {
                    let error = Arc::new(error);
                    for place in part {
                        put(&mut ended, place, Err(Error::Batch(Arc::clone(&error))));
                    }
                }
            }
        }
        for (waiting, ended) in batch.into_iter().zip(ended) {
            let lost = || Err(Failure::corrupt("a command without an answer").into());
            // A caller that went away reads its answer when it asks again, and its log is ours to write.
            if let Err(Err(error)) = waiting.caller.send(ended.unwrap_or_else(lost))
                && error.explain().code() == Code::Internal
            {
                let request_id = waiting.request_id;
                tracing::error!(request_id, cause = %chain(&error), "internal error after its caller had gone");
            }
        }
    }

    async fn commit(&self, batch: &[Waiting]) -> Result<Vec<Result<Ended, Error>>, Error> {
        let mut call = Call::own(self.store.runtime(), self.service, "commit", TIME);
        self.store
            .work(&mut call, async |tx| {
                self.transact(tx, batch)
                    .await
                    .map_err(collided)
                    .map_err(Error::from)
            })
            .await
    }

    async fn transact(
        &self,
        tx: &mut Tx<'_>,
        batch: &[Waiting],
    ) -> Result<Vec<Result<Ended, Error>>, Failure> {
        let claims: Vec<&Claim> = batch
            .iter()
            .filter_map(|waiting| waiting.claim.as_ref().map(|(claim, _)| claim))
            .collect();
        let mut taken = tx.take_claims(&claims).await?.into_iter();
        let before: Vec<Option<Taken>> = batch
            .iter()
            .map(|waiting| waiting.claim.as_ref().and_then(|_| taken.next()))
            .collect();
        let is_live = |taken: &Option<Taken>| matches!(taken, None | Some(Taken::Mine));
        let live: Vec<&Command> = batch
            .iter()
            .zip(&before)
            .filter_map(|(waiting, taken)| is_live(taken).then_some(&waiting.command))
            .collect();

        let (mut books, known) = self.load(tx, &live).await?;
        let (mut events, mut kept, mut dropped, mut ended) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for (waiting, taken) in batch.iter().zip(before) {
            let answer = match taken {
                Some(Taken::Before(reply)) => Ok(Ended::Before(reply)),
                Some(Taken::Reused) => Err(Failure::KeyReused.into()),
                None | Some(Taken::Mine) => {
                    let answer = apply(tx, &mut books, waiting, &mut events);
                    if let Some((claim, reply)) = &waiting.claim {
                        match answer.as_ref().map(reply) {
                            Ok(Ok(reply)) => kept.push((claim, reply)),
                            // What has happened and cannot be told again must not happen: it would happen once more.
                            Ok(Err(_)) => return Err(Failure::corrupt("a reply that cannot be kept")),
                            Err(_) => dropped.push(claim),
                        }
                    }
                    answer.map(Ended::Now)
                }
            };
            ended.push(answer);
        }
        self.write(tx, &books, &known, &live, &events).await?;
        for (claim, reply) in kept {
            tx.keep_claim(claim, reply);
        }
        tx.drop_claims(&dropped).await?;
        Ok(ended)
    }

    /// The working set: what the commands name, then the accounts that follow from it.
    async fn load(&self, tx: &mut Tx<'_>, live: &[&Command]) -> Result<(Books, Known), Failure> {
        let touched = Touched::by(live.iter().copied());
        let rows = store::lock(tx.sql(), &touched).await?;
        let known = Known::of(&rows);
        let mut books = Books::open(Arc::clone(&self.policy), &touched, rows);
        let accounts = books.accounts(live.iter().copied());
        let balances = accounts::lock(tx.sql(), &accounts).await?;
        books.load(&accounts, balances);
        Ok((books, known))
    }

    async fn write(
        &self,
        tx: &mut Tx<'_>,
        books: &Books,
        known: &Known,
        live: &[&Command],
        events: &[(Event, Fact)],
    ) -> Result<(), Failure> {
        let mut jobs = Jobs::default();
        for contract in live.iter().filter_map(|command| store::asked_by_timer(command)) {
            jobs.of_hold(contract, books.hold(contract).ok().flatten());
        }
        for hold in books.changed_holds() {
            jobs.of_hold(hold.contract, Some(hold));
        }
        for deposit in books.changed_deposits() {
            jobs.of_deposit(deposit);
        }
        jobs.save(tx);
        if events.is_empty() {
            return Ok(());
        }
        let (events, facts): (Vec<Event>, Vec<Fact>) = events.iter().cloned().unzip();
        store::post(tx.sql(), &events).await?;
        accounts::add(tx.sql(), &books.deltas()).await?;
        holds::save(tx.sql(), &known.holds, books.changed_holds()).await?;
        deposits::save(tx.sql(), &known.deposits, books.changed_deposits()).await?;
        tx.publish(facts);
        Ok(())
    }
}

/// Does one command on the working set, and answers what it was about as it is then.
fn apply(
    tx: &Tx<'_>,
    books: &mut Books,
    waiting: &Waiting,
    events: &mut Vec<(Event, Fact)>,
) -> Result<Answer, Error> {
    let item = Item {
        command: waiting.command.clone(),
        journal: tx.id(),
    };
    match books.apply(&item, tx.now()) {
        Ok(Outcome::Applied(event)) => {
            let fact = convert::fact_of(&event);
            let fact = fact.asked_by(&waiting.request_id, &waiting.traceparent);
            events.push((*event, fact));
        }
        Ok(Outcome::Already(_)) => {}
        Err(refusal) => {
            if refusal.is_alarm() {
                tracing::error!(%refusal, "the books refused what would have broken them");
            }
            return Err(refusal.into());
        }
    }
    let missing = || Failure::corrupt("a command that left nothing behind");
    if let Some(contract) = waiting.command.contract() {
        let hold = books.hold(contract)?.copied().ok_or_else(missing)?;
        return Ok(Answer::Hold(Box::new(hold)));
    }
    let deposit = waiting.command.deposit().ok_or_else(missing)?;
    let deposit = books.deposit(deposit)?.cloned().ok_or_else(missing)?;
    Ok(Answer::Deposit(Box::new(deposit)))
}

/// Two transactions of two replicas that wrote the same row for the first time: the second is to look again.
fn collided(failure: Failure) -> Failure {
    const FIRST_OF_ITS_KIND: [&str; 5] = [
        "hold_pkey",
        "deposit_pkey",
        "deposit_by_payment",
        "journal_by_key",
        "journal_line_by_account",
    ];
    match failure {
        Failure::Database(error)
            if matches!(&error, sqlx::Error::Database(refusal)
                if refusal.constraint().is_some_and(|name| FIRST_OF_ITS_KIND.contains(&name))) =>
        {
            Failure::Contention(error)
        }
        other => other,
    }
}

fn put(ended: &mut [Option<Result<Ended, Error>>], place: usize, answer: Result<Ended, Error>) {
    if let Some(slot) = ended.get_mut(place) {
        *slot = Some(answer);
    }
}

/// The next command; none when nobody can send one any more, or the process stops and nothing came for a while.
async fn next(runtime: &Runtime, queue: &mut mpsc::Receiver<Waiting>) -> Option<Waiting> {
    if !runtime.is_stopping() {
        tokio::select! {
            waiting = queue.recv() => return waiting,
            () = runtime.stopping() => {}
        }
    }
    tokio::time::timeout(REST, queue.recv()).await.ok().flatten()
}
