//! Whatever a target, a log, a manifest or a plan says: nothing of it drives the operator's terminal. Every text of a
//! committed example is made evil, and all that a person can be shown is rendered.

use std::io::Write;
use std::sync::{Arc, Mutex};

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::event::{Event, Line, Unit};
use super::human::{Human, progress_text};
use super::{doctor_text, health_text, history_text, junit, plan_text, status_text};
use crate::deploy::Plan;
use crate::deploy::facts::TargetFacts;
use crate::guard::protocol::Reply;
use crate::guard::{Evidence, Record, State};
use crate::health::examination::Examination;
use crate::model::{BootDefault, Described};

/// Clears the screen, in two ways, rings, names a window, turns text around.
const EVIL: &str = "\u{1b}[2J\u{9b}2J\u{7}\u{1b}]0;x\u{7}\r\u{8}\u{202e}";

/// Makes every text evil that may be so: one that the type refuses stays as it was.
fn evil<T: DeserializeOwned>(text: &str) -> T {
    let mut value: Value = serde_json::from_str(text).unwrap();
    let mut made = 0;
    for pointer in texts(&value, "") {
        let good = value.pointer(&pointer).unwrap().clone();
        *value.pointer_mut(&pointer).unwrap() = format!("{}{EVIL}", good.as_str().unwrap()).into();
        if serde_json::from_value::<T>(value.clone()).is_ok() {
            made += 1;
        } else {
            *value.pointer_mut(&pointer).unwrap() = good;
        }
    }
    assert!(made > 0 || !text.contains(['"']), "nothing could be made evil in {text}");
    serde_json::from_value(value).unwrap()
}

/// The JSON pointers of all texts.
fn texts(value: &Value, at: &str) -> Vec<String> {
    match value {
        Value::String(_) => vec![at.to_owned()],
        Value::Array(items) => {
            items.iter().enumerate().flat_map(|(n, v)| texts(v, &format!("{at}/{n}"))).collect()
        }
        Value::Object(fields) => fields.iter().flat_map(|(k, v)| texts(v, &format!("{at}/{k}"))).collect(),
        _ => Vec::new(),
    }
}

fn obeys_nothing(what: &str, shown: &str) {
    console::set_colors_enabled(false);
    console::set_colors_enabled_stderr(false);
    let bad = shown.chars().find(|c| (c.is_control() && *c != '\n') || *c == '\u{202e}');
    assert!(bad.is_none(), "{what}: {bad:?} reaches the terminal in\n{shown:?}");
}

#[derive(Clone, Default)]
struct Sink(Arc<Mutex<Vec<u8>>>);

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn events_drive_no_terminal() {
    console::set_colors_enabled_stderr(false);
    let sink = Sink::default();
    let mut human = Human::to(2, Box::new(sink.clone()));
    for line in include_str!("../../tests/formats/v1/events.jsonl").lines() {
        human.show(None, &evil::<Line>(line).event);
    }
    for event in [
        Event::Notice { text: EVIL.into() },
        Event::Warning { text: EVIL.into() },
        Event::Output { line: EVIL.into() },
        Event::Ran { command: EVIL.into(), from: 0, to: 1 },
    ] {
        human.show(None, &event);
    }
    let shown = String::from_utf8(sink.0.lock().unwrap().clone()).unwrap();
    assert!(shown.lines().count() > 10, "{shown}");
    obeys_nothing("events", &shown);
    obeys_nothing("progress", &progress_text((1, 2, Unit::Paths), Some(EVIL)));
}

#[test]
fn plans_and_records_drive_no_terminal() {
    for plan in evil::<Vec<Plan>>(include_str!("../../tests/formats/v1/plan.json")) {
        let warned = Plan { boot_unproved: vec![EVIL.into()], warnings: vec![EVIL.into()], ..plan };
        obeys_nothing("a plan", &plan_text::render(&warned, &[], 80));
    }
    for line in include_str!("../../tests/formats/v1/history.jsonl").lines() {
        obeys_nothing("the history", &history_text::render(&evil::<Evidence>(line)));
    }
}

#[test]
fn the_state_of_a_machine_drives_no_terminal() {
    let record: Record = evil(include_str!("../../tests/formats/v1/journal.json"));
    let replies = include_str!("../../tests/formats/v1/replies.jsonl").lines();
    let status =
        replies.map(evil::<Reply>).find_map(|r| if let Reply::Status(s) = r { Some(*s) } else { None });
    for state in [State::Held, State::RolledBack, State::Probing] {
        let mut status = status.clone().unwrap();
        status.record = Some(Record { state, ..record.clone() });
        let mut triple = record.start.clone();
        triple.boot_default = BootDefault::Unknown { why: EVIL.into() };
        let mut running = Described::new(triple.running.clone());
        running.nixos_version = Some(EVIL.into());
        let facts = TargetFacts {
            host_name: EVIL.into(),
            boot_id: record.boot_id.clone(),
            running,
            triple,
            booted: None,
            profile_specialisations: Vec::new(),
            generations: Vec::new(),
            closure: Vec::new(),
            free: None,
            status: Some(status),
        };
        obeys_nothing("status", &status_text::render("web", &facts));
        obeys_nothing("doctor", &doctor_text::examine("web", "ssh root@web", &facts).0);
    }
}

#[test]
fn a_health_report_drives_no_terminal() {
    let report = r#"{"v":1,"at":"2026-11-22T06:03:01Z","host":"web","verdict":"unhealthy",
        "system":"/nix/store/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-x",
        "checks":[{"name":"site","level":"required","standing":"failing","message":"no"}]}"#;
    let report: Examination = evil(report);
    obeys_nothing("health", &health_text::render(&report));
    obeys_nothing("a JUnit report", &junit::render(&report).replace('\u{202e}', ""));
}
