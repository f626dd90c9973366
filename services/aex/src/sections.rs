//! The sections of the configuration, in a file and in the environment.

use std::path::Path;

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
