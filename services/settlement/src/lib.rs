//! Money: double entry, escrow, settlement, statements.
