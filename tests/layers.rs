//! Which module may use which, and that only `effects` touches the world: what ARCHITECTURE.md promises. Also that
//! what the documents show is what the program takes.
#![allow(clippy::unwrap_used, clippy::panic, clippy::disallowed_methods, missing_docs)]

use std::fs;
use std::path::{Path, PathBuf};

/// Directory, and what its files may use of this crate.
const MAY_USE: [(&str, &[&str]); 11] = [
    ("model", &["model"]),
    ("derivation", &["derivation", "model"]),
    ("closure", &["closure", "derivation", "model"]),
    ("nix", &["nix", "closure::mask", "model", "exit", "failure"]),
    ("health", &["health", "model", "exit"]),
    ("flake_check", &["flake_check", "model", "exit", "failure", "effects::clock"]),
    ("gate", &["gate", "health", "model", "exit"]),
    ("guard", &["guard", "health", "model", "exit", "failure", "effects::machine", "report::event"]),
    (
        "deploy",
        &[
            "deploy",
            "closure",
            "guard",
            "health",
            "model",
            "nix",
            "exit",
            "failure",
            "report::event",
            "effects::clock",
            "effects::gather",
            "effects::nix",
            "effects::target",
            "effects::transport",
        ],
    ),
    (
        "report",
        &[
            "report",
            "closure",
            "deploy",
            "flake_check",
            "gate",
            "guard",
            "health",
            "model",
            "exit",
            "failure",
            "effects::clock",
        ],
    ),
    ("guard_cli", &["guard_cli", "guard", "health", "model", "exit", "failure", "report::event", "effects"]),
];

/// What only `effects` may do.
const WORLD: [&str; 8] = [
    "std::fs",
    "std::net",
    "std::os::unix::net",
    "std::env::",
    "Command::new",
    "SystemTime",
    "Instant::now",
    "thread::sleep",
];

/// All files below a directory of src, without tests.
fn code(directory: &str) -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(directory);
    let mut found = Vec::new();
    let mut open = vec![root];
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(fs::read_dir(path).unwrap().map(|e| e.unwrap().path()));
        } else if !path.ends_with("sweep.rs") && !path.ends_with("tests.rs") {
            let text = fs::read_to_string(&path).unwrap();
            let code: String = text
                .split("#[cfg(test)]\nmod tests {")
                .next()
                .unwrap()
                .lines()
                .filter(|l| !l.trim_start().starts_with("//"))
                .fold(String::new(), |all, l| all + l + "\n");
            found.push((path, code));
        }
    }
    found
}

#[test]
fn each_module_uses_only_what_it_may() {
    for (directory, allowed) in MAY_USE {
        let files = code(directory);
        assert!(!files.is_empty(), "{directory} is gone");
        for (path, text) in files {
            for used in text.split("crate::").skip(1) {
                let fits = |a: &&str| {
                    used.strip_prefix(*a)
                        .is_some_and(|r| !r.starts_with(|c: char| c.is_alphanumeric() || c == '_'))
                };
                assert!(
                    allowed.iter().any(fits),
                    "{} uses crate::{}",
                    path.display(),
                    used.lines().next().unwrap()
                );
            }
        }
    }
}

#[test]
fn only_effects_touch_the_world() {
    for (path, text) in code("") {
        if path.components().any(|c| c.as_os_str() == "effects") {
            continue;
        }
        for word in WORLD {
            assert!(!text.contains(word), "{} uses {word}", path.display());
        }
    }
}

#[test]
fn the_manifests_in_the_documents_are_manifests() {
    for file in ["README.md", "docs/FORMATS.md"] {
        let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap();
        let json = text.split("```json\n").nth(1).unwrap().split("```").next().unwrap();
        nqd::health::Manifest::parse(json).unwrap_or_else(|e| panic!("{file}: {e}"));
    }
}

#[test]
fn the_events_are_documented() {
    let documented =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/EVENTS.md")).unwrap();
    let (_, source) = code("report").into_iter().find(|(p, _)| p.ends_with("event.rs")).unwrap();
    let body = source.split("pub enum Event {").nth(1).unwrap().split("\n}").next().unwrap();
    let variants =
        body.lines().filter_map(|l| l.strip_prefix("    ")).filter(|l| l.starts_with(char::is_uppercase));
    let mut count = 0;
    for variant in variants {
        let name: String = variant.chars().take_while(|c| c.is_alphanumeric()).collect();
        let kebab = name.chars().fold(String::new(), |mut all, c| {
            if c.is_uppercase() && !all.is_empty() {
                all.push('-');
            }
            all.push(c.to_ascii_lowercase());
            all
        });
        assert!(documented.contains(&format!("`{kebab}`")), "docs/EVENTS.md lacks {kebab}");
        count += 1;
    }
    assert!(count > 10, "only {count} events were found");
}
