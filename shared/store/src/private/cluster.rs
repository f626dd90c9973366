//! Makes clusters, each as a whole or not at all.

use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::account::Account;
use super::binaries::Binaries;
use super::home::{Home, try_lock};
use super::trouble::last_lines;
use super::{Options, SUPERUSER, Trouble};

/// How long another process may take to make the template that we need too.
const TEMPLATE_LIMIT: Duration = Duration::from_mins(1);
/// How every cluster is made. Text sorts by its bytes: the same on every machine, and after every upgrade.
const INITDB: [&str; 7] = [
    "--auth=trust",
    "--encoding=UTF8",
    "--locale=C",
    "--data-checksums",
    "--no-instructions",
    "--username",
    SUPERUSER,
];

/// Makes the cluster of `home` if there is none, and says whether it did.
pub(super) fn furnish(
    home: &Home,
    binaries: &Binaries,
    account: &Account,
    options: &Options,
) -> Result<bool, Trouble> {
    let cluster = home.cluster();
    sweep(&staging(&cluster))?;
    if home.major()?.is_some() {
        return Ok(false);
    }
    let maker = Maker {
        binaries,
        account,
        lock: &home.programs_lock()?,
    };
    match &options.template_cache {
        None => maker.stage(&cluster, |folder| maker.initdb(folder, options.durable))?,
        Some(cache) => {
            let template = template(cache, binaries, account)?;
            maker.stage(&cluster, |folder| maker.copy(&template, folder, options))?;
        }
    }
    Ok(true)
}

/// The template of these programs for this account, made when it is missing.
fn template(cache: &Path, binaries: &Binaries, account: &Account) -> Result<PathBuf, Trouble> {
    fs::create_dir_all(cache).map_err(Trouble::at(cache))?;
    let cache = cache.canonicalize().map_err(Trouble::at(cache))?;
    account.let_through(&cache)?;
    let mut recipe = DefaultHasher::new();
    (binaries.version(), binaries.folder(), INITDB).hash(&mut recipe);
    let template = cache.join(format!("uid{}-{:016x}", account.uid(), recipe.finish()));

    let file = cache.join("lock");
    let busy = || io::Error::new(io::ErrorKind::TimedOut, "another process keeps it locked");
    let lock = try_lock(&file, TEMPLATE_LIMIT)?.ok_or_else(|| Trouble::at(&file)(busy()))?;
    let maker = Maker {
        binaries,
        account,
        lock: &lock,
    };
    if !template.exists() {
        maker.stage(&template, |folder| maker.initdb(folder, true))?;
    }
    Ok(template)
}

/// What it takes to make a cluster. The programs inherit the lock: should this process be killed, nobody
/// works in their folder until they too have ended.
struct Maker<'a> {
    binaries: &'a Binaries,
    account: &'a Account,
    lock: &'a File,
}

impl Maker<'_> {
    /// Fills a folder under another name first, so that it never exists half made.
    fn stage(&self, folder: &Path, fill: impl FnOnce(&Path) -> Result<(), Trouble>) -> Result<(), Trouble> {
        let staging = staging(folder);
        sweep(&staging)?;
        fs::create_dir(&staging).map_err(Trouble::at(&staging))?;
        self.account.hand_over(&staging)?;
        if let Err(trouble) = fill(&staging) {
            sweep(&staging)?;
            return Err(trouble);
        }
        fs::rename(&staging, folder).map_err(Trouble::at(folder))?;
        let parent = folder.parent().unwrap_or(folder);
        File::open(parent)
            .and_then(|parent| parent.sync_all())
            .map_err(Trouble::at(parent))
    }

    fn initdb(&self, folder: &Path, is_synced: bool) -> Result<(), Trouble> {
        let mut command = self.account.command(&self.binaries.initdb());
        command.args(INITDB).arg("--pgdata").arg(folder);
        if !is_synced {
            command.arg("--no-sync");
        }
        self.run(command, folder)
    }

    fn copy(&self, template: &Path, folder: &Path, options: &Options) -> Result<(), Trouble> {
        let cp = options.search.program("cp").unwrap_or_else(|| "/bin/cp".into());
        let mut copy = self.account.command(&cp);
        copy.arg("-a").arg(template.join(".")).arg(folder);
        self.run(copy, folder)?;
        if options.durable {
            let mut sync = self.account.command(&self.binaries.initdb());
            sync.arg("--sync-only").arg("--pgdata").arg(folder);
            self.run(sync, folder)?;
        }
        Ok(())
    }

    fn run(&self, mut command: Command, folder: &Path) -> Result<(), Trouble> {
        command.stdin(self.lock.try_clone().map_err(Trouble::at(folder))?);
        let output = command
            .output()
            .map_err(Trouble::at(Path::new(command.get_program())))?;
        if output.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        if said.contains("could not look up effective user ID") {
            return Err(Trouble::NoPasswdEntry {
                uid: self.account.uid(),
            });
        }
        Err(Trouble::InitFailed {
            path: folder.to_path_buf(),
            tail: last_lines(&said),
        })
    }
}

fn staging(folder: &Path) -> PathBuf {
    folder.with_extension("tmp")
}

fn sweep(staging: &Path) -> Result<(), Trouble> {
    match fs::remove_dir_all(staging) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Trouble::at(staging)(error)),
        _ => Ok(()),
    }
}
