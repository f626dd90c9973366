//! What work-publisher decides. No I/O, no wire types.

pub mod payload;
pub mod terms;
pub mod work;
