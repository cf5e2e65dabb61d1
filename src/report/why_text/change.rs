//! A change in words.

use crate::closure::why::{Cause, Change, Difference, Part};
use crate::model::text::bytes;

/// ` 3.0.13 → 3.0.14`, with a space before it; nothing if it has no version.
pub(super) fn versions(cause: &Cause) -> String {
    match (&cause.old, &cause.new) {
        (None, None) => String::new(),
        (Some(a), Some(b)) if a == b => format!(" {a}"),
        (a, b) => format!(" {}", arrow(a.as_deref(), b.as_deref())),
    }
}

/// What changed, as a label and lines of text each. The version is the title's.
pub(super) fn rows(cause: &Cause) -> Vec<(&'static str, Vec<String>)> {
    let row = |c: &Change| match c {
        Change::Version { .. } if cause.changes.len() > 1 => None,
        Change::Version { .. } => Some(("version", vec!["only the version changed".to_owned()])),
        other => Some(words(other)),
    };
    cause.changes.iter().filter_map(row).collect()
}

/// One change.
pub(super) fn words(change: &Change) -> (&'static str, Vec<String>) {
    let one = |text: String| vec![text];
    match change {
        Change::Version { old, new } => ("version", one(arrow(old.as_deref(), new.as_deref()))),
        Change::Name { old, new } => ("name", one(format!("{old} → {new}"))),
        Change::Source { old, new } if old == new => ("source", one(format!("{old}: other content"))),
        Change::Source { old, new } => ("source", one(format!("{old} → {new}"))),
        Change::InputAdded(p) => ("added", one(part(p))),
        Change::InputRemoved(p) => ("removed", one(part(p))),
        Change::InputOutputs { name, removed, added } => {
            ("outputs", one(format!("of {name}: {}", signed(removed, added).join(" "))))
        }
        Change::Attribute { key, difference } => ("attribute", differs(key, difference)),
        Change::Builder { difference } => ("builder", differs("", difference)),
        Change::Arguments { difference } => ("arguments", differs("", difference)),
        Change::Platform { old, new } => ("platform", one(format!("{old} → {new}"))),
        Change::Outputs { old, new } => ("outputs", one(format!("{} → {}", old.join(", "), new.join(", ")))),
        Change::Absent { old, new } => {
            let which = match (old, new) {
                (true, true) => "both .drv files are",
                (true, false) => "the old .drv file is",
                _ => "the new .drv file is",
            };
            ("unknown", one(format!("{which} not there any more: what else changed is not known")))
        }
        Change::Unexplained => ("unknown", one("differs in nothing that is compared".to_owned())),
    }
}

/// `fix.patch (patches)`.
fn part(part: &Part) -> String {
    match part.attributes.as_slice() {
        [] => part.name.clone(),
        keys => format!("{} ({})", part.name, keys.join(", ")),
    }
}

fn differs(key: &str, difference: &Difference) -> Vec<String> {
    let of = |text: String| vec![if key.is_empty() { text } else { format!("{key}: {text}") }];
    match difference {
        Difference::Values { old: Some(a), new: Some(b) } => of(format!("{} → {}", quoted(a), quoted(b))),
        Difference::Values { old: None, new: b } => {
            of(format!("added: {}", quoted(b.as_deref().unwrap_or(""))))
        }
        Difference::Values { old: Some(a), new: None } => of(format!("removed: {}", quoted(a))),
        Difference::Words { removed, added } => of(signed(removed, added).join(" ")),
        Difference::Lines { removed, added } => {
            let mut lines = if key.is_empty() { Vec::new() } else { vec![format!("{key}:")] };
            lines.extend(signed(removed, added).into_iter().map(|l| format!("  {}", l.trim_end())));
            lines
        }
        Difference::Order => of("the same in another order".to_owned()),
        Difference::Size { old: Some(a), new: Some(b) } => {
            of(format!("changed ({} → {})", size(*a), size(*b)))
        }
        Difference::Size { old: None, new } => of(format!("added ({})", size(new.unwrap_or(0)))),
        Difference::Size { old: Some(a), new: None } => of(format!("removed ({})", size(*a))),
        Difference::Hidden => of("changed (hidden: it may be secret)".to_owned()),
    }
}

fn signed(removed: &[String], added: &[String]) -> Vec<String> {
    removed.iter().map(|w| format!("-{w}")).chain(added.iter().map(|w| format!("+{w}"))).collect()
}

fn quoted(text: &str) -> String {
    if text.is_empty() { "\"\"".to_owned() } else { text.to_owned() }
}

fn size(n: usize) -> String {
    bytes(n as u64)
}

fn arrow(old: Option<&str>, new: Option<&str>) -> String {
    let word = |v: Option<&str>| v.unwrap_or("(no version)").to_owned();
    format!("{} → {}", word(old), word(new))
}
