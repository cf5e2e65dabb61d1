//! Bad input: whatever a journal, a history, a manifest, a plan, Nix's log or the other side says, the answer is a value
//! or a clear error: no panic, no unbounded memory, nothing that a terminal would obey. And what every released version
//! wrote must be readable for ever (tests/formats).
#![allow(clippy::unwrap_used, clippy::panic, clippy::disallowed_methods, missing_docs)]

use std::fs;
use std::path::{Path, PathBuf};

use nqd::deploy::Plan;
use nqd::guard::protocol::Reply;
use nqd::guard::{Bans, Evidence, Frozen, Record, Spec};
use nqd::health::Manifest;
use nqd::model::StorePath;
use nqd::model::text::printable;
use nqd::nix::internal_json::Watch;
use nqd::nix::{FlakeHost, FlakeRef};
use proptest::prelude::*;

fn formats(version: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/formats").join(version)
}

fn seed(name: &str) -> String {
    fs::read_to_string(formats("v1").join(name)).unwrap()
}

/// Parses a text as what a file of this name holds; the error, if any.
fn parse(name: &str, text: &str) -> Result<(), String> {
    fn json<T: serde::de::DeserializeOwned>(text: &str) -> Result<(), String> {
        serde_json::from_str::<T>(text).map(drop).map_err(|e| e.to_string())
    }
    match name {
        "journal.json" => json::<Record>(text).and(json::<Frozen>(text)),
        "history.jsonl" => text.lines().try_for_each(json::<Evidence>),
        "manifest.json" => Manifest::parse(text).map(drop).map_err(|e| e.to_string()),
        "plan.json" => json::<Vec<Plan>>(text),
        "bans.json" => json::<Bans>(text),
        "spec.json" => json::<Spec>(text),
        "replies.jsonl" => text.lines().try_for_each(json::<Reply>),
        "events.jsonl" => text.lines().try_for_each(json::<nqd::report::event::Line>),
        "nix-log.txt" => {
            let mut watch = Watch::default();
            text.lines().for_each(|line| {
                watch.line(line);
            });
            Ok(())
        }
        other => panic!("nobody knows how to read {other}"),
    }
}

#[test]
fn what_every_version_wrote_is_readable() {
    let mut read = 0;
    for version in fs::read_dir(formats(".")).unwrap() {
        for file in fs::read_dir(version.unwrap().path()).unwrap() {
            let file = file.unwrap().path();
            let name = file.file_name().unwrap().to_str().unwrap();
            parse(name, &fs::read_to_string(&file).unwrap())
                .unwrap_or_else(|e| panic!("{}: {e}", file.display()));
            read += 1;
        }
    }
    assert!(read >= 8, "only {read} files were found");
}

#[test]
fn a_newer_journal_still_names_its_guard() {
    let mut value: serde_json::Value = serde_json::from_str(&seed("journal.json")).unwrap();
    value["state"] = "pondering".into();
    value["format"] = 99.into();
    let text = value.to_string();
    assert!(serde_json::from_str::<Record>(&text).is_err());
    let frozen: Frozen = serde_json::from_str(&text).unwrap();
    assert!(frozen.guard.starts_with("/nix/store"), "{}", frozen.guard.display());
}

/// An edit of a text: where, how much is taken out, and what is put in.
fn edits() -> impl Strategy<Value = Vec<(prop::sample::Index, usize, Vec<u8>)>> {
    let put = prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..6),
        prop_oneof![
            Just("\u{1b}[2J"),
            Just("null"),
            Just("[[[[[[[["),
            Just("99999999999999999999"),
            Just("-1"),
            Just("1e999"),
            Just("\"\""),
            Just("../../etc"),
            Just("\n"),
            Just("\\u0000"),
        ]
        .prop_map(|s| s.as_bytes().to_vec()),
    ];
    proptest::collection::vec((any::<prop::sample::Index>(), 0_usize..40, put), 1..5)
}

fn edited(text: &str, edits: &[(prop::sample::Index, usize, Vec<u8>)]) -> String {
    let mut bytes = text.as_bytes().to_vec();
    for (at, out, put) in edits {
        let at = at.index(bytes.len() + 1);
        let end = (at + out).min(bytes.len());
        bytes.splice(at..end, put.iter().copied());
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

const FILES: [&str; 9] = [
    "journal.json",
    "history.jsonl",
    "manifest.json",
    "plan.json",
    "bans.json",
    "spec.json",
    "replies.jsonl",
    "events.jsonl",
    "nix-log.txt",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn damaged_files_are_values_or_clear_errors(which in 0..FILES.len(), edits in edits()) {
        let name = FILES[which];
        if let Err(error) = parse(name, &edited(&seed(name), &edits)) {
            prop_assert!(!error.is_empty() && error.len() < 2000, "{name}: {} bytes of error", error.len());
        }
    }

    #[test]
    fn store_paths_are_taken_as_they_are_or_not_at_all(text in "(/nix/store/)?[a-z0-9/.+_?= \n;$-]{0,80}") {
        if let Ok(path) = StorePath::parse(&text) {
            prop_assert_eq!(path.as_str(), text.as_str());
            prop_assert!(!text.contains([' ', '\n', ';', '$']) && !text.contains("/../"));
        }
    }

    #[test]
    fn flake_hosts_never_become_another_attribute(text in ".{0,60}") {
        if let Ok(host) = FlakeHost::parse(&text, &FlakeRef::parse(".").unwrap()) {
            let installable = host.installable();
            let attribute = installable.rsplit_once('#').map(|(_, a)| a.to_owned()).unwrap_or_default();
            // The name stands between quotes, and cannot end them.
            prop_assert_eq!(attribute.matches('"').count(), 2, "{}", installable);
        }
    }

    #[test]
    fn nothing_shown_can_drive_a_terminal(text in any::<String>(), lines in any::<bool>()) {
        let shown = printable(&text, lines);
        let obeyed = shown.chars().find(|c| c.is_control() && !(lines && (*c == '\n' || *c == '\t')));
        prop_assert!(obeyed.is_none(), "{obeyed:?} in {shown:?}");
    }
}

#[test]
fn a_log_without_end_needs_no_memory_without_end() {
    let mut watch = Watch::default();
    for id in 0..100_000 {
        watch.line(&format!(
            r#"@nix {{"action":"start","id":{id},"level":3,"type":105,"text":"x","fields":[]}}"#
        ));
    }
    assert!(watch.activities() <= 65_536);
}
