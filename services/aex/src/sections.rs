//! The sections of the configuration, in a file and in the environment.

use std::path::Path;

use aex_kit::config::Peers;
use http::uri::Authority;

use crate::{problem::Problem, services::SERVICES};

/// The section of whoever operates an exchange: `AEX_OPERATOR__AUTH__CERT_FILE`.
pub(crate) const OPERATOR: &str = "operator";

/// How the variables of a section begin.
pub(crate) fn environment(name: &str) -> String {
    format!("AEX_{}", name.replace('-', "_").to_uppercase())
}

/// The sections that a configuration may have.
fn sections() -> impl Iterator<Item = &'static str> + Clone {
    let services = SERVICES.iter().map(|service| service.name);
    services.chain([aex_gateway::NAME, OPERATOR])
}

/// A variable of the environment that looks like a key of a section must be one: nobody else would say that it is misspelt.
pub(crate) fn understood() -> Result<(), Problem> {
    let Some(stray) = aex_kit::config::stray(&sections()) else {
        return Ok(());
    };
    let advice = match aex_kit::config::nearest(&stray.section, sections()) {
        Some(near) => format!("did you mean {}__…?", environment(near)),
        None => format!(
            "choose from {}",
            sections().map(environment).collect::<Vec<_>>().join(", ")
        ),
    };
    Err(Problem::new(format!(
        "the environment sets {}, which is of no service: {advice}",
        stray.variable
    )))
}

/// A file that was named must be there and have sections of services that exist, and the environment name no others; what
/// they say is judged one by one.
pub(crate) fn readable(file: Option<&Path>) -> Result<(), Problem> {
    understood()?;
    let Some(file) = file else { return Ok(()) };
    let refused = |error: String| {
        Problem::new(format!(
            "cannot read the configuration {}: {error}",
            file.display()
        ))
    };
    let found = aex_kit::config::sections(file).map_err(|error| refused(error.to_string()))?;
    for section in found {
        if sections().any(|name| name == section) {
            continue;
        }
        let advice = match aex_kit::config::nearest(&section, sections()) {
            Some(near) => format!("did you mean [{near}]?"),
            None => format!("choose from {}", sections().collect::<Vec<_>>().join(", ")),
        };
        return Err(refused(format!("there is no section [{section}]: {advice}")));
    }
    Ok(())
}

/// The peers that a section names must be services, at addresses that have a port.
pub(crate) fn reachable(section: &str, peers: &Peers) -> Result<(), Problem> {
    let services = || {
        SERVICES
            .iter()
            .map(|service| service.name)
            .chain([aex_gateway::NAME])
    };
    let refused = |what: String| Err(Problem::new(format!("configuration of {section}: {what}")));
    for (name, address) in peers {
        if !services().any(|service| service == name) {
            return refused(match aex_kit::config::nearest(name, services()) {
                Some(near) => format!("there is no service for peers.{name}: did you mean peers.{near}?"),
                None => format!("there is no service for peers.{name}"),
            });
        }
        let has_port = |address: Authority| address.port_u16().is_some();
        if !address.parse().is_ok_and(has_port) {
            return refused(format!(
                "peers.{name} is {address:?}, which is no address such as 10.0.0.7:9000"
            ));
        }
    }
    Ok(())
}
