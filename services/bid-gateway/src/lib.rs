//! Bids and their books.
