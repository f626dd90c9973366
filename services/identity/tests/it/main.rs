//! Identity, tested on a real PostgreSQL, in process and over mutual TLS.

#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    unreachable_pub,
    reason = "what does not hold fails the test"
)]

mod activate_tenant;
mod api_keys;
mod conformance;
mod create_tenant;
mod fixture;
mod get_tenant;
mod list_tenants;
mod replay;
mod suspend_tenant;
mod terminate_tenant;
mod update_tenant;
mod verify_api_key;
