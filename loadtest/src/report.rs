//! What is printed, and what is written down.

use std::{
    fmt::Display,
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
    time::Duration,
};

use hdrhistogram::Histogram;

use crate::problem::Problem;

/// Prints a line.
pub(crate) fn say(line: impl Display) {
    // Nobody who closed the output misses it.
    let _ = writeln!(io::stdout(), "{line}");
}

/// The samples of a scenario: tab-separated lines under a heading, in a file of their own.
#[derive(Debug)]
pub(crate) struct Samples {
    file: io::BufWriter<File>,
    path: PathBuf,
}

impl Samples {
    pub(crate) fn create(folder: &Path, name: &str, machine: &str, heading: &str) -> Result<Self, Problem> {
        fs::create_dir_all(folder)?;
        let path = folder.join(format!("{name}.tsv"));
        let mut file = io::BufWriter::new(File::create(&path)?);
        writeln!(file, "# {machine}\n{heading}")?;
        Ok(Self { file, path })
    }

    pub(crate) fn line(&mut self, line: impl Display) -> Result<(), Problem> {
        Ok(writeln!(self.file, "{line}")?)
    }

    /// Where they are.
    pub(crate) fn close(mut self) -> Result<PathBuf, Problem> {
        self.file.flush()?;
        Ok(self.path)
    }
}

/// The line of a result: the median of the runs, and what lies at both ends of them.
pub(crate) fn result(name: &str, runs: &[f64], digits: usize) -> String {
    let mut sorted = runs.to_vec();
    sorted.sort_by(f64::total_cmp);
    let (least, most) = (sorted.first().copied(), sorted.last().copied());
    format!(
        "RESULT {name} {:.digits$} min {:.digits$} max {:.digits$} runs {}",
        median(runs),
        least.unwrap_or(f64::NAN),
        most.unwrap_or(f64::NAN),
        runs.len()
    )
}

/// The one in the middle, or the mean of the two.
pub(crate) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    let at = |place: usize| sorted.get(place).copied();
    match (at(middle.wrapping_sub(1)), at(middle)) {
        (Some(lower), Some(upper)) if sorted.len().is_multiple_of(2) => f64::midpoint(lower, upper),
        (_, Some(value)) => value,
        _ => f64::NAN,
    }
}

/// Milliseconds at the half, at 99 % and at the end.
pub(crate) fn latencies(times: &Histogram<u64>) -> String {
    format!(
        "p50 {:.2} ms  p99 {:.2} ms  max {:.2} ms",
        millis(times.value_at_quantile(0.5)),
        millis(times.value_at_quantile(0.99)),
        millis(times.max())
    )
}

/// Nanoseconds, for a histogram.
pub(crate) fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

#[expect(
    clippy::cast_precision_loss,
    reason = "no time of a run has more than 52 bits"
)]
pub(crate) fn millis(micros: u64) -> f64 {
    micros as f64 / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle_of_the_sorted_values() {
        assert!((median(&[3.0, 1.0, 2.0]) - 2.0).abs() < f64::EPSILON);
        assert!((median(&[4.0, 1.0, 2.0, 3.0]) - 2.5).abs() < f64::EPSILON);
        assert!((median(&[7.0]) - 7.0).abs() < f64::EPSILON);
        assert!(median(&[]).is_nan());
    }

    #[test]
    fn a_result_is_one_line_with_both_ends_and_the_number_of_runs() {
        assert_eq!(
            result("P4", &[0.98, 0.95, 0.97], 2),
            "RESULT P4 0.97 min 0.95 max 0.98 runs 3"
        );
    }
}
