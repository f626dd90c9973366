//! Contracts, from the award saga to settlement.
