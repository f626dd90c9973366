//! Who may have how many of the calls that a service carries at once. Tenants leave a quarter of them to the services,
//! which ask each other on everybody's behalf, and none has more than a quarter for itself: whoever asks too much at
//! once, or sends half a request again and again, stands in nobody's way but its own.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use aex_types::TenantId;

use crate::Caller;

/// The places of one service, for its calls or for its watches.
#[derive(Debug)]
pub(crate) struct Places {
    all: usize,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    all: usize,
    /// By tenants, and by those who are nobody in particular.
    outside: usize,
    /// By each tenant that has any.
    each: HashMap<TenantId, usize>,
}

impl Places {
    pub(crate) fn new(all: usize) -> Arc<Self> {
        Arc::new(Self {
            all,
            taken: Mutex::default(),
        })
    }

    /// A place for one call, if there is one for this caller.
    pub(crate) fn take(self: &Arc<Self>, caller: &Caller) -> Option<Place> {
        let quarter = self.all / 4;
        let (is_outside, tenant) = match caller {
            Caller::Tenant(principal) => (true, Some(principal.tenant)),
            Caller::Public => (true, None),
            Caller::Operator(_) | Caller::Service(_) => (false, None),
        };
        let mut taken = self.taken();
        let own = tenant.and_then(|tenant| taken.each.get(&tenant).copied());
        let is_full = taken.all >= self.all
            || (is_outside && taken.outside >= self.all - quarter)
            || own.is_some_and(|own| own >= quarter.max(1));
        if is_full {
            return None;
        }
        taken.all += 1;
        taken.outside += usize::from(is_outside);
        if let Some(tenant) = tenant {
            *taken.each.entry(tenant).or_default() += 1;
        }
        drop(taken);
        Some(Place {
            places: Arc::clone(self),
            is_outside,
            tenant,
        })
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place that is taken; it is given back when the call ends.
#[derive(Debug)]
pub(crate) struct Place {
    places: Arc<Places>,
    is_outside: bool,
    tenant: Option<TenantId>,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken();
        taken.all -= 1;
        taken.outside -= usize::from(self.is_outside);
        let Some(tenant) = self.tenant else { return };
        if let Some(own) = taken.each.get_mut(&tenant) {
            *own -= 1;
            if *own == 0 {
                taken.each.remove(&tenant);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use aex_types::Timestamp;
    use rand::{SeedableRng as _, rngs::StdRng};

    use super::*;
    use crate::{Clock, Principal, Runtime, TenantType};

    fn tenants() -> impl FnMut() -> Caller {
        let runtime = Runtime::new(Clock::manual(Timestamp::EPOCH).0, StdRng::seed_from_u64(1));
        move || {
            Caller::Tenant(Principal {
                tenant: runtime.id(),
                tenant_type: TenantType::Both,
                internal: false,
                key: runtime.id(),
                scopes: Vec::new(),
                provider: None,
            })
        }
    }

    #[test]
    fn a_tenant_has_a_quarter_and_all_of_them_leave_a_quarter_to_the_services() {
        let mut tenant = tenants();
        let places = Places::new(8);
        let mut held = Vec::new();
        for _ in 0..3 {
            let one = tenant();
            held.extend(places.take(&one));
            held.extend(places.take(&one));
            assert!(places.take(&one).is_none(), "more than a quarter");
        }
        assert_eq!(held.len(), 6);
        assert!(places.take(&tenant()).is_none() && places.take(&Caller::Public).is_none());
        let service = Caller::Service("contract-engine".to_owned());
        held.extend(places.take(&service));
        held.extend(places.take(&service));
        assert_eq!(held.len(), 8);
        assert!(places.take(&service).is_none());
        held.clear();
        assert!(
            places.taken().each.is_empty(),
            "nothing is kept of those who left"
        );
        assert!(places.take(&tenant()).is_some());
    }

    #[test]
    fn a_single_place_is_everybodys() {
        let mut tenant = tenants();
        let places = Places::new(1);
        let place = places.take(&tenant()).expect("it is free");
        assert!(places.take(&Caller::Operator("ada".to_owned())).is_none());
        drop(place);
        assert!(places.take(&Caller::Operator("ada".to_owned())).is_some());
    }
}
