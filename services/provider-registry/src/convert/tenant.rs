//! What identity tells of tenants.

use aex_proto::aex::{common::v1::Event as Stored, identity::v1 as identity};
use aex_store::{Failure, stored};
use aex_types::TenantId;

use crate::domain::provider::Standing;

/// Which tenant an event is about, and how that stands now.
pub(crate) fn standing(event: &Stored) -> Result<(TenantId, Standing), Failure> {
    let read = || {
        let standing = match event.r#type.as_str() {
            "tenant.suspended" => {
                let told: identity::TenantSuspended = stored::payload(event)?;
                Standing::Stopped(told.reason.parse().ok()?)
            }
            "tenant.terminated" => {
                let told: identity::TenantTerminated = stored::payload(event)?;
                Standing::Stopped(told.reason.parse().ok()?)
            }
            "tenant.activated" => Standing::Active,
            _ => return None,
        };
        Some((event.aggregate_id.parse().ok()?, standing))
    };
    read().ok_or_else(|| stored::unreadable(event))
}
