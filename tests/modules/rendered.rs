//! What the modules render to, as it was committed: units, manifest and system.json, valid for what reads them, and no
//! older than the modules.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use nqd::closure::system::{Declared, Known};
use nqd::guard::PROTOCOL;
use sha2::{Digest, Sha256};

use crate::Row;
use crate::files::below;
use crate::trees::repository;

pub fn rows() -> Vec<Row> {
    vec![
        ("what_was_rendered_is_not_stale", current),
        ("the_guard_takes_the_rendered_manifest", manifest),
        ("the_rendered_system_json_is_read", system_json),
        ("the_guards_package_names_its_protocol", protocol),
        ("units_are_valid_and_not_exposed", exposure),
    ]
}

/// Where it is.
pub fn folder() -> PathBuf {
    repository().join("tests/rendered")
}

/// A file of it.
pub fn text(name: &str) -> String {
    fs::read_to_string(folder().join(name)).unwrap_or_else(|e| panic!("tests/rendered/{name}: {e}"))
}

/// What renders it: the same hash, the same text.
const SOURCES: [&str; 4] = ["modules", "nix/options-doc.nix", "nix/vm-test.nix", "nixos-tests"];

/// The hash of everything that it is rendered from.
pub fn hash() -> String {
    let mut hash = Sha256::new();
    for source in SOURCES.into_iter().chain(["tests/nix"]) {
        for path in below(&repository().join(source), ".nix") {
            hash.update(path.strip_prefix(repository()).unwrap().to_str().unwrap());
            hash.update([0]);
            hash.update(fs::read(&path).unwrap());
            hash.update([0]);
        }
    }
    hash.finalize().iter().fold(String::new(), |mut all, byte| {
        write!(all, "{byte:02x}").unwrap();
        all
    })
}

fn current() {
    if std::env::var_os("NQD_RENDER").is_none() {
        assert_eq!(
            text("hash").trim(),
            hash(),
            "modules/ or nixos-tests/ changed: NQD_RENDER=1 cargo test --test modules renders them anew"
        );
    }
}

fn check_manifest(file: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_nqd-guard")).arg("check-manifest").arg(file).output().unwrap()
}

/// The real guard takes it, with a check of every kind; and not one with a field that no kind has.
fn manifest() {
    let out = check_manifest(&folder().join("health.json"));
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let twin = tempfile::NamedTempFile::new().unwrap();
    fs::write(twin.path(), text("health.json").replacen("\"maxPerCpu\"", "\"maxPerCup\"", 1)).unwrap();
    let out = check_manifest(twin.path());
    assert_eq!(out.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&out.stderr).contains("maxPerCup"));
}

fn system_json() {
    let declared = Declared::parse(&text("system.json")).unwrap();
    assert_eq!(declared.host_name, Known::Known("web".to_owned()));
    assert!(matches!(declared.firewall, Known::Known(Some(_))));
}

/// What the guard speaks is what its package says, which is what the module hands on.
fn protocol() {
    let package = fs::read_to_string(repository().join("nix/packages.nix")).unwrap();
    let says = |protocol: u32| package.contains(&format!("passthru.protocol = {protocol};"));
    assert!(says(PROTOCOL) && !says(PROTOCOL + 1), "nix/packages.nix must say {PROTOCOL}");
    let json: serde_json::Value = serde_json::from_str(&text("guard.json")).unwrap();
    assert_eq!(json["protocol"], PROTOCOL, "tests/nix/evaluate.nix stands in for the package");
}

/// Units, and the exposure that `systemd-analyze security` may find at most. Those above 1.5 are root's or must see the
/// whole machine: modules/guard.nix and modules/health/hardening.nix say why.
const EXPOSURE: [(&str, f64); 4] = [
    ("nqd-keep.service", 1.5),
    ("nqd-health.service", 2.1),
    ("nqd-gate.service", 2.2),
    ("nqd-recover.service", 9.6),
];

fn exposure() {
    let version = Command::new("systemd-analyze").arg("--version").output();
    if version.is_err() {
        println!("SKIPPED: judging units, because this machine lacks systemd-analyze");
        return;
    }
    for (unit, most) in EXPOSURE {
        let file = folder().join("units").join(unit);
        let out = Command::new("systemd-analyze")
            .args(["security", "--offline=true", "--no-pager", file.to_str().unwrap()])
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&out.stdout).into_owned();
        let overall = said
            .lines()
            .find(|l| l.contains("Overall exposure level"))
            .unwrap_or_else(|| panic!("{unit}: {said}"));
        let level: f64 = overall.split(": ").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap();
        println!("{unit}: exposure {level}");
        assert!(level <= most, "{unit} is exposed by {level}, more than {most}");
    }
    let names: Vec<String> = below(&folder().join("units"), ".service")
        .iter()
        .map(|p| p.file_name().unwrap().to_string_lossy().into_owned())
        .collect();
    assert!(names.iter().all(|n| EXPOSURE.iter().any(|(unit, _)| unit == n)), "{names:?}");
}
