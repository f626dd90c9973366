//! A small run of the trades, as `--quick` makes it: it ends by itself, without an error, and says its results. Its figures mean
//! nothing. The command `aex` has to lie beside `aex-loadtest`: a build of the workspace puts it there.

#![expect(
    clippy::disallowed_methods,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "what does not hold fails the test"
)]

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
    time::Instant,
};

/// So few that every slice of the first part and of the last has one.
const TRADES: usize = 80;

/// The figures of a result, `RESULT P4 0.97 min 0.95 max 0.98 runs 3`, with its name.
fn result(line: &str) -> (String, [f64; 3], usize) {
    let words: Vec<_> = line.split(' ').collect();
    let ["RESULT", name, middle, "min", least, "max", most, "runs", runs] = words[..] else {
        panic!("{line}");
    };
    let figures = [middle, least, most].map(|figure| figure.parse().unwrap());
    (name.to_owned(), figures, runs.parse().unwrap())
}

#[test]
fn a_quick_run_of_trades_ends_by_itself_with_results_and_without_an_error() {
    let samples = Path::new(env!("CARGO_TARGET_TMPDIR")).join("quick-trades");
    let begun = Instant::now();
    let ended = Command::new(env!("CARGO_BIN_EXE_aex-loadtest"))
        .args(["trades", "--quick", "--trades", &TRADES.to_string(), "--samples"])
        .arg(&samples)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8(ended.stdout).unwrap();
    let complained = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success(), "{said}{complained}");
    println!("{:.1?}: {said}", begun.elapsed());

    let lines = said.lines().filter(|line| line.starts_with("RESULT"));
    let results: Vec<_> = lines.map(result).collect();
    let names: Vec<_> = results.iter().map(|(name, ..)| name.as_str()).collect();
    assert_eq!(names, ["trades", "P4"]);
    for (name, [middle, least, most], runs) in &results {
        assert!(
            0.0 < *least && least <= middle && middle <= most,
            "{name} in {said}"
        );
        assert!(most.is_finite(), "{name} in {said}");
        assert_eq!(*runs, 1, "{name}");
    }
    // Each trade, and each of those before the first part, leaves a work, three bids, a contract and a hold.
    let acknowledged = format!("{} acknowledged", (TRADES + TRADES / 10) * 6);
    for words in [acknowledged.as_str(), "nothing is broken"] {
        assert!(said.contains(words), "{words} in {said}");
    }
    let samples = fs::read_to_string(samples.join("trades-1.tsv")).unwrap();
    assert!(samples.contains("last 8\t"), "{samples}");
}
