//! The log of everything that happened: one dense sequence, linked by hash.
