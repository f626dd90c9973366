//! The supervisor against the Postgres of this machine, as root and as an ordinary user alike.

use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, SystemTime};

use rustix::process::{Pid, Signal, getpgid, kill_process};

use super::account::Account;
use super::binaries::parse_version;
use super::{Options, PORT, PrivateServer, Search, Trouble, now};

#[test]
fn a_first_start_makes_a_cluster_that_only_this_user_reaches() {
    let place = Place::new();
    let server = PrivateServer::start(&place.options()).unwrap();

    assert!(server.is_fresh() && server.is_running());
    assert_eq!(ask(&server, "SELECT 6 * 7").unwrap(), ["42"]);
    let settings = "SELECT string_agg(current_setting(s), ' ' ORDER BY n) FROM unnest(ARRAY[ \
        'listen_addresses', 'data_checksums', 'fsync', 'synchronous_commit', 'full_page_writes', \
        'wal_compression', 'max_connections', \
        'shared_buffers', 'server_encoding', 'timezone', 'jit', 'autovacuum']) WITH ORDINALITY AS t(s, n)";
    assert_eq!(
        ask(&server, settings).unwrap(),
        [" on on on on pglz 200 128MB UTF8 UTC off on"]
    );

    let sockets = fs::metadata(server.socket_dir()).unwrap();
    assert_eq!(sockets.mode() & 0o777, 0o700);
    assert_ne!(sockets.uid(), 0, "PostgreSQL has stepped down from root");
    let pid = Pid::from_raw(i32::try_from(server.pid()).unwrap());
    assert_ne!(
        getpgid(pid).unwrap(),
        getpgid(None).unwrap(),
        "Ctrl-C would stop the server before the services"
    );

    let (sockets, pid) = (server.socket_dir().to_path_buf(), server.pid());
    server.stop();
    assert!(!sockets.exists() && !is_alive(pid));
}

#[test]
fn a_restart_keeps_the_data() {
    let place = Place::new();
    let server = PrivateServer::start(&place.options()).unwrap();
    ask(&server, "CREATE TABLE kept AS SELECT 'all of it' AS what").unwrap();
    server.stop();

    let server = PrivateServer::start(&place.options()).unwrap();
    assert!(!server.is_fresh());
    assert_eq!(ask(&server, "SELECT what FROM kept").unwrap(), ["all of it"]);
}

#[test]
fn a_second_start_on_the_same_folder_is_refused_until_the_first_has_stopped() {
    let place = Place::new();
    let first = PrivateServer::start(&place.options()).unwrap();
    let refused = PrivateServer::start(&place.options()).unwrap_err();
    assert!(
        matches!(&refused, Trouble::DataDirectoryInUse { holder, .. } if *holder == Some(std::process::id())),
        "{refused}"
    );
    assert_eq!(
        ask(&first, "SELECT 1").unwrap(),
        ["1"],
        "the refused start has not disturbed the server"
    );
    drop(first);
    PrivateServer::start(&place.options()).unwrap();
}

#[test]
fn a_killed_process_takes_its_server_along() {
    let place = Place::new();
    kill_the_holder_of(&place.options());
}

#[test]
fn without_setpriv_too_a_killed_process_takes_its_server_along() {
    let place = Place::new();
    kill_the_holder_of(&Options::new(&place.0, without_setpriv()));
}

fn kill_the_holder_of(options: &Options) {
    let mut holder = Holder::start(options);
    let mut busy = connect(&holder.socket_dir);
    send(&mut busy, "CREATE TABLE kept AS SELECT 1; SELECT pg_sleep(600)");
    busy.read_exact(&mut [0]).unwrap();
    assert!(is_alive(holder.server));
    holder.child.kill().unwrap();
    holder.child.wait().unwrap();

    let server = PrivateServer::start(options).unwrap();
    assert!(
        !is_alive(holder.server),
        "the new start has waited for the old server to end"
    );
    assert!(!server.is_fresh());
    let log = fs::read_to_string(server.log()).unwrap();
    assert!(log.contains("received fast shutdown request"), "{log}");
    assert_eq!(ask(&server, "SELECT 1").unwrap(), ["1"]);
}

#[test]
fn a_program_that_missed_the_first_interrupt_gets_another() {
    let account = Account::choose(Path::new("/nonexistent"), &without_setpriv()).unwrap();
    // Tests that run in the background of a script begin with interrupts ignored, which a shell cannot undo by itself.
    let mut command = account.tied_command(Path::new("/usr/bin/env"));
    command.args(["--default-signal=INT", "/bin/sh", "-c"]);
    command.arg("trap 'trap - INT' INT; echo ready; while :; do sleep 0.01; done");
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    child.stdout.take().unwrap().read_exact(&mut [0]).unwrap();
    assert!(child.try_wait().unwrap().is_none());
    drop(child.stdin.take());
    assert!(!child.wait().unwrap().success());
}

#[test]
fn a_socket_folder_that_a_killed_process_left_is_swept() {
    let place = Place::new();
    let server = PrivateServer::start(&place.options()).unwrap();
    let left = server
        .socket_dir()
        .with_file_name(format!("left-{}", server.pid()));
    fs::create_dir(&left).unwrap();
    fs::File::open(&left)
        .unwrap()
        .set_modified(SystemTime::UNIX_EPOCH)
        .unwrap();

    let other = Place::new();
    let other = PrivateServer::start(&other.options()).unwrap();
    assert!(!left.exists());
    for server in [server, other] {
        assert_eq!(ask(&server, "SELECT 1").unwrap(), ["1"], "a folder in use stays");
    }
}

/// Not a test: the process that [`kill_the_holder_of`] kills. Does nothing unless told where by its
/// standard input.
#[test]
#[ignore = "a part of other tests, which run it in a process of its own"]
fn hold_a_server_until_killed() {
    let mut lines = std::io::stdin().lines().map_while(Result::ok);
    let (Some(data_dir), Some(tie)) = (lines.next(), lines.next()) else {
        return;
    };
    let search = if tie == "watcher" {
        without_setpriv()
    } else {
        Search::from_env()
    };
    let server = PrivateServer::start(&Options::new(data_dir, search)).unwrap();
    let mut stdout = std::io::stdout();
    writeln!(
        stdout,
        "\nholding {} {}",
        server.pid(),
        server.socket_dir().display()
    )
    .unwrap();
    loop {
        thread::park();
    }
}

#[test]
fn a_start_after_the_server_alone_was_killed_waits_for_its_children_and_recovers() {
    let place = Place::new();
    let server = PrivateServer::start(&place.options()).unwrap();
    ask(&server, "CREATE TABLE kept AS SELECT 'committed' AS what").unwrap();
    let mut busy = connect(server.socket_dir());
    send(&mut busy, "SELECT pg_sleep(600)");
    let sleeper = "SELECT pid FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(600)'";
    wait_until(|| !ask(&server, sleeper).unwrap().is_empty());
    let sleeper = ask(&server, sleeper).unwrap().remove(0).parse().unwrap();

    signal(sleeper, Signal::STOP);
    signal(server.pid(), Signal::KILL);
    wait_until(|| !server.is_running());
    drop(server);
    let lock = fs::File::open(place.0.join("programs.lock")).unwrap();
    assert!(
        lock.try_lock().is_err(),
        "a child of the dead server may still write to the cluster"
    );
    signal(sleeper, Signal::CONT);

    let server = PrivateServer::start(&place.options()).unwrap();
    assert_eq!(ask(&server, "SELECT what FROM kept").unwrap(), ["committed"]);
}

#[test]
fn a_process_id_that_another_program_has_by_now_does_not_block_the_start() {
    let place = Place::new();
    PrivateServer::start(&place.options()).unwrap().stop();
    let stale = format!("{}\n{}\n", std::process::id(), place.0.join("data").display());
    let pid_file = place.0.join("data/postmaster.pid");
    fs::write(&pid_file, stale).unwrap();
    fs::set_permissions(&pid_file, Permissions::from_mode(0o666)).unwrap();
    PrivateServer::start(&place.options()).unwrap();
}

#[test]
fn a_half_made_cluster_is_swept() {
    let place = Place::new();
    fs::create_dir_all(place.0.join("data.tmp/base")).unwrap();
    fs::write(place.0.join("data.tmp/PG_VERSION"), "15\n").unwrap();
    let server = PrivateServer::start(&place.options()).unwrap();
    assert!(server.is_fresh());
    assert!(!place.0.join("data.tmp").exists());
}

#[test]
fn without_durability_nothing_waits_for_the_disk() {
    let place = Place::new();
    let options = Options {
        durable: false,
        max_connections: 17,
        ..place.options()
    };
    let server = PrivateServer::start(&options).unwrap();
    for (setting, value) in [
        ("fsync", "off"),
        ("synchronous_commit", "off"),
        ("full_page_writes", "off"),
        ("max_connections", "17"),
    ] {
        assert_eq!(
            ask(&server, &format!("SHOW {setting}")).unwrap(),
            [value],
            "{setting}"
        );
    }
}

#[test]
fn starts_at_the_same_time_share_one_template() {
    let cache = Place::new();
    thread::scope(|scope| {
        for durable in [true, false, false] {
            let template_cache = Some(cache.0.clone());
            scope.spawn(move || {
                let place = Place::new();
                let options = Options {
                    durable,
                    template_cache,
                    ..place.options()
                };
                let server = PrivateServer::start(&options).unwrap();
                assert!(server.is_fresh());
                assert_eq!(ask(&server, "SELECT count(*) FROM pg_database").unwrap(), ["3"]);
            });
        }
    });
    let mut kept: Vec<_> = fs::read_dir(&cache.0)
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    kept.sort();
    assert_eq!(kept.len(), 2, "the lock and one template: {kept:?}");
}

#[test]
fn missing_binaries_are_named_with_the_place_and_the_cure() {
    let place = Place::new();
    let search = Search {
        pg_bin: Some("/nonexistent".into()),
        ..Search::from_env()
    };
    let trouble = PrivateServer::start(&Options::new(&place.0, search)).unwrap_err();
    assert!(
        matches!(&trouble, Trouble::NoBinaries { looked_in } if *looked_in == [Path::new("/nonexistent")])
    );
    let said = trouble.to_string();
    assert!(
        said.contains("AEX_PG_BIN") && said.contains("apt-get install postgresql"),
        "{said}"
    );
}

#[test]
fn binaries_of_the_wrong_version_are_refused() {
    let place = Place::new();
    let old = Options::new(&place.0, place.fake_binaries("13.2", "exit 0"));
    let trouble = PrivateServer::start(&old).unwrap_err();
    assert!(matches!(trouble, Trouble::TooOld { major: 13, .. }), "{trouble}");

    PrivateServer::start(&place.options()).unwrap().stop();
    let newer = Options::new(&place.0, place.fake_binaries("99beta1", "exit 0"));
    let trouble = PrivateServer::start(&newer).unwrap_err();
    assert!(
        matches!(trouble, Trouble::OtherMajor { found: 99, .. }),
        "{trouble}"
    );
}

#[test]
fn a_failed_initdb_leaves_nothing_and_says_why() {
    let place = Place::new();
    let broken = Options::new(
        &place.0,
        place.fake_binaries("15.1", "echo 'disk on fire' >&2; exit 1"),
    );
    let trouble = PrivateServer::start(&broken).unwrap_err();
    assert!(
        matches!(&trouble, Trouble::InitFailed { tail, .. } if tail == "disk on fire"),
        "{trouble}"
    );
    assert!(!place.0.join("data").exists() && !place.0.join("data.tmp").exists());

    let nameless =
        "echo 'initdb: error: could not look up effective user ID 7: user does not exist' >&2; exit 1";
    let nameless = Options::new(&place.0, place.fake_binaries("15.1", nameless));
    let trouble = PrivateServer::start(&nameless).unwrap_err();
    assert!(matches!(trouble, Trouble::NoPasswdEntry { .. }), "{trouble}");
}

#[test]
fn a_failed_start_says_what_the_log_says_in_one_line() {
    let place = Place::new();
    PrivateServer::start(&place.options()).unwrap().stop();
    let configuration = place.0.join("data/postgresql.conf");
    let mut file = fs::OpenOptions::new().append(true).open(configuration).unwrap();
    writeln!(file, "work_mem = plenty").unwrap();

    let said = PrivateServer::start(&place.options()).unwrap_err().to_string();
    assert!(
        said.contains("invalid value for parameter \"work_mem\""),
        "{said}"
    );
    assert!(
        !said.contains("database system is shut down"),
        "that was the start before: {said}"
    );
    assert!(!said.contains('\n'), "{said}");
}

#[test]
fn a_folder_that_the_unprivileged_account_cannot_reach_is_named() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let place = Place::new();
    let closed = place.0.join("closed");
    fs::create_dir_all(&closed).unwrap();
    fs::set_permissions(&closed, Permissions::from_mode(0o700)).unwrap();
    let trouble = PrivateServer::start(&Options::new(closed.join("aex"), Search::from_env())).unwrap_err();
    assert!(
        matches!(&trouble, Trouble::Unreachable { closed: named, .. } if *named == closed),
        "{trouble}"
    );
}

#[test]
fn a_cluster_of_another_user_is_refused() {
    let place = Place::new();
    // Root finds a cluster of root's, which Postgres would refuse; any other user finds one that root has
    // made.
    std::os::unix::fs::symlink("/usr", place.0.join("data")).unwrap();
    let trouble = PrivateServer::start(&place.options()).unwrap_err();
    assert!(matches!(trouble, Trouble::Foreign { owner: 0, .. }), "{trouble}");
    fs::remove_file(place.0.join("data")).unwrap();
}

#[test]
fn versions_are_read_as_postgres_prints_them() {
    let debian = "initdb (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n";
    assert_eq!(
        parse_version(debian),
        Some(("15.18 (Debian 15.18-0+deb12u1)", 15))
    );
    assert_eq!(
        parse_version("initdb (PostgreSQL) 19devel"),
        Some(("19devel", 19))
    );
    assert_eq!(parse_version("initdb (PostgreSQL) soon"), None);
    assert_eq!(parse_version("pg_ctl (PostgreSQL) 15.1"), None);
}

/// A folder of one test, reachable for the account that root steps down to, removed at the end.
struct Place(PathBuf);

impl Place {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = PathBuf::from(format!("/tmp/aex-private-{}-{number}", std::process::id()));
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn options(&self) -> Options {
        Options::new(&self.0, Search::from_env())
    }

    fn fake_binaries(&self, version: &str, initdb: &str) -> Search {
        let folder = self.0.join(format!("bin-{version}"));
        fs::create_dir_all(&folder).unwrap();
        let initdb = format!("[ $1 != --version ] || exec echo 'initdb (PostgreSQL) {version}'\n{initdb}");
        for (name, script) in [("postgres", "exit 1"), ("initdb", initdb.as_str())] {
            // A shell writes it: while we had it open, another test could fork and keep it busy.
            let write = r#"printf '#!/bin/sh\n%s\n' "$2" > "$1" && chmod 755 "$1""#;
            let written = Command::new("/bin/sh")
                .args(["-c", write, "sh"])
                .arg(folder.join(name))
                .arg(script)
                .status();
            assert!(written.unwrap().success());
        }
        Search {
            pg_bin: Some(folder),
            ..Search::from_env()
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// This test binary once more, holding a server.
struct Holder {
    child: Child,
    server: u32,
    socket_dir: PathBuf,
}

impl Holder {
    fn start(options: &Options) -> Self {
        let (_, module) = module_path!().split_once("::").unwrap();
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "--ignored",
                "--nocapture",
                &format!("{module}::hold_a_server_until_killed"),
            ])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let tie = if options.search.program("setpriv").is_none() {
            "watcher"
        } else {
            "kernel"
        };
        writeln!(
            child.stdin.take().unwrap(),
            "{}\n{tie}",
            options.data_dir.display()
        )
        .unwrap();
        let mut said = BufReader::new(child.stdout.take().unwrap())
            .lines()
            .map(Result::unwrap);
        let said = said
            .find_map(|line| line.strip_prefix("holding ").map(str::to_owned))
            .unwrap();
        let (server, socket_dir) = said.split_once(' ').unwrap();
        Self {
            child,
            server: server.parse().unwrap(),
            socket_dir: socket_dir.into(),
        }
    }
}

fn without_setpriv() -> Search {
    Search {
        path: None,
        ..Search::from_env()
    }
}

fn signal(pid: u32, signal: Signal) {
    kill_process(Pid::from_raw(i32::try_from(pid).unwrap()).unwrap(), signal).unwrap();
}

/// Whether the process still runs a program; one that waits for its status to be collected does not.
fn is_alive(pid: u32) -> bool {
    fs::read_link(format!("/proc/{pid}/exe")).is_ok()
}

#[expect(
    clippy::disallowed_methods,
    reason = "the test watches another process, which keeps to the machine's clock"
)]
fn wait_until(is_done: impl Fn() -> bool) {
    let begun = now();
    while !is_done() {
        assert!(begun.elapsed() < Duration::from_secs(10), "it does not happen");
        thread::sleep(Duration::from_millis(2));
    }
}

/// The first column of what `sql` answers, over a connection of its own.
fn ask(server: &PrivateServer, sql: &str) -> Result<Vec<String>, String> {
    assert_eq!(server.superuser(), "postgres");
    let mut connection = connect(server.socket_dir());
    send(&mut connection, sql);
    let mut rows = Vec::new();
    // The server is ready twice: for the query, and after it.
    let mut ready = 0;
    while ready < 2 {
        let mut head = [0; 5];
        connection
            .read_exact(&mut head)
            .map_err(|error| error.to_string())?;
        let length = u32::from_be_bytes(head[1..].try_into().unwrap());
        let mut body = vec![0; usize::try_from(length).unwrap() - 4];
        connection.read_exact(&mut body).unwrap();
        match head[0] {
            b'E' => return Err(String::from_utf8_lossy(&body).into_owned()),
            b'D' => {
                let length = usize::try_from(u32::from_be_bytes(body[2..6].try_into().unwrap())).unwrap();
                rows.push(String::from_utf8(body[6..6 + length].to_vec()).unwrap());
            }
            b'Z' => ready += 1,
            _ => {}
        }
    }
    Ok(rows)
}

fn connect(socket_dir: &Path) -> UnixStream {
    let mut connection = UnixStream::connect(socket_dir.join(format!(".s.PGSQL.{PORT}"))).unwrap();
    let hello = b"\0\x03\0\0user\0postgres\0database\0postgres\0\0";
    connection
        .write_all(&u32::try_from(hello.len() + 4).unwrap().to_be_bytes())
        .unwrap();
    connection.write_all(hello).unwrap();
    connection
}

fn send(connection: &mut UnixStream, sql: &str) {
    connection.write_all(b"Q").unwrap();
    connection
        .write_all(&u32::try_from(sql.len() + 5).unwrap().to_be_bytes())
        .unwrap();
    connection.write_all(sql.as_bytes()).unwrap();
    connection.write_all(b"\0").unwrap();
}
