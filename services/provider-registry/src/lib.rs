//! Providers, their agents and keys, and the work that is offered to them.
