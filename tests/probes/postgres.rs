//! `postgres`, against Debian's server, started here by an unprivileged user on a socket of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nqd::health::ProbeStatus::{self, Fail, Pass};
use serde_json::{Value, json};

use crate::{Row, is_root, output, probe};

pub fn rows() -> Vec<Row> {
    let missing = programs().is_none().then(|| "Debian's postgresql is not installed".to_owned());
    vec![
        ("postgres_answers_or_says_why_not", answers, missing.clone()),
        ("postgres_extensions_are_there_and_load", extensions, missing.clone()),
        ("postgres_that_hangs_fails_within_the_time", hangs, missing.clone()),
        ("postgres_that_waits_for_a_lock_is_left_alone", waits, missing),
    ]
}

/// Where initdb and the server lie: the newest that is installed.
fn programs() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").ok()?;
    let with = versions.filter_map(|v| Some(v.ok()?.path().join("bin")));
    with.filter(|bin| bin.join("initdb").exists()).max()
}

/// A server. It is gone when this is dropped.
struct Server {
    dir: tempfile::TempDir,
    bin: PathBuf,
    user: String,
}

impl Server {
    fn start() -> Self {
        let user = if is_root() { "postgres".to_owned() } else { output("id", &["-un"]) };
        let dir = tempfile::Builder::new().prefix("nqd-pg-").tempdir_in("/tmp").unwrap();
        output("chown", &[&user, dir.path().to_str().unwrap()]);
        let server = Self { dir, bin: programs().unwrap(), user };
        let (data, user) = (server.data(), format!("--username={}", server.user));
        server.run("initdb", &["--auth=peer", "--no-sync", &user, "--pgdata", &data]);
        // No TCP: nothing else on this machine sees it.
        let options = format!("-k {} -c listen_addresses= -c fsync=off", server.socket());
        server.run(
            "pg_ctl",
            &["--pgdata", &data, "--wait", "--log", &format!("{data}/log"), "-o", &options, "start"],
        );
        server
    }

    fn socket(&self) -> String {
        self.dir.path().to_str().unwrap().to_owned()
    }

    fn data(&self) -> String {
        format!("{}/data", self.socket())
    }

    /// One of its programs, as its user.
    fn run(&self, program: &str, args: &[&str]) {
        let program = self.bin.join(program);
        let mut command = if is_root() {
            let mut command = Command::new("setpriv");
            let group = output("id", &["-g", &self.user]);
            command.args([format!("--reuid={}", self.user), format!("--regid={group}")]);
            command.args(["--clear-groups", "--"]).arg(program);
            command
        } else {
            Command::new(program)
        };
        // No pipes: the server keeps what it inherits.
        let log = tempfile::NamedTempFile::new().unwrap();
        let (out, err) = (Stdio::from(log.reopen().unwrap()), Stdio::from(log.reopen().unwrap()));
        let status =
            command.args(args).current_dir("/").stdin(Stdio::null()).stdout(out).stderr(err).status();
        let said = fs::read_to_string(log.path()).unwrap();
        assert!(status.unwrap().success(), "{args:?}: {said}");
    }

    fn sql(&self, sql: &str) {
        self.run(
            "psql",
            &["-X", "-w", "-h", &self.socket(), "-d", "postgres", "-v", "ON_ERROR_STOP=1", "-c", sql],
        );
    }

    /// What a probe says; `more` overrides.
    fn probe(&self, more: &Value) -> (ProbeStatus, String) {
        let mut kind = json!({
            "kind": "postgres", "program": self.bin.join("psql"), "socketDirectory": self.socket(), "user": self.user,
        });
        kind.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let answer = probe(&kind, 3.0);
        (answer.status, answer.message)
    }

    fn expect(&self, more: &Value, status: ProbeStatus, says: &str) {
        let (got, message) = self.probe(more);
        assert_eq!(got, status, "{more}: {message}");
        assert!(message.contains(says), "{more}: {message}");
        assert!(!message.contains('\n') && message.len() < 400, "{more}: {message}");
    }

    fn process(&self) -> String {
        let text = fs::read_to_string(Path::new(&self.data()).join("postmaster.pid")).unwrap();
        text.lines().next().unwrap().to_owned()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.run("pg_ctl", &["--pgdata", &self.data(), "--mode=immediate", "stop"]);
    }
}

fn answers() {
    let server = Server::start();
    server.expect(&json!({}), Pass, "PostgreSQL 1");
    server.expect(&json!({ "database": "metrics" }), Fail, "\"metrics\" does not exist");
    server.expect(&json!({ "port": 5999 }), Fail, "No such file or directory");
    server.expect(&json!({ "program": "/no/such/psql" }), Fail, "/no/such/psql exited with 127");
    server.sql("CREATE DATABASE metrics");
    server.expect(&json!({ "database": "metrics" }), Pass, "PostgreSQL 1");
    server.sql("ALTER DATABASE metrics ALLOW_CONNECTIONS false");
    server.expect(&json!({ "database": "metrics" }), Fail, "not currently accepting connections");
    if is_root() {
        // The server asks the kernel who is there.
        server.expect(&json!({ "user": "nobody" }), Fail, "role \"nobody\" does not exist");
    }
}

fn extensions() {
    let server = Server::start();
    let both = json!({ "extensions": ["hstore", "uuid-ossp"] });
    server.expect(&both, Fail, "the database postgres has no extension hstore");
    server.sql("CREATE EXTENSION hstore; CREATE EXTENSION \"uuid-ossp\"");
    server.expect(&both, Pass, ", hstore 1.");
    // Without a library of its own: there is nothing to load.
    server.sql("CREATE EXTENSION intagg");
    server.expect(&json!({ "extensions": ["intagg"] }), Pass, "intagg");
    // As after an upgrade that has left the old version's library behind.
    server.sql("UPDATE pg_proc SET probin = '$libdir/hstore-1.0' WHERE probin = '$libdir/hstore'");
    server.expect(&both, Fail, "could not access file \"$libdir/hstore-1.0\"");
    server.expect(&json!({ "extensions": ["uuid-ossp"] }), Pass, "uuid-ossp");
    server.expect(&json!({}), Pass, "PostgreSQL");
    if is_root() {
        // LOAD is a superuser's.
        server.sql("CREATE ROLE nobody LOGIN");
        server.expect(&json!({ "user": "nobody", "extensions": ["uuid-ossp"] }), Fail, "is not allowed");
    }
}

fn hangs() {
    let server = Server::start();
    output("kill", &["-STOP", &server.process()]);
    let started = Instant::now();
    let (status, message) = server.probe(&json!({}));
    let time = started.elapsed();
    output("kill", &["-CONT", &server.process()]);
    assert_eq!(status, Fail, "{message}");
    assert!(message.contains("did not end within 3 s") || message.contains("timeout"), "{message}");
    assert!(time < Duration::from_secs(6), "{time:?}");
}

fn waits() {
    let server = Server::start();
    let hstore = json!({ "extensions": ["hstore"] });
    server.sql("CREATE EXTENSION hstore");
    std::thread::scope(|scope| {
        let held = "BEGIN; LOCK pg_extension; CREATE TABLE held(); SELECT pg_sleep(9)";
        scope.spawn(|| server.sql(held));
        std::thread::sleep(Duration::from_secs(2));
        let started = Instant::now();
        let (status, message) = server.probe(&hstore);
        assert_eq!(status, Fail, "{message}");
        assert!(started.elapsed() < Duration::from_secs(6), "{message}");
        // What was asked does not go on in the server.
        std::thread::sleep(Duration::from_secs(1));
        let left = "DO 'BEGIN ASSERT 0 = (SELECT count(*) FROM pg_stat_activity WHERE application_name = ''nqd-guard''); END'";
        server.sql(left);
    });
    server.expect(&hstore, Pass, "hstore");
}
