//! Root causes of rebuilds, for people.

mod change;
mod markdown;
#[cfg(test)]
mod tests;

use std::collections::HashMap;

use console::style;

pub use markdown::{markdown, markdown_beneath, markdown_sides};

use super::columns::{cut, wrapped};
use crate::closure::comparison::Side;
use crate::closure::why::{Beneath, Cause, Why};
use crate::model::text::{count, printable};

/// How much fits.
#[derive(Debug, Clone, Copy)]
pub struct Layout {
    /// Columns.
    pub width: usize,
    /// Root causes shown, at most; the rest is counted.
    pub most: usize,
}

impl Default for Layout {
    fn default() -> Self {
        Self { width: 80, most: 30 }
    }
}

/// The root causes, those that explain most first; what they changed; how much they explain.
pub fn render(why: &Why, layout: Layout) -> String {
    let mut out = vec![cut(&headline(why), layout.width)];
    let groups = groups(&why.roots);
    for (cause, times) in groups.iter().take(layout.most) {
        out.push(String::new());
        out.push(title(cause, *times, layout.width));
        out.extend(changes(cause, layout.width));
    }
    let rest = groups.len().saturating_sub(layout.most);
    if rest > 0 {
        out.push(String::new());
        out.push(format!("and {}", count(rest, "more cause")));
    }
    if why.cascades > 0 {
        out.push(String::new());
        let text = format!("{}: only inputs changed", count(why.cascades, "other rebuild"));
        out.push(style(cut(&text, layout.width)).dim().to_string());
    }
    out.extend(notes(why, layout.width));
    out.join("\n")
}

/// What a reader should know besides.
pub fn notes(why: &Why, width: usize) -> Vec<String> {
    let lines = |note: &String| wrap(&format!("note: {}", printable(note, false)), width, 2);
    why.notes.iter().flat_map(lines).map(|l| style(l).yellow().to_string()).collect()
}

/// The root causes beneath one package, and how it depends on each.
pub fn render_beneath(why: &Why, beneath: &Beneath, layout: Layout) -> String {
    let name = printable(&beneath.package, false);
    if beneath.differing == 0 {
        return wrap(&printable(&unchanged(beneath), false), layout.width, 2).join("\n");
    }
    let chains = beneath.chains.iter().filter_map(|c| Some((c, why.roots.get(c.root)?)));
    let all = count(beneath.chains.len(), "root cause");
    let mut out = vec![cut(&format!("{name} is rebuilt: {all}"), layout.width)];
    if beneath.added || beneath.removed {
        out.extend(wrap(&printable(&unchanged(beneath), false), layout.width, 2));
    }
    for (chain, cause) in chains.take(layout.most) {
        out.push(String::new());
        out.push(title(cause, 1, layout.width));
        if chain.path.len() > 1 {
            let path = printable(&chain.path.join(" → "), false);
            out.extend(row("through", &path, layout.width));
        }
        out.extend(changes(cause, layout.width));
    }
    let rest = beneath.chains.len().saturating_sub(layout.most);
    if rest > 0 {
        out.push(format!("\nand {}", count(rest, "more cause")));
    }
    out.join("\n")
}

/// Whether a package is there, and how it comes to be.
fn unchanged(beneath: &Beneath) -> String {
    let Some(way) = &beneath.way else { return format!("{} is in neither", beneath.package) };
    let said = match (beneath.added, beneath.removed) {
        (true, _) => "added",
        (_, true) => "removed; it was there by",
        _ => "not rebuilt; it is there by",
    };
    format!("{said}: {}", way.join(" → "))
}

/// The two that are compared, as `nqd diff` shows them: how one was named stands on a line of its own where it does not
/// fit into 80 columns.
pub fn sides([old, new]: [&Side; 2]) -> String {
    let line = |mark: &str, side: &Side| {
        let path = printable(side.path.as_str(), false);
        let named = printable(&side.named, false);
        let first = format!("{} {path}", style(mark).bold());
        if named == path {
            return first;
        }
        let both = format!("{first}  {}", style(&named).dim());
        let fits = console::measure_text_width(&both) <= Layout::default().width;
        if fits { both } else { format!("{first}\n    {}", style(named).dim()) }
    };
    format!("{}\n{}", line("<<<", old), line(">>>", new))
}

fn headline(why: &Why) -> String {
    if why.is_empty() {
        return "nothing is rebuilt".to_owned();
    }
    let causes = count(groups(&why.roots).len(), "root cause");
    format!("{causes} of {}", count(why.differing, "rebuild"))
}

/// Causes of one name with the same changes (the stages of a compiler, say) are one, so many times.
fn groups(roots: &[Cause]) -> Vec<(&Cause, usize)> {
    let mut groups: Vec<(&Cause, usize)> = Vec::new();
    let mut named: HashMap<&str, Vec<usize>> = HashMap::new();
    for cause in roots {
        let same = named.entry(&cause.name).or_default();
        let like = |i: &&usize| {
            let other = groups[**i].0;
            (&other.old, &other.new, &other.changes) == (&cause.old, &cause.new, &cause.changes)
        };
        match same.iter().find(like).copied() {
            Some(i) => groups[i].1 += 1,
            None => {
                same.push(groups.len());
                groups.push((cause, 1));
            }
        }
    }
    groups
}

/// `openssl 3.0.13 → 3.0.14 (2 derivations)          explains 2998`.
fn title(cause: &Cause, times: usize, width: usize) -> String {
    // Wider, the eye would lose the line.
    let width = width.min(100);
    let explains = format!("explains {}", cause.explains);
    let times = if times > 1 { format!(" ({times} derivations)") } else { String::new() };
    let rest = printable(&format!("{}{times}", change::versions(cause)), false);
    let name = printable(&cause.name, false);
    let room = width.saturating_sub(explains.len() + 2);
    let name = cut(&name, room);
    let rest = cut(&rest, room.saturating_sub(console::measure_text_width(&name)));
    let used = console::measure_text_width(&name) + console::measure_text_width(&rest);
    let gap = " ".repeat(width.saturating_sub(used + explains.len()));
    format!("{}{rest}{gap}{}", style(name).bold(), style(explains).dim())
}

fn changes(cause: &Cause, width: usize) -> Vec<String> {
    let mut out = Vec::new();
    for (label, lines) in change::rows(cause) {
        let mut label = label;
        for line in lines {
            out.extend(row(label, &printable(&line, false), width));
            label = "";
        }
    }
    if cause.changes.iter().all(|c| matches!(c, crate::closure::why::Change::Source { .. }))
        && !cause.used_by.is_empty()
    {
        out.extend(row("used by", &printable(&cause.used_by.join(", "), false), width));
    }
    out
}

/// `text` in lines of at most so many columns; those after the first are indented. A word that is longer is cut.
fn wrap(text: &str, width: usize, indent: usize) -> Vec<String> {
    let width = width.max(20);
    wrapped(text.trim_start().split(' '), " ", (width, indent)).iter().map(|l| cut(l, width)).collect()
}

/// Columns before a value.
const INDENT: usize = 12;

fn row(label: &str, value: &str, width: usize) -> Vec<String> {
    let lines = wrap(value, width.saturating_sub(INDENT), 2);
    let labels = std::iter::once(label).chain(std::iter::repeat(""));
    lines
        .into_iter()
        .zip(labels)
        .map(|(l, label)| format!("  {} {l}", style(format!("{label:<9}")).dim()))
        .collect()
}
