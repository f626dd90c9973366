//! A settlement for tests: every tenant has the same balance.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use aex_error::wire;
use aex_proto::aex::settlement::v1 as pb;
use aex_testkit::{Double, Script, double};
use aex_types::{Amount, Currency, Money};
use tonic::Code;

/// Answers whether a tenant could pay, and counts how often it was asked.
pub struct Settlement {
    balance_micros: Arc<AtomicU64>,
    script: Script,
}

impl Settlement {
    pub fn new() -> Self {
        Self {
            balance_micros: Arc::new(AtomicU64::new(1_000_000_000)),
            script: Script::default(),
        }
    }

    /// From now on every tenant has so much.
    pub fn set_balance(&self, micros: u64) {
        self.balance_micros.store(micros, Ordering::Relaxed);
    }

    /// How often it was asked.
    pub fn asked(&self) -> usize {
        self.script.times_asked("CheckFunds")
    }

    pub fn played(&self) -> Arc<Double<double::Settlement>> {
        let micros = Arc::clone(&self.balance_micros);
        Arc::new(
            Double::new(&self.script).on("CheckFunds", move |request: pb::CheckFundsRequest| {
                let balance = Money {
                    currency: Currency::USD,
                    amount: Amount::from_micros(micros.load(Ordering::Relaxed)).unwrap(),
                };
                let asked = wire::read_money(&request.amount.unwrap()).unwrap();
                if asked.currency != balance.currency {
                    return Err((Code::InvalidArgument, "CURRENCY_UNSUPPORTED"));
                }
                Ok(pb::CheckFundsResponse {
                    sufficient: asked.amount <= balance.amount,
                    available: Some(wire::money(&balance)),
                })
            }),
        )
    }
}
