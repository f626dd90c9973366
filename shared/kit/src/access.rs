//! Which methods there are and who may call them, read from the contracts.

use std::{collections::HashMap, sync::Arc, time::Duration};

use aex_proto::{
    POOL,
    aex::common::v1::{Access, Audience},
    prost_reflect::{MethodDescriptor, ServiceDescriptor},
};
use prost::Message as _;

/// The limits of a method that does not state its own.
const DEFAULT_MESSAGE_BYTES: u32 = 256 * 1024;
const DEFAULT_DEADLINE_MS: u32 = 5_000;

/// One method and its rule.
#[derive(Debug, Clone)]
pub struct Method {
    /// The path of its calls: `/aex.identity.v1.IdentityService/GetTenant`.
    pub path: String,
    /// Its name as metrics and idempotency scopes know it: `aex.identity.v1.IdentityService/GetTenant`.
    pub name: String,
    /// Who may call.
    pub audience: Vec<Audience>,
    /// Scopes of which a key needs one.
    pub scopes: Vec<String>,
    /// Services that may call as peers.
    pub callers: Vec<String>,
    /// The largest message either way, in bytes.
    pub max_message_bytes: usize,
    /// The longest that a call may take.
    pub deadline: Duration,
    /// Changes nothing, or carries an idempotency key: may be sent twice.
    pub is_repeatable: bool,
    /// Changes nothing.
    pub is_query: bool,
    /// Answers a stream.
    pub is_watch: bool,
}

/// The methods of a service that a process hosts or calls.
pub type Methods = HashMap<String, Arc<Method>>;

/// A contract that cannot be hosted.
#[derive(Debug, thiserror::Error)]
#[error("{method}: {problem}")]
pub struct ContractError {
    method: String,
    problem: &'static str,
}

/// The methods of one gRPC service, by path; refused when a method has no rule.
pub fn methods(service: &str) -> Result<Methods, ContractError> {
    let refuse = |problem| ContractError {
        method: service.to_owned(),
        problem,
    };
    let service = POOL
        .get_service_by_name(service)
        .ok_or_else(|| refuse("the contracts have no such service"))?;
    service.methods().map(|method| read(&service, &method)).collect()
}

/// The methods of every service of the exchange.
pub fn all_methods() -> Result<Methods, ContractError> {
    let ours = POOL
        .services()
        .filter(|service| service.full_name().starts_with("aex."));
    let mut all = Methods::new();
    for service in ours {
        all.extend(methods(service.full_name())?);
    }
    Ok(all)
}

fn read(
    service: &ServiceDescriptor,
    method: &MethodDescriptor,
) -> Result<(String, Arc<Method>), ContractError> {
    let name = format!("{}/{}", service.full_name(), method.name());
    let refuse = |problem| ContractError {
        method: name.clone(),
        problem,
    };
    let access = option(method).ok_or_else(|| refuse("has no access rule"))?;
    let audience: Vec<_> = access.audience().collect();
    if audience.is_empty() || audience.contains(&Audience::Unspecified) {
        return Err(refuse("its access rule admits nobody in particular"));
    }
    if audience.contains(&Audience::Peers) == access.callers.is_empty() {
        return Err(refuse("names callers if and only if peers may call"));
    }
    let level = method
        .method_descriptor_proto()
        .options
        .as_ref()
        .map(prost_types::MethodOptions::idempotency_level);
    let is_query = level == Some(prost_types::method_options::IdempotencyLevel::NoSideEffects);
    let is_idempotent = level == Some(prost_types::method_options::IdempotencyLevel::Idempotent);
    let is_keyed = method.input().get_field_by_name("idempotency_key").is_some();
    let rule = Method {
        path: format!("/{name}"),
        audience,
        max_message_bytes: access.max_message_bytes.unwrap_or(DEFAULT_MESSAGE_BYTES) as usize,
        deadline: Duration::from_millis(access.deadline_ms.unwrap_or(DEFAULT_DEADLINE_MS).into()),
        scopes: access.scopes,
        callers: access.callers,
        is_repeatable: is_query || is_idempotent || is_keyed,
        is_query,
        is_watch: method.is_server_streaming(),
        name,
    };
    Ok((rule.path.clone(), Arc::new(rule)))
}

fn option(method: &MethodDescriptor) -> Option<Access> {
    let extension = POOL.get_extension_by_name("aex.common.v1.access")?;
    let options = method.options();
    if !options.has_extension(&extension) {
        return None;
    }
    let value = options.get_extension(&extension);
    Access::decode(value.as_message()?.encode_to_vec().as_slice()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_method_of_the_contracts_has_a_rule() {
        let methods = all_methods().unwrap();
        let verify = &methods["/aex.identity.v1.IdentityService/VerifyApiKey"];
        assert_eq!(
            (verify.callers.as_slice(), verify.is_query),
            (["gateway".to_owned()].as_slice(), true)
        );
        assert!(!methods["/aex.identity.v1.IdentityService/SuspendTenant"].is_query);
    }
}
