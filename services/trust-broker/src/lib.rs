//! Trust that follows what really happened.
