//! Bad input: whatever a journal, a history, a manifest, a plan, Nix's log or the other side says, the answer is a value
//! or a clear error: no panic, no unbounded memory, nothing that a terminal would obey. And what every released version
//! wrote must be readable for ever (tests/formats).
#![allow(clippy::unwrap_used, clippy::panic, clippy::disallowed_methods, missing_docs)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use nqd::closure::snapshot::Snapshot as Kept;
use nqd::closure::system::Known;
use nqd::closure::system::declared::Declared;
use nqd::deploy::Plan;
use nqd::effects::gather::{missing_script, read_described, read_gathered};
use nqd::effects::layout;
use nqd::effects::machine::Snapshot;
use nqd::effects::runner::{Cmd, Runner};
use nqd::effects::slots::Slots;
use nqd::effects::system_files::BootRecord;
use nqd::effects::this_machine::Request;
use nqd::failure::Failure;
use nqd::guard::evidence::id_of_record;
use nqd::guard::protocol::Reply;
use nqd::guard::{Bans, Evidence, Frozen, Record, Spec, State};
use nqd::health::Manifest;
use nqd::model::text::printable;
use nqd::model::{Address, BootId, HostName, InstalledGuard, StorePath, TxId, UnitName};
use nqd::nix::internal_json::Watch;
use nqd::nix::{FlakeHost, FlakeRef};
use proptest::prelude::*;
use serde_json::Value;

fn formats(version: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/formats").join(version)
}

fn seed(name: &str) -> String {
    fs::read_to_string(formats("v1").join(name)).unwrap()
}

/// Parses a text as what a file of this name holds; the error as it is shown, if any.
fn parse(name: &str, text: &str) -> Result<(), String> {
    read(name, text).map_err(|e| Failure::refused(e).what)
}

/// The file itself, slots and all, read as the guard reads it.
fn of_slots(text: &str) -> Result<(), String> {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("journal");
    fs::write(&file, text).unwrap();
    let read = Slots::at(&file).read().map_err(|e| e.to_string())?;
    read.map_or(Ok(()), |payload| {
        serde_json::from_slice::<Record>(&payload).map_err(|e| e.to_string())?;
        serde_json::from_slice::<Frozen>(&payload).map(drop).map_err(|e| e.to_string())
    })
}

fn read(name: &str, text: &str) -> Result<(), String> {
    fn json<T: serde::de::DeserializeOwned>(text: &str) -> Result<(), String> {
        serde_json::from_str::<T>(text).map(drop).map_err(|e| e.to_string())
    }
    match name {
        "journal.json" => json::<Record>(text).and(json::<Frozen>(text)),
        "journal" => of_slots(text),
        "boot.json" => json::<BootRecord>(text),
        "snapshot.json" => json::<Snapshot>(text),
        "nqd-snapshot.json" => Kept::parse(text).map(drop),
        "guard.json" => json::<InstalledGuard>(text),
        "system.json" => Declared::parse(text).map(drop),
        "history.jsonl" => text.lines().try_for_each(|line| {
            json::<Evidence>(line)?;
            // The reader counts as torn whatever is none of these.
            id_of_record(line).map(drop).ok_or_else(|| "no record".to_owned())
        }),
        "manifest.json" | "kinds.json" => Manifest::parse(text).map(drop).map_err(|e| e.to_string()),
        "plan.json" => json::<Vec<Plan>>(text),
        "bans.json" => json::<Bans>(text),
        "spec.json" => json::<Spec>(text),
        "replies.jsonl" => text.lines().try_for_each(json::<Reply>),
        "events.jsonl" => text.lines().try_for_each(json::<nqd::report::event::Line>),
        "requests.jsonl" => text.lines().try_for_each(json::<Request>),
        "gathered.txt" => {
            read_gathered(text).map(drop).map_err(|e| e.what)?;
            read_described(text).map(drop).map_err(|e| e.what)
        }
        "nix-log.txt" => {
            let mut watch = Watch::default();
            text.lines().for_each(|line| {
                watch.line(line);
            });
            Ok(())
        }
        "copies" => {
            let mut lines = text.lines();
            BootId::parse(lines.next().unwrap_or_default()).map_err(|e| e.to_string())?;
            lines.try_for_each(|l| StorePath::parse(l).map(drop).map_err(|e| e.to_string()))
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
fn a_journal_of_this_version_holds_both_its_last_records() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("journal");
    let state = |bytes: &[u8]| {
        fs::write(&file, bytes).unwrap();
        let payload = Slots::at(&file).read().unwrap().expect("a record");
        serde_json::from_slice::<Record>(&payload).unwrap().state
    };
    let mut bytes = fs::read(formats("v1").join("journal")).unwrap();
    assert_eq!(bytes.len(), 2 * 65536, "two slots of 64 KiB");
    assert_eq!(state(&bytes), State::RolledBack);
    // Where the slots begin, and that they are written in turn, is the format too.
    bytes[200] ^= 1;
    assert_eq!(state(&bytes), State::RollingBack);
}

/// Whether all that a value says is said by another one too.
fn says(new: &Value, old: &Value) -> bool {
    match (new, old) {
        (Value::Object(new), Value::Object(old)) => {
            old.iter().all(|(key, old)| new.get(key).is_some_and(|new| says(new, old)))
        }
        (Value::Array(new), Value::Array(old)) => {
            new.len() == old.len() && new.iter().zip(old).all(|(new, old)| says(new, old))
        }
        (new, old) => new == old,
    }
}

/// Most fields may be left out: one that is not read any more under its name would be lost without a word.
#[test]
fn nothing_that_a_snapshot_or_a_system_says_is_lost() {
    let text = seed("nqd-snapshot.json");
    let kept = |text: &str| serde_json::to_value(Kept::parse(text).unwrap()).unwrap();
    let written: Value = serde_json::from_str(&text).unwrap();
    assert!(says(&kept(&text), &written), "{}", kept(&text));
    for field in ["selected", "below", "dropIns", "mode", "tcpRanges", "udp"] {
        let renamed = text.replacen(&format!("\"{field}\":"), "\"renamed\":", 1);
        assert!(
            renamed != text && !says(&kept(&renamed), &serde_json::from_str(&renamed).unwrap()),
            "{field}"
        );
    }
    let Known::Known(Some(firewall)) = Declared::parse(&seed("system.json")).unwrap().firewall else {
        panic!("the firewall is on");
    };
    let all = ["tcp 22", "tcp 8000-8010", "udp 123", "udp 53 on wg0", "udp 60000-61000"];
    assert_eq!(firewall.openings().into_iter().collect::<Vec<_>>(), all);
    let long =
        format!(r#"{{"version":1,"hostName":"web","system":"x","firewall":"{}"}}"#, "x".repeat(200_000));
    assert!(
        (1..10_000).contains(&Declared::parse(&long).unwrap_err().len()),
        "what is wrong is not quoted whole"
    );
}

/// The note is read by a script, with whatever Nix the target has: here one to which every path is valid and torn.
#[test]
fn a_note_of_a_copy_that_a_power_cut_ended_is_acted_on() {
    let dir = tempfile::tempdir().unwrap();
    let [copies, bin, asked] = ["copies", "bin", "asked"].map(|n| dir.path().join(n));
    fs::create_dir(&copies).unwrap();
    fs::create_dir(&bin).unwrap();
    fs::write(copies.join("20261122-060301-a1b2c3"), seed("copies")).unwrap();
    let nix = format!("#!/bin/sh\necho \"$@\" >> {}\n[ \"$1\" != --verify-path ]\n", asked.display());
    fs::write(bin.join("nix-store"), nix).unwrap();
    fs::set_permissions(bin.join("nix-store"), PermissionsExt::from_mode(0o755)).unwrap();
    let paths: Vec<_> = seed("copies").lines().skip(1).map(|l| StorePath::parse(l).unwrap()).collect();
    let script = missing_script(&paths)
        .replace(layout::COPIES, copies.to_str().unwrap())
        .replace(layout::ROOTS, dir.path().to_str().unwrap());
    // The tools are wherever they are on this machine: in a build of Nix nothing but sh is in /bin.
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    let run = Cmd::new("/bin/sh").arg("-s").env("PATH", &path).stdin(script);
    Runner::default().run(&run).unwrap();
    let asked = fs::read_to_string(asked).unwrap();
    let [system, web] = [paths[0].as_str(), paths[1].as_str()];
    assert!(asked.contains(&format!("--verify-path {web}\n--delete {system} {web}\n")), "{asked}");
    assert!(fs::read_dir(copies).unwrap().next().is_none(), "the note is still there");
}

#[test]
fn a_newer_journal_still_names_its_guard() {
    let mut value: Value = serde_json::from_str(&seed("journal.json")).unwrap();
    value["state"] = "pondering".into();
    value["format"] = 99.into();
    let text = value.to_string();
    assert!(serde_json::from_str::<Record>(&text).is_err());
    let frozen: Frozen = serde_json::from_str(&text).unwrap();
    assert!(frozen.guard.starts_with("/nix/store"), "{}", frozen.guard.display());
}

#[test]
fn there_is_an_example_of_every_kind_of_check_and_a_row_that_says_what_it_means() {
    let manifest = Manifest::parse(&seed("kinds.json")).unwrap();
    let examples: Vec<&str> = manifest.checks.values().map(|c| c.probe.word()).collect();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/health/kind/mod.rs");
    let source = fs::read_to_string(source).unwrap();
    let words = source.split("fn word").nth(1).unwrap().split("fn fault").next().unwrap();
    let words: Vec<&str> = words.split('"').skip(1).step_by(2).collect();
    assert!(words.len() >= 14, "{words:?}");
    let formats = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/FORMATS.md");
    let documented = fs::read_to_string(formats).unwrap();
    for word in words {
        assert!(examples.contains(&word), "tests/formats/v1/kinds.json has no {word}");
        assert!(documented.contains(&format!("\n| `{word}` | ")), "docs/FORMATS.md has no row {word}");
    }
    // Every field of every example is told of, where it can be told of by its name.
    let text: Value = serde_json::from_str(&seed("kinds.json")).unwrap();
    for (name, check) in text["checks"].as_object().unwrap() {
        for field in check["probe"].as_object().unwrap().keys() {
            assert!(documented.contains(&format!("`{field}`")), "docs/FORMATS.md lacks {field} of {name}");
        }
    }
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

const FILES: [&str; 18] = [
    "journal",
    "boot.json",
    "snapshot.json",
    "nqd-snapshot.json",
    "system.json",
    "guard.json",
    "journal.json",
    "history.jsonl",
    "manifest.json",
    "kinds.json",
    "plan.json",
    "bans.json",
    "spec.json",
    "replies.jsonl",
    "events.jsonl",
    "nix-log.txt",
    "requests.jsonl",
    "gathered.txt",
];

/// Bad inputs that are worth keeping: one a line, of the file that stands before the first space.
fn bad_inputs() -> Vec<(String, String)> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/seeds/files.txt");
    let text = fs::read_to_string(file).unwrap();
    let of_line = |l: &str| {
        let (name, input) = l.split_once(' ').unwrap();
        (name.to_owned(), serde_json::from_str::<String>(input).unwrap())
    };
    text.lines().filter(|l| !l.starts_with('#')).map(of_line).collect()
}

/// Of every file: something to begin with.
fn seeds() -> Vec<(String, String)> {
    let good = FILES.iter().map(|name| ((*name).to_owned(), seed(name)));
    good.chain(bad_inputs()).collect()
}

#[test]
fn bad_inputs_that_were_kept_give_clear_errors() {
    let mut seen = std::collections::BTreeSet::new();
    for (name, input) in bad_inputs() {
        let error = parse(&name, &input).expect_err(&input);
        assert!(!error.trim().is_empty() && error.len() < 2000, "{name}, {input:?}: {error}");
        seen.insert(name);
    }
    // Of Nix's log nothing is an error: what is not understood is a message.
    let missing: Vec<_> = FILES.iter().filter(|f| **f != "nix-log.txt" && !seen.contains(**f)).collect();
    assert!(missing.is_empty(), "no bad input is kept for {missing:?}");
}

#[test]
fn huge_and_deep_inputs_give_short_errors() {
    let deep = "[".repeat(200_000);
    let objects = r#"{"a":"#.repeat(200_000);
    for name in FILES {
        // Every text, in turn, is much longer than it may be.
        let seed = seed(name);
        let huge = "x".repeat(4 << 20);
        let long = seed.replace(": \"", ":\"").replacen(":\"", &format!(":\"{huge}"), 1);
        let deep_line = format!("@nix {deep}");
        for input in [deep.clone(), objects.clone(), deep_line, long, huge.clone(), huge + "\t"] {
            if let Err(error) = parse(name, &input) {
                assert!(error.len() < 10_000, "{name}: {} bytes of error", error.len());
            }
        }
    }
}

/// What a word of these kinds is parsed to, as text again.
fn word(kind: &str, text: &str) -> Result<String, String> {
    match kind {
        "store-path" => StorePath::parse(text).map(|p| p.to_string()).map_err(|e| e.to_string()),
        "host" => HostName::parse(text).map(|h| h.to_string()).map_err(|e| e.to_string()),
        "flake-host" => {
            let here = FlakeRef::parse(".").unwrap();
            FlakeHost::parse(text, &here).map(|h| h.to_string()).map_err(|e| e.to_string())
        }
        "address" => Address::parse(text).map(|a| a.destination()).map_err(|e| e.to_string()),
        "unit" => UnitName::parse(text).map(|u| u.to_string()).map_err(|e| e.to_string()),
        "transaction" => TxId::parse(text).map(|t| t.to_string()).map_err(|e| e.to_string()),
        "boot" => BootId::parse(text).map(|b| b.to_string()).map_err(|e| e.to_string()),
        other => panic!("nobody knows the word {other}"),
    }
}

const WORDS: [&str; 7] = ["store-path", "host", "flake-host", "address", "unit", "transaction", "boot"];

#[test]
fn words_that_must_not_be_taken() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/seeds/words.txt");
    let text = fs::read_to_string(file).unwrap();
    for line in text.lines().filter(|l| !l.starts_with('#')) {
        let text: String = serde_json::from_str(line).unwrap();
        for kind in WORDS {
            let error = word(kind, &text).expect_err(&text);
            assert!(printable(&error, false) == error && error.len() < 2000, "{kind} {text:?}: {error:?}");
        }
    }
}

#[test]
fn an_address_in_a_plan_is_one() {
    let plan = |host: &str| seed("plan.json").replace("10.231.1.2", host);
    assert!(parse("plan.json", &plan("web.example.org")).is_ok());
    for evil in ["-oProxyCommand=reboot", "a b", "a\\u001b[2J", "root@a"] {
        assert!(parse("plan.json", &plan(evil)).is_err(), "{evil}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn damaged_files_are_values_or_clear_errors(which in any::<prop::sample::Index>(), edits in edits()) {
        let (name, seed) = which.get(&seeds()).clone();
        if let Err(error) = parse(&name, &edited(&seed, &edits)) {
            prop_assert!(!error.is_empty() && error.len() < 2000, "{name}: {} bytes of error", error.len());
        }
    }

    #[test]
    fn words_are_taken_as_they_are_or_not_at_all(kind in 0..WORDS.len(), text in any::<String>()) {
        match word(WORDS[kind], &text) {
            Ok(taken) => prop_assert!(printable(&taken, false) == taken && !taken.starts_with('-'), "{:?}", taken),
            Err(error) => prop_assert!(error.len() < 2000 && printable(&error, false) == error, "{:?}", error),
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
            r#"@nix {{"action":"start","id":{id},"level":3,"type":100,"text":"x","fields":[]}}"#
        ));
        watch.line(&format!(
            r#"@nix {{"action":"result","id":{id},"type":105,"fields":[{0},{0}]}}"#,
            u64::MAX
        ));
    }
    let (activities, numbers) = watch.remembered();
    assert!(activities <= 65_536 && numbers <= 65_536, "{activities} activities, {numbers} numbers");
    assert_eq!(watch.bytes(), u64::MAX, "no sum is too large");
}
