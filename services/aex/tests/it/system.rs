//! The exchange as a whole, in both of its shapes: one process, and every service a process of its own.

mod refusals;
mod site;
mod walkthroughs;

pub use site::{exchange, until};

/// Makes two tests of each function: on an exchange in one process, and on one of processes. An exchange that a test
/// was well on must have stayed well itself.
macro_rules! in_both_shapes {
    ($($name:ident)*) => {
        mod in_one_process {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                let site = crate::system::site::Site::in_one_process().await;
                super::$name(&site).await;
                site.close().await;
            })*
        }

        mod in_processes {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                let site = crate::system::site::Site::in_processes().await;
                super::$name(&site).await;
                site.close().await;
            })*
        }
    };
}
use in_both_shapes;
