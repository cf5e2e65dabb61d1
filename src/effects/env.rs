//! The environment of the operator's process.
#![allow(clippy::disallowed_methods, reason = "this is where the environment is read")]

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};

/// A variable that is set, not empty, and UTF-8.
pub fn text(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|v| !v.is_empty())
}

/// A variable that holds an absolute path.
pub fn path(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).map(PathBuf::from).filter(|p| p.is_absolute())
}

/// Where this program keeps its state between runs: `$XDG_STATE_HOME/nqd`, by default `~/.local/state/nqd`.
/// `None` where there is no home either, or one that is only a name, as in a build of Nix: to make it would break others.
pub fn state_dir() -> Option<PathBuf> {
    let home = || path("HOME").filter(|h| h.is_dir()).map(|h| h.join(".local/state"));
    let base = path("XDG_STATE_HOME").or_else(home);
    base.map(|b| b.join("nqd"))
}

/// This program's own file, links resolved.
pub fn current_exe() -> std::io::Result<PathBuf> {
    std::env::current_exe()?.canonicalize()
}

/// Whether this process is root's.
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Says to a guard that another one has let it answer in its place.
const DELEGATED: &str = "NQD_DELEGATED";

/// Whether another guard has let this one answer in its place.
pub fn was_delegated() -> bool {
    text(DELEGATED).is_some()
}

/// Puts another guard, run with the same arguments, in the place of this process. Returns only if that fails.
pub fn delegate_to(guard: &Path) -> std::io::Error {
    let mut command = std::process::Command::new(guard);
    command.args(std::env::args_os().skip(1)).env(DELEGATED, "1").exec()
}

/// Who runs this: `user@machine`, for the record.
pub fn operator() -> String {
    let user = text("SUDO_USER").or_else(|| text("USER")).or_else(|| text("LOGNAME"));
    let user = user.unwrap_or_else(|| format!("uid {}", rustix::process::getuid().as_raw()));
    let uname = rustix::system::uname();
    format!("{user}@{}", uname.nodename().to_string_lossy())
}
