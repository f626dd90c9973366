//! What a day says while it goes on: a bar on a terminal, lines elsewhere.

use std::io::{IsTerminal as _, Write as _};

use indicatif::{ProgressBar, ProgressStyle};

/// Works between two lines.
const LINES: usize = 10;

/// The progress of a day, on standard error.
pub(crate) struct Progress {
    bar: Option<ProgressBar>,
    works: u32,
    is_silent: bool,
}

impl Progress {
    /// For a day of so many works; silent when only JSON is asked for.
    pub(crate) fn new(works: u32, is_silent: bool) -> Self {
        let is_terminal = std::io::stderr().is_terminal() && !is_silent;
        let bar = is_terminal.then(|| {
            let bar = ProgressBar::new(u64::from(works));
            let style = ProgressStyle::with_template("{bar:40} {pos}/{len} works {elapsed}");
            bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
        });
        Self {
            bar,
            works,
            is_silent,
        }
    }

    /// Says something.
    pub(crate) fn say(&self, words: &str) {
        match &self.bar {
            Some(bar) => bar.println(words),
            None if self.is_silent => {}
            None => line(words),
        }
    }

    /// So many works have ended.
    pub(crate) fn traded(&self, works: usize) {
        match &self.bar {
            Some(bar) => bar.set_position(u64::try_from(works).unwrap_or(u64::MAX)),
            None if works.is_multiple_of(LINES) => self.say(&format!("{works} of {} works", self.works)),
            None => {}
        }
    }

    /// All have ended.
    pub(crate) fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// Whoever has closed the pipe does not want to know.
fn line(words: &str) {
    let _ = writeln!(std::io::stderr(), "{words}");
}

/// The result, on standard output.
pub(crate) fn print(text: &str) -> Result<(), String> {
    writeln!(std::io::stdout(), "{text}").map_err(|error| format!("standard output: {error}"))
}

/// Why it failed, in one line on standard error.
pub(crate) fn fail(problem: &str) {
    line(&format!("aex-digits: {problem}"));
}
