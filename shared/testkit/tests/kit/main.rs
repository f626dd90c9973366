//! The kit, tested around a service whose handlers do what the test says.

#![expect(unreachable_pub, reason = "a test has no public")]

mod calls;
mod connections;
mod peers;
mod probes;
mod scripted;
