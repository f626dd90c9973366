//! Configuration: defaults in code, then a file, then the environment. Unknown keys are refused; secrets print as
//! `[redacted]`.

use std::{
    collections::BTreeMap,
    fmt,
    net::SocketAddr,
    num::NonZeroU32,
    path::{Path, PathBuf},
    time::Duration,
};

use ::config::{Config, Environment, File, Map, Source as _, Value, ValueKind};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, DeserializeOwned},
};

/// Configuration that cannot be used, in one line that names the key.
#[derive(Debug, thiserror::Error)]
#[error("configuration of {service}: {problem}")]
pub struct ConfigError {
    service: String,
    problem: String,
}

/// The configuration of one service: `defaults ← [service] in the file ← AEX_<SERVICE>__<SECTION>__<KEY>`. Variables are read
/// as they are written; where the default is a list they are split at commas.
pub fn load<C: DeserializeOwned + Serialize + Default>(
    service: &str,
    file: Option<&Path>,
) -> Result<C, ConfigError> {
    let refuse = |problem: String| ConfigError {
        service: service.to_owned(),
        problem,
    };
    let defaults = serde_json::to_value(C::default()).map_err(|error| refuse(error.to_string()))?;
    let mut builder = Config::builder();
    if let Some(path) = file {
        let section = section(service, path).map_err(|error| refuse(error.to_string()))?;
        for (key, value) in section {
            exact(&key, &value, defaults.get(&key)).map_err(refuse)?;
            builder = builder
                .set_default(key, value)
                .map_err(|error| refuse(error.to_string()))?;
        }
    }
    let prefix = format!("AEX_{}", service.replace('-', "_").to_uppercase());
    let environment = Environment::with_prefix(&prefix)
        .prefix_separator("__")
        .separator("__");
    for (key, value) in environment.collect().map_err(|error| refuse(error.to_string()))? {
        // Services have hyphens in their names, variables cannot.
        let key = match key.strip_prefix("peers.") {
            Some(peer) => format!("peers.{}", peer.replace('_', "-")),
            None => key,
        };
        let default = key.split('.').try_fold(&defaults, |value, part| value.get(part));
        let value = match default {
            Some(serde_json::Value::Array(_)) => items(value).map_err(|error| refuse(error.to_string()))?,
            _ => value,
        };
        builder = builder
            .set_override(key, value)
            .map_err(|error| refuse(error.to_string()))?;
    }
    builder
        .build()
        .and_then(Config::try_deserialize)
        .map_err(|error| refuse(explained(&error)))
}

/// The names of the sections of a file.
pub fn sections(file: &Path) -> Result<Vec<String>, ConfigError> {
    let table = table(file).map_err(|error| ConfigError {
        service: "every service".to_owned(),
        problem: error.to_string(),
    })?;
    let mut names: Vec<_> = table.into_keys().collect();
    names.sort();
    Ok(names)
}

/// What a file says, by section.
fn table(file: &Path) -> Result<Map<String, Value>, ::config::ConfigError> {
    let whole = Config::builder().add_source(File::from(file)).build()?;
    whole.cache.into_table()
}

/// What a file says of one service.
fn section(service: &str, file: &Path) -> Result<Map<String, Value>, ::config::ConfigError> {
    let section = table(file)?.remove(service);
    section.map_or_else(|| Ok(Map::new()), Value::into_table)
}

/// Refuses a number with a fraction where text is meant, an amount for example: it has been rounded already.
fn exact(key: &str, value: &Value, default: Option<&serde_json::Value>) -> Result<(), String> {
    match &value.kind {
        ValueKind::Float(_) if default.is_some_and(serde_json::Value::is_string) => {
            Err(format!("{key} has to be in quotes"))
        }
        ValueKind::Table(table) => table.iter().try_for_each(|(part, value)| {
            exact(
                &format!("{key}.{part}"),
                value,
                default.and_then(|default| default.get(part)),
            )
        }),
        ValueKind::Array(items) => {
            let first = default.and_then(|default| default.get(0));
            items.iter().try_for_each(|item| exact(key, item, first))
        }
        _ => Ok(()),
    }
}

/// The items of a list that is written with commas; of nothing, none.
fn items(text: Value) -> Result<Value, ::config::ConfigError> {
    let text = text.into_string()?;
    let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
    Ok(Value::from(items.map(str::to_owned).collect::<Vec<_>>()))
}

/// A variable of the environment that is of no section: as it is written, and the section that it names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stray {
    /// The variable.
    pub variable: String,
    /// Its section, spelled as in a file.
    pub section: String,
}

/// The first variable of the environment, by name, that is of none of these sections.
#[expect(
    clippy::disallowed_methods,
    reason = "names only, and at start: what they say is read with the sections"
)]
pub fn stray<'a>(sections: &(impl IntoIterator<Item = &'a str> + Clone)) -> Option<Stray> {
    let names = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    first_stray(names, sections)
}

/// The first of these variables, by name, that is of none of these sections. Those without a double underscore are options
/// of commands.
fn first_stray<'a>(
    names: impl IntoIterator<Item = String>,
    sections: &(impl IntoIterator<Item = &'a str> + Clone),
) -> Option<Stray> {
    let stray = names.into_iter().filter_map(|variable| {
        let section = variable
            .to_lowercase()
            .strip_prefix("aex_")?
            .split_once("__")?
            .0
            .replace('_', "-");
        let is_known = sections.clone().into_iter().any(|known| known == section);
        (!is_known).then_some(Stray { variable, section })
    });
    stray.min_by(|one, other| one.variable.cmp(&other.variable))
}

/// What is wrong, and for a key that does not exist the one that was probably meant.
fn explained(error: &::config::ConfigError) -> String {
    let said = error.to_string();
    let mut quoted = said.split('`').skip(1).step_by(2);
    let (true, Some(unknown)) = (said.starts_with("unknown field"), quoted.next()) else {
        return said;
    };
    let (section, known) = if said.contains(" for key `") {
        let mut words: Vec<_> = quoted.collect();
        (words.pop(), words)
    } else {
        (None, quoted.collect())
    };
    let place = section.map_or_else(String::new, |section| format!("{section}."));
    match nearest(unknown, known.iter().copied()) {
        Some(near) => format!("there is no key {place}{unknown}: did you mean {place}{near}?"),
        None => format!(
            "there is no key {place}{unknown}: choose from {}",
            known.join(", ")
        ),
    }
}

/// The known word that is most like one that is not known, when one is like it at all.
pub fn nearest<'a>(unknown: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|word| (strsim::normalized_damerau_levenshtein(unknown, word), word))
        .filter(|(likeness, _)| *likeness >= 0.5)
        .max_by(|(one, _), (other, _)| one.total_cmp(other))
        .map(|(_, word)| word)
}

/// Reads a number that has to be there for anything to work at all: of none of it, a process would start and serve nobody.
pub fn at_least_one<'de, D, N>(deserializer: D) -> Result<N, D::Error>
where
    D: Deserializer<'de>,
    N: Deserialize<'de> + Default + PartialEq,
{
    let number = N::deserialize(deserializer)?;
    if number == N::default() {
        return Err(de::Error::custom("has to be at least 1"));
    }
    Ok(number)
}

/// Reads a number that may not be larger.
pub fn at_most<'de, D: Deserializer<'de>, const MOST: u64>(deserializer: D) -> Result<u64, D::Error> {
    let number = u64::deserialize(deserializer)?;
    if number > MOST {
        return Err(de::Error::custom(format_args!("has to be at most {MOST}")));
    }
    Ok(number)
}

/// How a service is served.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Server {
    /// Where `aex serve` listens; absent means all addresses, at the service's own port.
    pub listen: Option<SocketAddr>,
    /// Where `/health` and `/ready` are answered in plain HTTP, for load balancers that speak no gRPC; absent means nowhere.
    pub probes: Option<SocketAddr>,
    /// Calls that it carries at once; more are refused with UNAVAILABLE.
    #[serde(deserialize_with = "at_least_one")]
    pub max_calls: usize,
    /// Watches that it holds open at once.
    #[serde(deserialize_with = "at_least_one")]
    pub max_watches: usize,
    /// Answers reflection: for development on loopback.
    pub reflection: bool,
    /// How long calls under way may take to end at shutdown, in milliseconds.
    pub drain_ms: u64,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            listen: None,
            probes: None,
            max_calls: 512,
            max_watches: 1000,
            reflection: false,
            drain_ms: 10_000,
        }
    }
}

impl Server {
    /// How long calls under way may take to end at shutdown.
    pub const fn drain(&self) -> Duration {
        Duration::from_millis(self.drain_ms)
    }
}

/// Where a service keeps its state.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Database {
    /// `postgres://…`; absent means the private cluster.
    pub url: Option<Secret>,
    /// The role that migrates; absent means the one of the URL.
    pub owner_url: Option<Secret>,
    /// The most connections.
    #[serde(deserialize_with = "at_least_one")]
    pub max_connections: u32,
    /// The longest that a call waits for a connection, in milliseconds.
    #[serde(deserialize_with = "at_least_one")]
    pub acquire_ms: u64,
    /// How many days what watchers were told is kept, so that they can resume.
    pub watch_log_days: NonZeroU32,
}

impl Database {
    /// How long what watchers were told is kept, so that they can resume.
    pub fn resumable(&self) -> Duration {
        Duration::from_hours(24) * self.watch_log_days.get()
    }
}

/// The days for which a watch can be resumed, unless the configuration says otherwise.
const WATCH_LOG_DAYS: NonZeroU32 = NonZeroU32::new(7).unwrap();

impl Default for Database {
    fn default() -> Self {
        Self {
            url: None,
            owner_url: None,
            max_connections: 4,
            acquire_ms: 2_000,
            watch_log_days: WATCH_LOG_DAYS,
        }
    }
}

/// Reads what is to be logged: a mistake in it is found before something has to be looked for in a log.
fn log_filter<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let filter = String::deserialize(deserializer)?;
    match crate::telemetry::read(&filter) {
        Ok(_) => Ok(filter),
        Err(error) => Err(de::Error::custom(error)),
    }
}

/// What a process tells about itself.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Telemetry {
    /// What is logged: `info`, or a filter such as `aex_kit=debug,info`.
    #[serde(deserialize_with = "log_filter")]
    pub log_level: String,
    /// JSON lines or readable ones; absent means readable on a terminal only.
    pub log_json: Option<bool>,
}

impl Default for Telemetry {
    fn default() -> Self {
        Self {
            log_level: "info".to_owned(),
            log_json: None,
        }
    }
}

/// Who a service is and whom it believes.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Auth {
    /// The domain of the certificates' SPIFFE ids.
    pub trust_domain: String,
    /// Certificates of the authorities that peers' certificates must come from, as PEM.
    pub ca_file: Option<PathBuf>,
    /// The service's own certificate, as PEM.
    pub cert_file: Option<PathBuf>,
    /// Its key, as PEM.
    pub key_file: Option<PathBuf>,
    /// The gateway's public keys, as PEM; more than one while they change.
    pub principal_key_files: Vec<PathBuf>,
    /// How often the files are looked at for new certificates and keys, in milliseconds: 100 to 3,600,000; what is beyond
    /// counts as the nearer of the two.
    pub reload_ms: u64,
}

impl Auth {
    /// How often the files are looked at.
    pub fn reload(&self) -> Duration {
        Duration::from_millis(self.reload_ms.clamp(100, 3_600_000))
    }
}

impl Default for Auth {
    fn default() -> Self {
        Self {
            trust_domain: "aex".to_owned(),
            ca_file: None,
            cert_file: None,
            key_file: None,
            principal_key_files: Vec::new(),
            reload_ms: 10_000,
        }
    }
}

/// Where the services are that are not in this process: `host:port` by name.
pub type Peers = BTreeMap<String, String>;

/// A value that is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a value.
    pub const fn new(value: String) -> Self {
        Self(value)
    }

    /// The value itself.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("[redacted]")
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Default, Serialize, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    struct Example {
        server: Server,
        database: Database,
        auth: Auth,
    }

    #[test]
    fn the_file_overrides_defaults_and_unknown_keys_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("aex.toml");
        std::fs::write(
            &file,
            "[example.server]\nmax_calls = 7\n[other.server]\nnonsense = 1\n",
        )
        .unwrap();
        let read: Example = load("example", Some(&file)).unwrap();
        assert_eq!((read.server.max_calls, read.server.max_watches), (7, 1000));
        std::fs::write(&file, "[example.server]\nmax_cals = 7\n").unwrap();
        let refused = load::<Example>("example", Some(&file)).unwrap_err().to_string();
        assert!(
            refused.contains("there is no key server.max_cals: did you mean server.max_calls?"),
            "{refused}"
        );
        std::fs::write(&file, "[example]\nservers = 7\n").unwrap();
        let refused = load::<Example>("example", Some(&file)).unwrap_err().to_string();
        assert!(
            refused.contains("there is no key servers: did you mean server?"),
            "{refused}"
        );
        std::fs::write(&file, "[example]\nzzz = 7\n").unwrap();
        let refused = load::<Example>("example", Some(&file)).unwrap_err().to_string();
        assert!(
            refused.contains("choose from server, database, auth"),
            "{refused}"
        );
    }

    #[test]
    fn what_a_service_cannot_work_without_is_refused_when_it_is_zero() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("aex.toml");
        for (section, key) in [
            ("server", "max_calls"),
            ("server", "max_watches"),
            ("database", "max_connections"),
            ("database", "acquire_ms"),
            ("database", "watch_log_days"),
        ] {
            std::fs::write(&file, format!("[example.{section}]\n{key} = 1\n")).unwrap();
            load::<Example>("example", Some(&file)).unwrap();
            std::fs::write(&file, format!("[example.{section}]\n{key} = 0\n")).unwrap();
            let refused = load::<Example>("example", Some(&file)).unwrap_err().to_string();
            for word in ["configuration of example", &format!("{section}.{key}")] {
                assert!(refused.contains(word), "{word} in {refused}");
            }
        }
    }

    #[test]
    fn a_number_that_was_rounded_on_its_way_is_refused_where_text_is_meant() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("aex.toml");
        std::fs::write(&file, "[example.auth]\ntrust_domain = 100000000000.123457\n").unwrap();
        let refused = load::<Example>("example", Some(&file)).unwrap_err().to_string();
        assert!(
            refused.contains("auth.trust_domain has to be in quotes"),
            "{refused}"
        );
        std::fs::write(&file, "[example.auth]\ntrust_domain = \"100000000000.123457\"\n").unwrap();
        let read: Example = load("example", Some(&file)).unwrap();
        assert_eq!(read.auth.trust_domain, "100000000000.123457");
    }

    #[test]
    fn a_section_that_is_none_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("aex.toml");
        std::fs::write(&file, "example = 3\n").unwrap();
        let refused = load::<Example>("example", Some(&file)).unwrap_err().to_string();
        assert!(refused.contains("expected a map"), "{refused}");
    }

    #[test]
    fn a_list_is_written_with_commas() {
        let read = |text: &str| items(Value::from(text)).unwrap().into_array().unwrap();
        let texts = |text: &str| {
            read(text)
                .into_iter()
                .map(|item| item.into_string().unwrap())
                .collect::<Vec<_>>()
        };
        assert_eq!(texts("USD, EUR"), ["USD", "EUR"]);
        assert!(texts("").is_empty());
    }

    #[test]
    fn a_variable_of_no_section_is_found_and_options_of_commands_are_left_alone() {
        let found = |names: &[&str]| {
            let names = names.iter().map(|name| (*name).to_owned());
            first_stray(names, &["identity", "event-ledger"]).map(|stray| (stray.variable, stray.section))
        };
        assert_eq!(
            found(&[
                "AEX_IDENTITY__SERVER__LISTEN",
                "aex_event_ledger__database__url",
                "AEX_DATA_DIR",
                "AEX_API_KEY",
                "AEX_PG_BIN",
                "PATH",
                "OTHER__THING",
            ]),
            None
        );
        assert_eq!(
            found(&["AEX_TWO__X", "AEX_ONE__X"]),
            Some(("AEX_ONE__X".to_owned(), "one".to_owned()))
        );
        for (variable, section) in [
            ("AEX_IDENTITTY__SERVER__LISTEN", "identitty"),
            ("AEX__IDENTITY__LISTEN", "-identity"),
            ("AEX_EVENTLEDGER__DATABASE__URL", "eventledger"),
        ] {
            assert_eq!(
                found(&["AEX_LOG", variable, "AEX_GATEWAY"]),
                Some((variable.to_owned(), section.to_owned()))
            );
        }
    }

    #[test]
    fn what_is_nothing_like_a_known_word_is_not_taken_for_one() {
        let known = ["identity", "settlement"];
        assert_eq!(nearest("identiy", known), Some("identity"));
        assert_eq!(nearest("setlement", known), Some("settlement"));
        assert_eq!(nearest("nonsense", known), None);
    }

    #[test]
    fn a_secret_is_never_printed() {
        let database = Database {
            url: Some(Secret::new("postgres://hidden".to_owned())),
            ..Database::default()
        };
        assert!(!format!("{database:?}").contains("hidden"));
        assert!(!serde_json::to_string(&database).unwrap().contains("hidden"));
    }
}
