//! What the processes of an exchange spend on the processor. Unlike a rate it hardly depends on who else uses the machine.

use std::{collections::BTreeMap, fs};

use aex_testkit::{Fleet, fleet::SERVICES};

/// Ticks of the kernel's clock in a second, as every Linux has them.
const TICKS: f64 = 100.0;
/// The name under which the database's processes are counted together.
const DATABASE: &str = "postgres";
const LOAD: &str = "load";

/// Seconds by process, at one moment.
#[derive(Debug, Clone)]
pub(crate) struct Spent(BTreeMap<&'static str, f64>);

impl Spent {
    /// Reads them.
    pub(crate) fn by(fleet: &Fleet) -> Self {
        let mut spent: BTreeMap<_, _> = SERVICES
            .iter()
            .map(|(service, _)| (*service, seconds(fleet.pid(service))))
            .collect();
        spent.insert(DATABASE, family(fleet.postgres().pid()));
        spent.insert(LOAD, seconds(std::process::id()));
        Self(spent)
    }

    /// Milliseconds since, for each of so many: all but the load, and one by one.
    pub(crate) fn since(&self, before: &Self, number: u32) -> String {
        let each = |name: &&'static str| {
            let at = |spent: &Self| spent.0.get(name).copied().unwrap_or_default();
            (at(self) - at(before)) * 1000.0 / f64::from(number.max(1))
        };
        let names: Vec<_> = self.0.keys().copied().collect();
        let whole: f64 = names.iter().filter(|name| **name != LOAD).map(&each).sum();
        let parts: Vec<_> = names
            .iter()
            .map(|name| format!("{name} {:.2}", each(name)))
            .collect();
        format!("{whole:.2} ms of processor ({})", parts.join(", "))
    }
}

/// A process and those of its children that have ended.
fn seconds(pid: u32) -> f64 {
    in_seconds(ticks(pid))
}

/// A process and all of its children.
fn family(pid: u32) -> f64 {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let children = processes.filter_map(|entry| {
        let child: u32 = entry.file_name().to_str()?.parse().ok()?;
        (field(child, 1)? == u64::from(pid)).then_some(child)
    });
    in_seconds(ticks(pid) + children.map(ticks).sum::<u64>())
}

fn in_seconds(ticks: u64) -> f64 {
    f64::from(u32::try_from(ticks).unwrap_or(u32::MAX)) / TICKS
}

fn ticks(pid: u32) -> u64 {
    // User and system time, and both again of the children that were waited for.
    (11..=14).filter_map(|place| field(pid, place)).sum()
}

/// A number of `stat`, counted from the state, which follows the name in brackets.
fn field(pid: u32, place: usize) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, fields) = stat.rsplit_once(')')?;
    fields.split_whitespace().nth(place)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_works_spends_time() {
        let own = std::process::id();
        let before = ticks(own);
        let mut sum = 0_u64;
        while ticks(own) == before {
            sum = sum.wrapping_add(1);
        }
        assert!(sum > 0 && ticks(own) > before);
        assert_eq!(
            field(own, 1),
            Some(u64::from(std::os::unix::process::parent_id()))
        );
    }
}
