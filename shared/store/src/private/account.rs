//! The account of the machine that Postgres runs as: ourselves, or as root somebody harmless.

use std::fs::{self, Metadata, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::{Search, Trouble};

/// The accounts that root steps down to, best first.
const HARMLESS: [&str; 2] = ["postgres", "nobody"];
/// The number of `nobody` where `/etc/passwd` names neither.
const NOBODY: Ids = Ids {
    uid: 65534,
    gid: 65534,
};
/// Runs a program, and on the side a shell that interrupts it when the other end of their standard input
/// closes without a word. It does so again and again: a job in the background of a script begins with
/// interrupts ignored.
const WATCHED: &str = r#"exec 3<&0
((read -r word <&3 || while kill -INT $$; do sleep 1 || exit; done) >/dev/null 2>&1 &)
exec "$@" </dev/null 3<&-"#;

#[derive(Clone, Copy, Debug)]
struct Ids {
    uid: u32,
    gid: u32,
}

/// Who runs the programs of Postgres, and how to become them.
#[derive(Debug)]
pub(super) struct Account {
    ids: Ids,
    /// Whether we are root, and the account is another one.
    steps_down: bool,
    setpriv: Option<PathBuf>,
}

impl Account {
    /// The owner of the cluster if there is one, else the account that shall own it.
    pub(super) fn choose(cluster: &Path, search: &Search) -> Result<Self, Trouble> {
        let uid = rustix::process::geteuid().as_raw();
        let steps_down = uid == 0;
        let wanted = if steps_down {
            harmless()
        } else {
            Ids {
                uid,
                gid: rustix::process::getegid().as_raw(),
            }
        };
        let ids = match fs::metadata(cluster) {
            Ok(found) if found.uid() == wanted.uid || (steps_down && found.uid() != 0) => Ids {
                uid: found.uid(),
                gid: found.gid(),
            },
            Ok(found) => {
                let path = cluster.to_path_buf();
                return Err(Trouble::Foreign {
                    path,
                    owner: found.uid(),
                    uid: wanted.uid,
                });
            }
            Err(_) => wanted,
        };
        let setpriv = search.program("setpriv").filter(|found| knows_pdeathsig(found));
        Ok(Self {
            ids,
            steps_down,
            setpriv,
        })
    }

    pub(super) fn uid(&self) -> u32 {
        self.ids.uid
    }

    /// A command that runs as the account, in no folder of ours, with nothing of our environment.
    ///
    /// `setpriv` gives up root first and asks for the signal at its parent's death then: the kernel forgets
    /// the signal when the user changes.
    pub(super) fn command(&self, program: &Path) -> Command {
        let Ids { uid, gid } = self.ids;
        let mut command = Command::new(self.setpriv.as_deref().unwrap_or(program));
        if self.setpriv.is_some() {
            if self.steps_down {
                command
                    .arg(format!("--reuid={uid}"))
                    .arg(format!("--regid={gid}"))
                    .arg("--clear-groups");
            }
            command.args(["--pdeathsig=INT", "--"]).arg(program);
        } else if self.steps_down {
            command.gid(gid).uid(uid);
        }
        command
            .env_clear()
            .env("LC_ALL", "C")
            .current_dir("/")
            .stdin(Stdio::null());
        // In a process group of its own the server does not get the terminal's Ctrl-C: it is to stop after
        // the services, not before.
        command.process_group(0);
        command
    }

    /// A [`command`](Self::command) that is interrupted when this process ends, however it ends and however
    /// soon. The kernel does it where `setpriv` can ask for that, and a shell does it everywhere, from the
    /// first moment on. The caller keeps the pipe, and writes a line to it when the program has ended.
    pub(super) fn tied_command(&self, program: &Path) -> Command {
        let mut command = self.command(Path::new("/bin/sh"));
        command
            .stdin(Stdio::piped())
            .args(["-c", WATCHED, "sh"])
            .arg(program);
        command
    }

    /// Makes a folder of ours the account's, closed to all others but root.
    pub(super) fn hand_over(&self, folder: &Path) -> Result<(), Trouble> {
        fs::set_permissions(folder, Permissions::from_mode(0o700)).map_err(Trouble::at(folder))?;
        if self.steps_down {
            chown(folder, Some(self.ids.uid), Some(self.ids.gid)).map_err(Trouble::at(folder))?;
        }
        Ok(())
    }

    /// Lets the account pass through a folder that stays ours.
    pub(super) fn let_through(&self, folder: &Path) -> Result<(), Trouble> {
        if self.steps_down {
            let mode = fs::metadata(folder).map_err(Trouble::at(folder))?.mode() | 0o111;
            fs::set_permissions(folder, Permissions::from_mode(mode)).map_err(Trouble::at(folder))?;
        }
        self.check_reach(folder)
    }

    /// Refuses a folder when the account may not pass it, or one on the way to it.
    pub(super) fn check_reach(&self, folder: &Path) -> Result<(), Trouble> {
        if !self.steps_down {
            return Ok(());
        }
        for on_the_way in folder.ancestors() {
            let found = fs::metadata(on_the_way).map_err(Trouble::at(on_the_way))?;
            if !self.may_pass(&found) {
                let (path, closed) = (folder.to_path_buf(), on_the_way.to_path_buf());
                return Err(Trouble::Unreachable {
                    path,
                    closed,
                    uid: self.ids.uid,
                });
            }
        }
        Ok(())
    }

    fn may_pass(&self, folder: &Metadata) -> bool {
        let execute = match (folder.uid() == self.ids.uid, folder.gid() == self.ids.gid) {
            (true, _) => 0o100,
            (false, true) => 0o010,
            (false, false) => 0o001,
        };
        folder.mode() & execute != 0
    }
}

fn harmless() -> Ids {
    let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
    HARMLESS
        .into_iter()
        .find_map(|name| ids_of(name, &passwd))
        .unwrap_or(NOBODY)
}

/// The numbers of `name` in the text of `/etc/passwd`, unless they are root's.
fn ids_of(name: &str, passwd: &str) -> Option<Ids> {
    let mut lines = passwd.lines().map(|line| line.split(':'));
    let mut fields = lines.find_map(|mut fields| (fields.next() == Some(name)).then_some(fields))?;
    let ids = Ids {
        uid: fields.nth(1)?.parse().ok()?,
        gid: fields.next()?.parse().ok()?,
    };
    (ids.uid != 0).then_some(ids)
}

/// Whether this `setpriv` can ask for the signal. That of busybox cannot, nor that of util-linux before
/// 2018.
fn knows_pdeathsig(setpriv: &Path) -> bool {
    let asked = Command::new(setpriv)
        .args(["--pdeathsig=INT", "--version"])
        .output();
    asked.is_ok_and(|answer| answer.status.success())
}
