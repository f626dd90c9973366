//! What watchers of contracts are told.

use std::collections::BTreeSet;

use aex_store::Tx;

use crate::{convert, domain::contract::Contract};

/// Tells the watchers of a contract, and those of all contracts of its parties, how it stands since. The caller holds the
/// contract's row.
pub(crate) fn tell(tx: &mut Tx<'_>, contract: &Contract) {
    let terms = &contract.terms;
    let mut parties = BTreeSet::from([terms.consumer_id.uuid()]);
    if contract.status.is_known_to_provider() {
        parties.extend([terms.provider_tenant_id.uuid(), terms.provider_id.uuid()]);
    }
    tx.tell(contract.id.uuid(), &convert::told_of_one(contract));
    tx.tell_all(parties, &convert::told_of_all(contract));
}
