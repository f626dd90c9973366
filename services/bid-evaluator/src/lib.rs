//! Filters, scores, ranks and explains bids.
