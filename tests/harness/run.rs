//! Running programs in tests: loud about every failure.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

/// Runs a program; panics with all it said unless it succeeds. Gives its standard output.
pub fn run<S: AsRef<OsStr>>(argv: &[S]) -> String {
    let out = try_run(argv);
    let (stdout, stderr) = (String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    let line: Vec<_> = argv.iter().map(|a| a.as_ref().to_string_lossy()).collect();
    assert!(out.status.success(), "`{}` failed ({}):\n{stdout}\n{stderr}", line.join(" "), out.status);
    stdout.into_owned()
}

/// Runs a program and gives whatever became of it.
pub fn try_run<S: AsRef<OsStr>>(argv: &[S]) -> Output {
    Command::new(&argv[0]).args(&argv[1..]).stdin(Stdio::null()).output().unwrap_or_else(|e| {
        panic!("{} could not be run: {e}", argv[0].as_ref().to_string_lossy());
    })
}

/// Runs a shell script of ours; panics unless it succeeds.
pub fn sh(script: &str) -> String {
    run(&["/bin/sh", "-euc", script])
}

/// A word of a shell.
pub fn quote(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// Waits until something holds; panics with `what` if it does not within the time.
pub fn until(what: &str, time: Duration, mut holds: impl FnMut() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < time, "{what} did not happen within {time:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Where the harness keeps what it has made once: `$NQD_HARNESS_CACHE`, by default /var/cache/nqd-harness.
pub fn cache() -> PathBuf {
    let dir = std::env::var_os("NQD_HARNESS_CACHE")
        .map_or_else(|| PathBuf::from("/var/cache/nqd-harness"), PathBuf::from);
    std::fs::create_dir_all(&dir).unwrap();
    dir
}
