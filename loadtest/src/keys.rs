//! Idempotency keys. A load that uses one twice measures replays and not work, so every key is remembered and compared.

use std::{
    collections::HashSet,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use aex_kit::Runtime;

use crate::problem::Problem;

/// The keys of one run.
#[derive(Debug, Clone)]
pub(crate) struct Keys(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    run: u64,
    next: AtomicU64,
    used: Mutex<HashSet<String>>,
}

impl Keys {
    /// Keys that no other run has.
    pub(crate) fn new(runtime: &Runtime) -> Self {
        Self(Arc::new(Inner {
            run: runtime.with_rng(rand::RngExt::random),
            next: AtomicU64::new(0),
            used: Mutex::default(),
        }))
    }

    /// One more.
    pub(crate) fn one(&self, step: &str) -> String {
        let number = self.0.next.fetch_add(1, Ordering::Relaxed);
        let key = format!("{step}-{:016x}-{number}", self.0.run);
        self.used().insert(key.clone());
        key
    }

    /// Were all of them different? Answers how many there were.
    pub(crate) fn check(&self) -> Result<u64, Problem> {
        let (drawn, different) = (self.0.next.load(Ordering::Relaxed), self.used().len());
        if usize::try_from(drawn) == Ok(different) {
            Ok(drawn)
        } else {
            Err(Problem::new(format!(
                "of {drawn} idempotency keys {different} were different"
            )))
        }
    }

    fn used(&self) -> std::sync::MutexGuard<'_, HashSet<String>> {
        self.0.used.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
