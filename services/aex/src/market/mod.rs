//! The commands of those who trade: each is one method of the contracts. A file for each noun.

mod bid;
mod contract;
mod door;
mod events;
mod money;
mod provider;
mod trust;
mod work;

use std::{
    fs,
    path::{Path, PathBuf},
};

use aex_kit::Runtime;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Map, Value, json};

pub(crate) use self::{
    bid::Bid,
    contract::Contract,
    door::Door,
    events::Events,
    money::{Price, balance, deposit, statement},
    provider::Provider,
    trust::Trust,
    work::Work,
};
use crate::{calls, home::hex, problem::Problem, show};

/// One question to the exchange.
pub(crate) struct Ask {
    /// `package.Service/Method`.
    pub(crate) method: String,
    pub(crate) body: Value,
    pub(crate) columns: &'static [&'static str],
    pub(crate) kind: Kind,
    /// A field of the answer whose bytes go to a file.
    kept: Option<(&'static str, PathBuf)>,
    /// Fields of which one is needed, and how to give them.
    needed: Option<(&'static [&'static str], &'static str)>,
}

/// What a command does to the exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Nothing.
    Query,
    /// Changes something, under an idempotency key.
    Change,
    /// Stays and listens.
    Watch,
}

fn ask(kind: Kind, service: &str, method: &str, body: Value) -> Ask {
    Ask {
        method: format!("{service}/{method}"),
        body,
        columns: &[],
        kind,
        kept: None,
        needed: None,
    }
}

fn query(service: &str, method: &str, body: Value) -> Ask {
    ask(Kind::Query, service, method, body)
}

fn change(service: &str, method: &str, body: Value) -> Ask {
    ask(Kind::Change, service, method, body)
}

fn watch(service: &str, method: &str, body: Value) -> Ask {
    ask(Kind::Watch, service, method, body)
}

impl Ask {
    fn rows(mut self, columns: &'static [&'static str]) -> Self {
        self.columns = columns;
        self
    }

    /// One more field, when there is a value for it.
    fn with(mut self, name: &str, value: Option<impl Into<Value>>) -> Self {
        if let (Some(fields), Some(value)) = (self.body.as_object_mut(), value) {
            fields.insert(name.to_owned(), value.into());
        }
        self
    }

    /// One of these fields is needed; `--request` may bring it too.
    fn one_of(mut self, fields: &'static [&'static str], how: &'static str) -> Self {
        self.needed = Some((fields, how));
        self
    }

    /// The bytes of a field of the answer go to a file, when one is named.
    fn kept(mut self, field: &'static str, file: Option<PathBuf>) -> Self {
        self.kept = file.map(|file| (field, file));
        self
    }

    /// Asks, and prints what is answered.
    pub(crate) async fn put(mut self, door: &Door) -> Result<(), Problem> {
        self.complete(door)?;
        let caller = door.caller()?;
        if self.kind == Kind::Watch {
            let shown = |value: Value| show::line(&told(value));
            return Ok(caller.watch(&self.method, self.body, shown).await?);
        }
        let again = self.again();
        let answered = caller.unary(&self.method, self.body).await;
        let mut answer = told(answered.map_err(|refusal| Problem::from(refusal).when_unanswered(&again))?);
        if let Some((field, file)) = &self.kept {
            if let Some(kept) = elsewhere(&answer) {
                return Err(Problem::new(format!("the {field} is {kept}")));
            }
            let bytes = content_of(&answer, field)?;
            if file.as_os_str() == "-" {
                return show::bytes(&bytes);
            }
            fs::write(file, bytes)
                .map_err(|error| Problem::new(format!("--out {}: {error}", file.display())))?;
            if let Some(shown) = answer.get_mut(*field) {
                *shown = json!(format!("written to {}", file.display()));
            }
        }
        if door.json {
            show::pretty(&answer)
        } else {
            show::answer(&answer, self.columns)
        }
    }

    /// How to ask the same again without asking for twice as much.
    fn again(&self) -> String {
        match self.body.get("idempotency_key").and_then(Value::as_str) {
            Some(key) if self.kind == Kind::Change => {
                format!(
                    "to be sure that it happens once, give the same command again with --idempotency-key {key}"
                )
            }
            _ => "give the command again".to_owned(),
        }
    }

    fn complete(&mut self, door: &Door) -> Result<(), Problem> {
        let Some(fields) = self.body.as_object_mut() else {
            return Ok(());
        };
        if self.kind == Kind::Change {
            let key = door.idempotency_key.clone().unwrap_or_else(|| {
                let id: aex_types::Id<aex_types::id::kind::Event> = Runtime::system().id();
                format!("cli-{id}")
            });
            fields.insert("idempotency_key".to_owned(), key.into());
        }
        if let Some(token) = &door.page_token {
            fields.insert("page_token".to_owned(), token.clone().into());
        }
        if let Some(more) = &door.request {
            let more: Map<String, Value> = serde_json::from_str(more)
                .map_err(|error| Problem::usage(format!("--request is no JSON object: {error}")))?;
            fields.extend(more);
        }
        match self.needed {
            Some((needed, how)) if !needed.iter().any(|name| fields.contains_key(*name)) => {
                Err(Problem::usage(format!("give {how}")))
            }
            _ => Ok(()),
        }
    }
}

/// Where the content of an answer is kept that has no bytes, and what it is, so that it can be known when it is fetched.
fn elsewhere(answer: &Value) -> Option<String> {
    let known = answer.get("info").unwrap_or(answer);
    let text = |name: &str| known.get(name).and_then(Value::as_str).unwrap_or_default();
    let location = text("location");
    (!location.is_empty()).then(|| {
        let digest = hex(&STANDARD.decode(text("sha256")).unwrap_or_default());
        let size = known
            .get("size_bytes")
            .and_then(Value::as_u64)
            .unwrap_or_default();
        format!("kept elsewhere, fetch it from {location}: {size} bytes with the SHA-256 {digest}")
    })
}

/// The bytes of a field.
fn content_of(answer: &Value, field: &str) -> Result<Vec<u8>, Problem> {
    let stored = answer.get(field).and_then(Value::as_str);
    stored
        .and_then(|text| STANDARD.decode(text).ok())
        .ok_or_else(|| Problem::new(format!("the answer has no {field}")))
}

/// Events travel as bytes; people read them decoded.
fn told(mut answer: Value) -> Value {
    for stored in answer
        .get_mut("events")
        .and_then(Value::as_array_mut)
        .into_iter()
        .flatten()
    {
        if let Some(event) = event(stored) {
            *stored = event;
        }
    }
    answer
}

fn event(stored: &Value) -> Option<Value> {
    let bytes = STANDARD.decode(stored.get("event")?.as_str()?).ok()?;
    let mut event = calls::decoded("aex.common.v1.Event", &bytes)?;
    let payload = STANDARD.decode(event.get("payload")?.as_str()?).ok()?;
    let payload = calls::decoded(event.get("payload_type")?.as_str()?, &payload);
    let fields = event.as_object_mut()?;
    fields.insert("sequence".to_owned(), stored.get("sequence")?.clone());
    if let Some(payload) = payload {
        fields.insert("payload".to_owned(), payload);
    }
    Some(event)
}

/// The content of the file that an option names, as JSON carries it.
fn content(option: &str, file: Option<&Path>) -> Result<Option<String>, Problem> {
    file.map(|path| {
        fs::read(path)
            .map(|bytes| STANDARD.encode(bytes))
            .map_err(|error| unread(option, path, &error))
    })
    .transpose()
}

/// The file that an option names cannot be read.
fn unread(option: &str, path: &Path, error: &std::io::Error) -> Problem {
    Problem::usage(format!("{option} {}: {error}", path.display()))
}
