//! What was measured on.

use std::{fs, path::Path};

use sqlx::{ConnectOptions as _, postgres::PgConnectOptions};

use crate::problem::Problem;

/// One line: processor, memory, kernel, PostgreSQL, the size of the binary.
pub(crate) async fn line(database: &PgConnectOptions, aex: &Path) -> Result<String, Problem> {
    let mut connection = database.connect().await?;
    let version: String = sqlx::query_scalar("SHOW server_version")
        .fetch_one(&mut connection)
        .await?;
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let field = |file: &str, name: &str| {
        let text = fs::read_to_string(file).unwrap_or_default();
        let line = text.lines().find(|line| line.starts_with(name));
        line.and_then(|line| line.split_once(':'))
            .map_or_else(String::new, |(_, value)| value.trim().to_owned())
    };
    let memory: u64 = field("/proc/meminfo", "MemTotal")
        .trim_end_matches(" kB")
        .parse()
        .unwrap_or_default();
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    Ok(format!(
        "{cores} cores {}, {} GiB, Linux {}, PostgreSQL {version}, aex {:.1} MB ({})",
        field("/proc/cpuinfo", "model name"),
        memory >> 20,
        kernel.trim(),
        f64::from(u32::try_from(fs::metadata(aex)?.len()).unwrap_or(u32::MAX)) / 1e6,
        if cfg!(debug_assertions) {
            "debug"
        } else {
            "release"
        },
    ))
}
