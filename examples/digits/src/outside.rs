//! What a program that trades takes from its machine. It is no service of the exchange, so no runtime hands it a clock.
#![expect(
    clippy::disallowed_methods,
    reason = "outside of the exchange the machine itself gives time, tasks, chance and environment"
)]

use std::{env, future::Future, time::Duration};

use rand::{Rng as _, RngExt as _};
use tokio::{task::JoinHandle, time};

/// Waits.
pub(crate) async fn pause(time: Duration) {
    time::sleep(time).await;
}

/// Goes on beside.
pub(crate) fn beside<T: Send + 'static>(task: impl Future<Output = T> + Send + 'static) -> JoinHandle<T> {
    tokio::spawn(task)
}

/// A variable of the environment, when it is set to something readable.
pub(crate) fn variable(name: &str) -> Option<String> {
    env::var(name).ok()
}

/// Bytes that nobody guesses.
pub(crate) fn secret() -> [u8; 32] {
    let mut bytes = [0; 32];
    rand::rng().fill_bytes(&mut bytes);
    bytes
}

/// A little less than a span, by chance, so that many who wait do not come back together.
pub(crate) fn about(span: Duration) -> Duration {
    span.mul_f64(rand::rng().random_range(0.7..1.0))
}
