//! Who may call a method, and who is refused before anything is looked up.

use aex_kit::{TenantType, access::Method};
use aex_proto::{aex::common::v1::Audience, prost_reflect::MethodDescriptor};
use tonic::Code;

use super::{Conforms, Suite};
use crate::{Refused, Who, principal};

impl<S: Conforms> Suite<'_, S> {
    /// Everyone that the rule does not name is refused before anything is looked up.
    pub(super) async fn access(
        &mut self,
        method: &MethodDescriptor,
        rule: &Method,
        valid: &Who,
        bytes: &[u8],
    ) {
        for (who, expected) in self.strangers(rule, valid) {
            let refused = self.call(&who, rule, bytes.to_vec()).await.map_err(Refused::from);
            let got = refused.as_ref().err().map(|refused| refused.code);
            if got != Some(expected) {
                self.fail(method, format!("{who:?}: {refused:?} where {expected:?} is due"));
            }
        }
    }

    fn strangers(&self, rule: &Method, valid: &Who) -> Vec<(Who, Code)> {
        let admits = |audience| rule.audience.contains(&audience);
        let for_tenants = [Audience::Tenant, Audience::Requestor, Audience::Provider]
            .into_iter()
            .any(admits);
        let mut strangers = Vec::new();
        if !admits(Audience::Public) && !rule.callers.iter().any(|caller| caller == "gateway") {
            strangers.push((Who::Anyone, Code::Unauthenticated));
        }
        if !admits(Audience::Operator) {
            strangers.push((Who::Operator, Code::PermissionDenied));
        }
        for service in ["identity", "settlement", "contract-engine", "nobody"] {
            if !rule.callers.iter().any(|caller| caller == service) {
                strangers.push((Who::Service(service), Code::PermissionDenied));
            }
        }
        let tenant = principal(self.service.world());
        if !for_tenants && !admits(Audience::Public) {
            strangers.push((Who::Tenant(tenant.clone()), Code::PermissionDenied));
        }
        if for_tenants && !rule.scopes.is_empty() {
            strangers.push((
                Who::Tenant(aex_kit::Principal {
                    scopes: vec!["none:none".to_owned()],
                    ..tenant.clone()
                }),
                Code::PermissionDenied,
            ));
        }
        if let Who::Tenant(valid) = valid {
            let wrong = match (
                admits(Audience::Requestor),
                admits(Audience::Provider),
                admits(Audience::Tenant),
            ) {
                (true, false, false) => Some(TenantType::Provider),
                (false, true, false) => Some(TenantType::Requestor),
                _ => None,
            };
            strangers.extend(wrong.map(|tenant_type| {
                (
                    Who::Tenant(aex_kit::Principal {
                        tenant_type,
                        ..valid.clone()
                    }),
                    Code::PermissionDenied,
                )
            }));
        }
        strangers
    }
}
