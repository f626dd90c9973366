//! `aex config`: what the services would run with.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::{Map, Value};

use crate::{
    database::Place,
    deployment,
    problem::Problem,
    sections::{OPERATOR, reachable, readable},
    services::SERVICES,
    show,
};

#[derive(Debug, Subcommand)]
pub(crate) enum Config {
    /// Prints the configuration of every service as it would be used; secrets as [redacted].
    Print(Source),
    /// Says whether it can be used.
    Check(Source),
}

#[derive(Debug, Args)]
pub(crate) struct Source {
    /// The file; the environment is read too.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

pub(crate) fn run(command: &Config) -> Result<(), Problem> {
    match command {
        Config::Print(source) => show::pretty(&Value::Object(whole(source.config.as_deref())?)),
        Config::Check(source) => {
            let whole = whole(source.config.as_deref())?;
            show::out(&format!(
                "the configuration of {} sections can be used\n",
                whole.len()
            ))
        }
    }
}

fn whole(file: Option<&Path>) -> Result<Map<String, Value>, Problem> {
    readable(file)?;
    let mut whole = Map::new();
    for service in SERVICES {
        let settings = (service.settings)(file)?;
        reachable(service.name, &settings.peers)?;
        if settings.database.url.is_some() {
            Place::Configured
                .connect(service.schema.name, &settings.database)
                .map_err(|problem| Problem::new(format!("configuration of {}: {problem}", service.name)))?;
        }
        whole.insert(service.name.to_owned(), settings.printed);
    }
    let edge: aex_gateway::Config = aex_kit::config::load(aex_gateway::NAME, file)?;
    edge.check()?;
    reachable(aex_gateway::NAME, &edge.peers)?;
    whole.insert(aex_gateway::NAME.to_owned(), serde_json::to_value(edge)?);
    let operator: deployment::Operator = aex_kit::config::load(OPERATOR, file)?;
    whole.insert(OPERATOR.to_owned(), serde_json::to_value(operator)?);
    Ok(whole)
}
