//! What differs between two systems, as sections of rows that text and Markdown both show.

use crate::closure::mask::Secrets;
use crate::closure::system::parts::{Listed, Names, Pair};
use crate::closure::system::units_diff::UnitsDiff;
use crate::closure::system::{Actions, Comparison, Known, Source, SystemDiff, Unread};
use crate::model::text::count;

/// What a row says of what it names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// It came.
    Added,
    /// It went.
    Removed,
    /// It differs.
    Changed,
    /// A person should know it.
    Warning,
    /// Neither.
    Plain,
}

/// One row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// What it says of what it names.
    pub mark: Mark,
    /// A word before it; may be empty.
    pub label: &'static str,
    /// What it names.
    pub text: String,
    /// A unified diff, by lines; may be empty.
    pub diff: Vec<String>,
}

/// Rows under a title.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// Its title.
    pub title: &'static str,
    /// Its rows, at least one.
    pub rows: Vec<Row>,
}

/// Paths-only names shown at most; the rest is counted.
const MOST: usize = 12;

/// The sections of a comparison. None: nothing differs.
pub fn sections(comparison: &Comparison) -> Vec<Section> {
    match comparison {
        Comparison::Compared(diff) => compared(diff),
        Comparison::Empty([old, new]) => {
            let side = |name, why: &Option<_>| {
                why.as_ref()
                    .map(|why: &crate::closure::system::NoSystem| row(Mark::Warning, name, why.to_string()))
            };
            let rows = [side("old", old), side("new", new)].into_iter().flatten().collect();
            vec![Section { title: "system not compared", rows }]
        }
    }
}

fn compared(diff: &SystemDiff) -> Vec<Section> {
    let sections = [
        ("system", system(diff)),
        (actions_title(&diff.actions), actions(&diff.actions)),
        ("units", units(&diff.units)),
        ("user units", units(&diff.user_units)),
        ("/etc", names(&diff.etc)),
        ("users", known(&diff.users, names)),
        // Why they are not known is said with the users.
        ("groups", diff.groups.known().map(names).unwrap_or_default()),
        ("tmpfiles", listed(&diff.tmpfiles)),
        ("firewall", known(&diff.firewall, firewall)),
        ("specialisations", names(&diff.specialisations)),
        ("not read", unread(&diff.unread)),
    ];
    sections
        .into_iter()
        .filter(|(_, rows)| !rows.is_empty())
        .map(|(title, rows)| Section { title, rows })
        .collect()
}

fn row(mark: Mark, label: &'static str, text: impl Into<String>) -> Row {
    Row { mark, label, text: text.into(), diff: Vec::new() }
}

fn system(diff: &SystemDiff) -> Vec<Row> {
    let host = diff.host_name.known().into_iter().flatten();
    let mut rows: Vec<Row> = diff.parts.iter().chain(host).map(|p| row(Mark::Changed, "", pair(p))).collect();
    if !diff.kernel_params.is_empty() {
        let params = &diff.kernel_params;
        let words = params.added.iter().map(|w| format!("+{w}"));
        let mut text: Vec<String> = words.chain(params.removed.iter().map(|w| format!("-{w}"))).collect();
        text.extend(params.note.clone());
        text.extend(secrets(params.secrets).map(|s| format!("({s})")));
        rows.push(row(Mark::Changed, "kernel parameters", text.join(" ")));
    }
    if diff.switch_refuses {
        let text = "the init interface changed: a switch activates nothing, only a reboot does";
        rows.push(row(Mark::Warning, "reboot needed:", text));
    }
    if !diff.reboot.is_empty() {
        rows.push(row(Mark::Warning, "reboot needed:", format!("{} changed", diff.reboot.join(", "))));
    }
    rows
}

fn pair(pair: &Pair) -> String {
    let text = |v: &Option<String>| v.clone().unwrap_or("none".to_owned());
    match (&pair.old, &pair.new) {
        (Some(a), Some(b)) if a == b => format!("{} {a}: rebuilt, same version", pair.what),
        (a, b) => format!("{} {} → {}", pair.what, text(a), text(b)),
    }
}

fn actions_title(actions: &Actions) -> &'static str {
    match actions.source {
        Source::DryActivate => "the switch (as dry-activate says)",
        Source::Derived => "the switch (derived from the unit files: of these, what runs)",
    }
}

fn actions(actions: &Actions) -> Vec<Row> {
    let mut rows = Vec::new();
    if actions.reexec {
        rows.push(row(Mark::Changed, "re-executes", "systemd"));
    }
    for (mark, label, units) in [
        (Mark::Removed, "stops", &actions.stop),
        (Mark::Changed, "restarts", &actions.restart),
        (Mark::Changed, "reloads", &actions.reload),
        (Mark::Added, "starts", &actions.start),
        (Mark::Plain, "leaves alone", &actions.left_alone),
    ] {
        if !units.is_empty() {
            rows.push(row(mark, label, join(units)));
        }
    }
    rows.extend(actions.said.iter().map(|line| row(Mark::Plain, "says", line.as_str())));
    rows
}

fn join<'a>(names: impl IntoIterator<Item = &'a String>) -> String {
    names.into_iter().map(String::as_str).collect::<Vec<_>>().join(", ")
}

fn units(diff: &UnitsDiff) -> Vec<Row> {
    let mut rows = came_and_went(&diff.added, &diff.removed);
    for unit in &diff.changed {
        let notes: Vec<&str> = unit.notes.iter().map(String::as_str).chain(secrets(unit.secrets)).collect();
        let notes = if notes.is_empty() { String::new() } else { format!(": {}", notes.join("; ")) };
        let lines = unit.diff.lines().map(str::to_owned).collect();
        rows.push(Row { diff: lines, ..row(Mark::Changed, "", format!("{}{notes}", unit.name)) });
    }
    rows.extend(paths_only(&diff.paths_only));
    rows.extend(not_compared(&diff.not_compared));
    rows
}

fn secrets(secrets: Secrets) -> Option<&'static str> {
    match secrets {
        Secrets::Same => None,
        Secrets::Changed => Some("a masked value changed"),
        Secrets::NotComparable => Some("masked values not compared"),
    }
}

fn came_and_went(added: &[String], removed: &[String]) -> Vec<Row> {
    let lists = [(Mark::Added, added), (Mark::Removed, removed)];
    lists.into_iter().filter(|(_, l)| !l.is_empty()).map(|(mark, l)| row(mark, "", join(l))).collect()
}

fn paths_only(names: &[String]) -> Option<Row> {
    let more = names.len().saturating_sub(MOST);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let text = format!("{}{more}", join(names.iter().take(MOST)));
    (!names.is_empty()).then(|| row(Mark::Plain, "paths only:", text))
}

fn not_compared(unread: &[Unread]) -> Vec<Row> {
    let one = |u: &Unread| row(Mark::Plain, "not compared:", format!("{}: {}", u.path, u.why));
    let mut rows: Vec<Row> = unread.iter().take(MOST).map(one).collect();
    if unread.len() > MOST {
        rows.push(row(Mark::Plain, "not compared:", count(unread.len() - MOST, "more file")));
    }
    rows
}

fn names(names: &Names) -> Vec<Row> {
    let mut rows = came_and_went(&names.added, &names.removed);
    let changed =
        |(name, how): (&String, &Vec<String>)| row(Mark::Changed, "", format!("{name}: {}", how.join("; ")));
    rows.extend(names.changed.iter().map(changed));
    rows.extend(paths_only(&names.paths_only));
    rows.extend(not_compared(&names.not_compared));
    rows
}

fn known<T>(known: &Known<T>, rows: impl Fn(&T) -> Vec<Row>) -> Vec<Row> {
    match known {
        Known::Known(value) => rows(value),
        Known::NotKnown(why) => vec![row(Mark::Plain, "not known:", why.as_str())],
    }
}

fn listed(list: &Listed) -> Vec<Row> {
    let line = |mark| move |l: &String| row(mark, "", l.as_str());
    let added = list.added.iter().map(line(Mark::Added));
    let mut rows: Vec<Row> = added.chain(list.removed.iter().map(line(Mark::Removed))).collect();
    rows.extend(secrets(list.secrets).map(|s| row(Mark::Changed, "", s)));
    rows
}

fn firewall(list: &Listed) -> Vec<Row> {
    let lists = [(Mark::Added, "opens", &list.added), (Mark::Removed, "closes", &list.removed)];
    lists
        .into_iter()
        .filter(|(.., l)| !l.is_empty())
        .map(|(mark, label, l)| row(mark, label, join(l)))
        .collect()
}

fn unread(sides: &[Vec<Unread>; 2]) -> Vec<Row> {
    let [old, new] = sides;
    let side = |label, list: &'_ [Unread]| -> Vec<Row> {
        list.iter().map(|u| row(Mark::Warning, label, format!("{}: {}", u.path, u.why))).collect()
    };
    let mut rows = side("old", old);
    rows.extend(side("new", new));
    if rows.len() > MOST {
        let more = count(rows.len() - MOST, "more file");
        rows.truncate(MOST);
        rows.push(row(Mark::Warning, "and", more));
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_compared_is_counted_where_it_is_much() {
        let one = |i: usize| Unread { path: i.to_string(), why: "it is large".to_owned() };
        let rows = |n: usize| not_compared(&(0..n).map(one).collect::<Vec<_>>());
        assert_eq!(rows(MOST).len(), MOST);
        assert_eq!((rows(100).len(), rows(100)[MOST].text.as_str()), (MOST + 1, "88 more files"));
    }
}
