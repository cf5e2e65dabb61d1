//! Files of the flake as they lie here.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use alejandra::format::{Status, in_memory};

use crate::Row;
use crate::harness::nix_new;
use crate::trees::repository;

pub fn rows() -> Vec<Row> {
    vec![
        ("every_nix_file_is_parsed", parsed),
        ("nix_files_are_formatted_as_alejandra_does", formatted),
        ("files_of_the_flake_are_short", short),
        ("the_lock_file_pins_what_the_flake_names", locked),
        ("crates_come_from_the_registry_alone", registry),
        ("apps_are_commands_of_nqd", commands),
        ("scripts_are_sound_for_shellcheck", scripts),
        ("nix_files_are_sound_for_deadnix_and_statix", linted),
    ]
}

/// All files with this ending that are ours, sorted.
pub fn below(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(path) = open.pop() {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            if path == folder || !(name.starts_with('.') || name == "target") {
                open.extend(fs::read_dir(&path).unwrap().map(|e| e.unwrap().path()));
            }
        } else if name.ends_with(ending) {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn parsed() {
    let files = below(repository(), ".nix");
    assert!(files.len() > 40, "{files:?}");
    let mut programs = vec![PathBuf::from("nix-instantiate")];
    if crate::harness::cannot_run().is_none() {
        programs.push(nix_new::tree().join("bin/nix-instantiate"));
    }
    for program in programs {
        let parse = |files: &[PathBuf]| Command::new(&program).arg("--parse").args(files).output();
        match parse(&files) {
            Ok(out) => {
                assert!(
                    out.status.success(),
                    "{}: {}",
                    program.display(),
                    String::from_utf8_lossy(&out.stderr)
                );
            }
            Err(e) => println!("SKIPPED: parsing with {}: {e}", program.display()),
        }
    }
}

/// The fixtures of before keep the style that they were written in.
const OTHER_STYLE: [&str; 2] = ["tests/fixture", "tests/diff"];

fn formatted() {
    let write = std::env::var_os("NQD_FORMAT").is_some();
    for path in below(repository(), ".nix") {
        let name = path.strip_prefix(repository()).unwrap().display().to_string();
        if OTHER_STYLE.iter().any(|folder| name.starts_with(folder)) {
            continue;
        }
        match in_memory(name.clone(), fs::read_to_string(&path).unwrap()) {
            (Status::Error(e), _) => panic!("{name}: {e}"),
            (Status::Changed(true), text) if write => fs::write(&path, text).unwrap(),
            (Status::Changed(true), _) => panic!("{name} is not formatted: NQD_FORMAT=1 does it"),
            (Status::Changed(false), _) => {}
        }
    }
    let (status, _) = in_memory("twin".to_owned(), "{ a=1; }".to_owned());
    assert!(matches!(status, Status::Changed(true)), "what is not formatted is seen");
}

fn short() {
    let lines = |path: &Path| fs::read_to_string(path).unwrap().lines().count();
    assert!(lines(&repository().join("flake.nix")) <= 120);
    for (folder, most) in [("modules", 300), ("nix", 150), ("nixos-tests", 120)] {
        for path in below(&repository().join(folder), ".nix") {
            assert!(lines(&path) <= most, "{} has more than {most} lines", path.display());
        }
    }
}

fn locked() {
    let text = fs::read_to_string(repository().join("flake.lock")).unwrap();
    let lock: serde_json::Value = serde_json::from_str(&text).unwrap();
    let flake = fs::read_to_string(repository().join("flake.nix")).unwrap();
    for input in lock["nodes"]["root"]["inputs"].as_object().unwrap().keys() {
        let node = &lock["nodes"][input];
        let [owner, repo] = ["owner", "repo"].map(|f| node["original"][f].as_str().unwrap());
        let branch = node["original"]["ref"].as_str().map_or(String::new(), |r| format!("/{r}"));
        let url = format!("{input}.url = \"github:{owner}/{repo}{branch}\";");
        assert!(flake.contains(&url), "flake.nix lacks {url}");
        let locked = &node["locked"];
        assert_eq!(locked["rev"].as_str().unwrap().len(), 40, "{input}");
        assert!(locked["narHash"].as_str().unwrap().starts_with("sha256-"), "{input}");
        assert!(locked["lastModified"].as_u64().is_some_and(|t| t > 1_700_000_000), "{input}");
    }
}

fn registry() {
    let lock = fs::read_to_string(repository().join("Cargo.lock")).unwrap();
    let sources: Vec<&str> = lock.lines().filter_map(|l| l.strip_prefix("source = ")).collect();
    assert!(!sources.is_empty());
    for source in sources {
        assert!(source.starts_with("\"registry+"), "{source}: crane would have to be told its hash");
    }
}

fn scripts() {
    let files = below(&repository().join("scripts"), "");
    let check = |files: &[PathBuf]| Command::new("shellcheck").args(files).output();
    match check(&files) {
        Err(e) => skipped("checking scripts: shellcheck", &e, true),
        Ok(out) => {
            assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stdout));
            let twin = tempfile::NamedTempFile::new().unwrap();
            fs::write(twin.path(), "#!/bin/sh\nrm $1\n").unwrap();
            assert!(!check(&[twin.path().to_owned()]).unwrap().status.success(), "what is unsound is seen");
        }
    }
}

/// Says that something could not be run here, and panics where it is known that it can.
pub fn skipped(what: &str, why: &std::io::Error, can: bool) {
    println!("SKIPPED: {what}: {why}");
    assert!(!can || std::env::var_os("NQD_REQUIRE_MACHINES").is_none(), "{what}: {why}");
}

/// Linters of Nix, what each is started with, as nix/checks.nix has it, and whether scripts/test has it: statix is not in
/// the registry of crates.
const LINTERS: [(&str, &[&str], bool); 2] = [("deadnix", &["--fail"], true), ("statix", &["check"], false)];

fn linted() {
    let twin = tempfile::Builder::new().suffix(".nix").tempfile().unwrap();
    fs::write(twin.path(), "let a = 1; in {b = b;}\n").unwrap();
    for (tool, args, can) in LINTERS {
        let check = |path: &Path| Command::new(tool).args(args).arg(path).output();
        for name in ["flake.nix", "modules", "nix", "nixos-tests"] {
            match check(&repository().join(name)) {
                Err(e) => {
                    skipped(&format!("linting: {tool}"), &e, can);
                    break;
                }
                Ok(out) => assert!(out.status.success(), "{name}: {}", String::from_utf8_lossy(&out.stdout)),
            }
            assert!(!check(twin.path()).unwrap().status.success(), "{tool} sees what is wrong");
        }
    }
}

/// nix/commands.nix says of each command what `nqd --help` says.
fn commands() {
    let out = Command::new(env!("CARGO_BIN_EXE_nqd")).arg("--help").output().unwrap();
    let help = String::from_utf8(out.stdout).unwrap();
    let text = fs::read_to_string(repository().join("nix/commands.nix")).unwrap();
    let apps: Vec<(&str, &str)> =
        text.lines().filter_map(|l| l.trim().strip_suffix("\";")?.split_once(" = \"")).collect();
    assert!(apps.len() > 10, "{text}");
    for (name, about) in &apps {
        let said = help.lines().find_map(|l| l.trim().strip_prefix(name)?.strip_prefix(' '));
        assert_eq!(said.map(str::trim), Some(*about), "nqd {name}");
    }
    // Completions are for the shell that the package installs them for.
    let all = help.split("Commands:\n").nth(1).unwrap().lines().take_while(|l| !l.is_empty());
    for command in all.filter_map(|l| l.split_whitespace().next()).filter(|c| *c != "completions") {
        assert!(apps.iter().any(|(name, _)| *name == command), "nqd {command} is no app");
    }
}
