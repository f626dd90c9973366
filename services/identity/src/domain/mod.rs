//! What identity decides. No I/O, no wire types.

pub mod api_key;
pub mod scope;
pub mod secret;
pub mod tenant;
