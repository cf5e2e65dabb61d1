//! What happens to packages, for people.

use std::cmp::Reverse;

use console::{Color, measure_text_width, style};

use super::columns::{padded, wrapped};
use crate::closure::{Change, ClosureDiff, Kind, Move};
use crate::model::text::{bytes, count, printable};

/// A growth below this is not worth a line where no version changes.
const NOTABLE: u64 = 64 << 10;
/// Paths without a version that are named at most, unless all are asked for.
const NAMED: usize = 24;

/// In which order packages are listed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Sort {
    /// Upgrades first, then downgrades, other changes, what is added, what is removed; each by name.
    #[default]
    Kind,
    /// By name.
    Name,
    /// What grows or shrinks most comes first.
    Size,
}

/// How things are shown.
#[derive(Debug, Clone, Copy)]
pub struct View {
    /// Columns.
    pub width: usize,
    /// The order of packages.
    pub sort: Sort,
    /// Every path, however small.
    pub all: bool,
}

/// Packages, rebuilds, other paths, sizes: one line each.
pub fn lines(diff: &ClosureDiff, view: &View) -> Vec<String> {
    let versioned: Vec<&Change> = sorted(diff.changes.iter().filter(|c| !c.is_versionless()), view.sort);
    let same: Vec<&Change> = diff.rebuilds.iter().filter(|c| !c.is_versionless()).collect();
    let bare = bare(diff);
    let mut out = Vec::new();
    if !versioned.is_empty() {
        let chosen = versioned.iter().any(|c| c.selected);
        let legend = if chosen { ", * chosen by somebody" } else { "" };
        out.push(heading("Packages", &format!("{}{legend}", counts(&versioned))));
        let names = versioned.iter().map(|c| measure_text_width(&c.name)).max().unwrap_or(0);
        let column = names.clamp(8, (view.width / 3).max(8));
        out.extend(versioned.iter().flat_map(|c| row(c, column, view.width)));
    }
    out.extend(rebuilt(&same, view));
    out.extend(others(&bare, view, versioned.is_empty()));
    out.push(heading("Closure", &size(diff)));
    out
}

/// A section's first line.
pub fn heading(title: &str, text: &str) -> String {
    format!("{}  {text}", style(title).bold())
}

/// In the order that was asked for.
pub fn sorted<'a>(changes: impl Iterator<Item = &'a Change>, sort: Sort) -> Vec<&'a Change> {
    let mut changes: Vec<&Change> = changes.collect();
    let order = |kind: Kind| match kind {
        Kind::Upgraded => 0,
        Kind::Downgraded => 1,
        Kind::Changed => 2,
        Kind::Added => 3,
        Kind::Removed => 4,
        Kind::Rebuilt => 5,
    };
    match sort {
        Sort::Kind => changes.sort_by(|a, b| (order(a.kind), &a.name).cmp(&(order(b.kind), &b.name))),
        Sort::Name => changes.sort_by(|a, b| a.name.cmp(&b.name)),
        Sort::Size => changes.sort_by_key(|c| Reverse(c.growth().unwrap_or(0).unsigned_abs())),
    }
    changes
}

/// `3 upgraded, 1 added`.
pub fn counts(changes: &[&Change]) -> String {
    let kinds = [Kind::Upgraded, Kind::Downgraded, Kind::Changed, Kind::Added, Kind::Removed];
    let parts = kinds.iter().filter_map(|kind| {
        let n = changes.iter().filter(|c| c.kind == *kind).count();
        (n > 0).then(|| format!("{n} {}", word(*kind)))
    });
    parts.collect::<Vec<_>>().join(", ")
}

fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::Upgraded => "upgraded",
        Kind::Downgraded => "downgraded",
        Kind::Changed => "changed",
        Kind::Added => "added",
        Kind::Removed => "removed",
        Kind::Rebuilt => "rebuilt",
    }
}

fn look(kind: Kind) -> (&'static str, Color) {
    match kind {
        Kind::Upgraded => ("↑", Color::Green),
        Kind::Downgraded => ("↓", Color::Red),
        Kind::Changed => ("~", Color::Yellow),
        Kind::Added => ("+", Color::Green),
        Kind::Removed => ("-", Color::Red),
        Kind::Rebuilt => ("=", Color::Blue),
    }
}

/// One package: in one line if that fits.
fn row(change: &Change, column: usize, width: usize) -> Vec<String> {
    let (mark, colour) = look(change.kind);
    let name = printable(&change.name, false);
    let name = if change.selected { style(name).bold().to_string() } else { name };
    let star = if change.selected { "*" } else { " " };
    let head = format!("  {}{star}{}", style(mark).fg(colour), padded(&name, column));
    let (versions, growth) = (versions(change), growth(change));
    let used = measure_text_width(&head) + 2 + measure_text_width(&versions) + 2;
    if used + growth.len() <= width {
        let room = width.saturating_sub(used);
        let gap =
            room.saturating_sub(growth.len()).min(40usize.saturating_sub(measure_text_width(&versions)));
        return vec![format!("{head}  {versions}{}  {growth}", " ".repeat(gap)).trim_end().to_owned()];
    }
    let mut lines = vec![head.trim_end().to_owned()];
    lines.extend(
        wrapped(versions.split(", "), ", ", (width.saturating_sub(6), 0))
            .into_iter()
            .map(|l| format!("      {l}")),
    );
    if growth.is_empty() {
        return lines;
    }
    match lines.last_mut() {
        Some(last) if measure_text_width(last) + 2 + growth.len() <= width => {
            last.push_str("  ");
            last.push_str(&growth);
        }
        _ => lines.push(format!("      {growth}")),
    }
    lines
}

fn versions(change: &Change) -> String {
    let text = |v: &str| if v.is_empty() { "(no version)".to_owned() } else { printable(v, false) };
    let one = |m: &Move| match (&m.old, &m.new) {
        (Some(old), Some(new)) => {
            let (old, new) = (text(old), text(new));
            let at = common(&old, &new);
            let (_, colour) = look(m.kind);
            format!("{} → {}{}", style(&old).dim(), &new[..at], style(&new[at..]).fg(colour))
        }
        (Some(old), None) if change.kind == Kind::Removed => text(old),
        (None, Some(new)) if change.kind == Kind::Added => text(new),
        (Some(old), None) => format!("{} removed", text(old)),
        (None, Some(new)) => format!("{} added", text(new)),
        (None, None) => String::new(),
    };
    let mut parts: Vec<String> = change.moves.iter().map(one).collect();
    if change.kind == Kind::Rebuilt {
        parts.extend(change.new.iter().map(|v| text(v)));
    }
    if !change.kept.is_empty() {
        let kept: Vec<String> = change.kept.iter().map(|v| text(v)).collect();
        parts.push(
            style(format!("{} {}", kept.join(", "), if kept.len() == 1 { "stays" } else { "stay" }))
                .dim()
                .to_string(),
        );
    }
    parts.join(", ")
}

/// Bytes of the longest common start that ends where a part of a version does.
fn common(a: &str, b: &str) -> usize {
    let same = a.bytes().zip(b.bytes()).take_while(|(x, y)| x == y).count();
    let part = b.get(..same).unwrap_or_default().rfind(|c: char| !c.is_ascii_alphanumeric());
    part.map_or(0, |at| at + 1).min(same)
}

/// `+1.2 MiB`; nothing where it is not known or nil.
fn growth(change: &Change) -> String {
    change.growth().filter(|g| *g != 0).map_or_else(String::new, signed)
}

fn signed(n: i64) -> String {
    format!("{}{}", if n < 0 { "-" } else { "+" }, bytes(n.unsigned_abs()))
}

/// Whether a change is worth a line although no version changes.
pub fn is_notable(change: &Change) -> bool {
    change.growth().is_some_and(|g| g.unsigned_abs() >= NOTABLE)
}

/// What has no version and differs.
pub fn bare(diff: &ClosureDiff) -> Vec<&Change> {
    diff.changes.iter().chain(&diff.rebuilds).filter(|c| c.is_versionless()).collect()
}

/// Same version, other content: a growth that would hide here is named.
fn rebuilt(same: &[&Change], view: &View) -> Vec<String> {
    if same.is_empty() {
        return Vec::new();
    }
    let shown: Vec<&Change> = sorted(same.iter().copied().filter(|c| view.all || is_notable(c)), Sort::Size);
    let total: i64 = same.iter().filter_map(|c| c.growth()).sum();
    let total = if total == 0 { String::new() } else { format!(", {}", signed(total)) };
    let mut out = vec![heading("Rebuilt", &format!("{}, same version{total}", count(same.len(), "package")))];
    let column = shown
        .iter()
        .map(|c| measure_text_width(&c.name))
        .max()
        .unwrap_or(8)
        .clamp(8, (view.width / 3).max(8));
    out.extend(shown.iter().flat_map(|c| row(c, column, view.width)));
    out
}

/// Paths without a version: configuration, mostly. Named where nothing else changes, counted otherwise.
fn others(bare: &[&Change], view: &View, alone: bool) -> Vec<String> {
    if bare.is_empty() {
        return Vec::new();
    }
    let of = |kind: Kind| bare.iter().filter(move |c| c.kind == kind);
    let parts: Vec<String> = [Kind::Rebuilt, Kind::Added, Kind::Removed, Kind::Changed]
        .into_iter()
        .filter_map(|kind| {
            let n = of(kind).count();
            let word = if kind == Kind::Rebuilt { "changed" } else { word(kind) };
            (n > 0).then(|| format!("{n} {word}"))
        })
        .collect();
    let total: i64 = bare.iter().filter_map(|c| c.growth()).sum();
    let total = if total == 0 { String::new() } else { format!(", {}", signed(total)) };
    let mut out = vec![heading("Other paths", &format!("{}{total}", parts.join(", ")))];
    let most = if view.all { usize::MAX } else { NAMED };
    let chosen = sorted(bare.iter().copied().filter(|c| alone || (view.all || is_notable(c))), Sort::Size);
    let mut names: Vec<String> = chosen.iter().take(most).map(|c| named(c)).collect();
    if chosen.len() > names.len() {
        names.push(format!("and {} more (--all)", chosen.len() - names.len()));
    }
    out.extend(
        wrapped(names, ", ", (view.width.saturating_sub(4), 0)).into_iter().map(|l| format!("    {l}")),
    );
    out
}

/// Its name, marked where it is added or removed, with a growth worth naming.
pub fn named(change: &Change) -> String {
    let mark = match change.kind {
        Kind::Added => "+",
        Kind::Removed => "-",
        _ => "",
    };
    let growth = change.growth().filter(|g| g.unsigned_abs() >= NOTABLE);
    format!(
        "{mark}{}{}",
        printable(&change.name, false),
        growth.map_or_else(String::new, |g| format!(" ({})", signed(g)))
    )
}

fn size(diff: &ClosureDiff) -> String {
    let [old, new] = diff.paths;
    let paths = format!("{old} → {new} paths (-{}, +{})", diff.old_paths, diff.new_paths);
    match diff.bytes {
        Some([old, new]) => {
            let grown = new.cast_signed().wrapping_sub(old.cast_signed());
            format!("{paths}, {} → {} ({})", bytes(old), bytes(new), signed(grown))
        }
        None => paths,
    }
}

#[cfg(test)]
mod tests;
