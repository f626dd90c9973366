//! What watchers of contracts are told.

use std::collections::BTreeSet;

use aex_store::{Failure, Tx};
use prost::Message as _;

use crate::{convert, domain::contract::Contract};

/// Tells the watchers of a contract, and those of all contracts of its parties, how it stands since. The caller holds the
/// contract's row; the parties are told last, and always in one order.
pub(crate) async fn tell(tx: &mut Tx<'_>, contract: &Contract) -> Result<(), Failure> {
    let terms = &contract.terms;
    let mut parties = BTreeSet::from([terms.consumer_id.uuid()]);
    if contract.status.is_known_to_provider() {
        parties.extend([terms.provider_tenant_id.uuid(), terms.provider_id.uuid()]);
    }
    let of_one = convert::told_of_one(contract).encode_to_vec();
    let of_all = convert::told_of_all(contract).encode_to_vec();
    let mut told = vec![(contract.id.uuid(), of_one)];
    told.extend(parties.into_iter().map(|party| (party, of_all.clone())));
    tx.tell_each(&told).await
}
