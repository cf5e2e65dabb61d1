//! Where the real `lib` and `nixos/` lie, the Nix that evaluates them, and what is asked of it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use crate::harness::nix_new;
use crate::names;

/// The repository.
pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// nixpkgs' `lib`.
pub fn lib() -> PathBuf {
    folder("NQD_NIXOS_LIB", "/var/cache/nqd-trees/lib")
}

/// nixpkgs' `nixos`.
pub fn nixos() -> PathBuf {
    folder("NQD_NIXOS_TREE", "/var/cache/nqd-trees/nixos")
}

fn folder(variable: &str, default: &str) -> PathBuf {
    std::env::var_os(variable).map_or_else(|| PathBuf::from(default), PathBuf::from)
}

/// Why nothing can be evaluated here, if so.
pub fn missing() -> Option<String> {
    if let Some(why) = crate::harness::cannot_run() {
        return Some(why);
    }
    [
        ("NQD_NIXOS_LIB", lib().join("default.nix")),
        ("NQD_NIXOS_TREE", nixos().join("modules/module-list.nix")),
    ]
    .into_iter()
    .find(|(_, file)| !file.exists())
    .map(|(variable, file)| format!("there is no {} ({variable} says where)", file.display()))
}

/// A directory of this run's own, with the file that names the packages.
pub fn scratch() -> &'static Path {
    static DIR: OnceLock<tempfile::TempDir> = OnceLock::new();
    DIR.get_or_init(|| {
        let dir = tempfile::Builder::new().prefix("nqd-modules-").tempdir().unwrap();
        let names = names::of(&[&nixos(), &repository().join("nix")]);
        fs::write(dir.path().join("names.json"), serde_json::to_string(&names).unwrap()).unwrap();
        dir
    })
    .path()
}

/// Evaluates a file of tests/nix, which takes `lib`, `nixos` and `names`, with today's Nix.
pub fn evaluate(file: &str, more: &[&str]) -> Output {
    let names = scratch().join("names.json");
    let file = repository().join("tests/nix").join(file);
    Command::new(nix_new::tree().join("bin/nix-instantiate"))
        .args(["--eval", "--strict", "--json", "--store", "dummy://"])
        .arg(file)
        .args(["--arg", "lib", lib().to_str().unwrap()])
        .args(["--arg", "nixos", nixos().to_str().unwrap()])
        .args(["--arg", "names", names.to_str().unwrap()])
        .args(more)
        .env("NIX_CONFIG", CONFIG)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

/// Nix with nothing of this machine's configuration, and nothing fetched.
pub const CONFIG: &str = "substituters =\nsandbox = false\nbuild-users-group =\nflake-registry =\nwarn-dirty = false\nexperimental-features = nix-command flakes\n";

/// The same, which must succeed.
pub fn json(file: &str) -> serde_json::Value {
    let out = evaluate(file, &[]);
    assert!(out.status.success(), "{file}: {}", String::from_utf8_lossy(&out.stderr));
    serde_json::from_slice(&out.stdout).unwrap()
}
