//! Two systems compared, for people and for a pull request.

use console::{measure_text_width, style};

use super::columns::wrapped;
use super::packages_text::{self, Sort, View};
use super::{system_markdown, system_text};
use crate::closure::change::{Change, Kind};
use crate::closure::comparison::{Comparison, Side};
use crate::model::text::{bytes, printable};

/// Paths without a version that a table names at most.
const MOST: usize = 24;

/// The whole comparison.
pub fn render(c: &Comparison, view: &View) -> String {
    let mut out = Vec::new();
    for (mark, side) in [("<<<", &c.old), (">>>", &c.new)] {
        out.extend(head(mark, side, view.width));
    }
    if c.is_empty() {
        out.push("no change: the two are the same".to_owned());
    } else {
        out.extend(packages_text::lines(&c.packages, view));
        out.push(system_text::render(&c.system, view.width));
    }
    for note in &c.notes {
        let lines = wrapped(printable(note, false).split(' '), " ", (view.width.saturating_sub(6), 0));
        for (n, line) in lines.iter().enumerate() {
            let label = if n == 0 { style("note:").yellow().to_string() } else { "     ".to_owned() };
            out.push(format!("{label} {line}"));
        }
    }
    out.join("\n")
}

/// Which system, and how it was named: in one line if that fits.
fn head(mark: &str, side: &Side, width: usize) -> Vec<String> {
    let (path, named) = (printable(side.path.as_str(), false), printable(&side.named, false));
    let first = format!("{} {path}", style(mark).bold());
    if named == path {
        return vec![first];
    }
    let both = format!("{first}  {}", style(&named).dim());
    if measure_text_width(&both) <= width {
        vec![both]
    } else {
        vec![first, format!("    {}", style(named).dim())]
    }
}

/// As a table for a pull request.
pub fn markdown(c: &Comparison, sort: Sort) -> String {
    let side = |s: &Side| format!("**{}** ({})", cell(s.path.name()), cell(&s.named));
    let mut out = vec![format!("{} → {}\n", side(&c.old), side(&c.new))];
    if c.is_empty() {
        out.push("No change.".to_owned());
    } else {
        packages(&mut out, c, sort);
        out.push(system_markdown::render(&c.system));
    }
    out.extend(c.notes.iter().map(|note| format!("\n_{}_", cell(note))));
    out.join("\n")
}

fn cell(text: &str) -> String {
    printable(text, false).replace('|', "\\|").replace('<', "&lt;")
}

fn packages(out: &mut Vec<String>, c: &Comparison, sort: Sort) {
    let shown = packages_text::sorted(c.packages.changes.iter().filter(|c| !c.is_versionless()), sort);
    let grown = c.packages.rebuilds.iter().filter(|c| packages_text::is_notable(c));
    let grown = packages_text::sorted(grown, sort);
    if !shown.is_empty() {
        out.push(format!("{}\n", packages_text::counts(&shown)));
    }
    if !(shown.is_empty() && grown.is_empty()) {
        out.push("| | package | old | new | size |\n| --- | --- | --- | --- | ---: |".to_owned());
    }
    out.extend(shown.iter().chain(&grown).map(|change| line(change)));
    let [old, new] = c.packages.paths;
    let sizes =
        c.packages.bytes.map_or_else(String::new, |[old, new]| format!("; {} → {}", bytes(old), bytes(new)));
    let rebuilt = c.packages.rebuilt;
    out.push(format!("\n{rebuilt} rebuilt with the same version or none; {old} → {new} paths{sizes}"));
    let bare: Vec<String> =
        packages_text::bare(&c.packages).iter().map(|c| cell(&packages_text::named(c))).collect();
    if !bare.is_empty() && bare.len() <= MOST {
        out.push(format!("\nPaths without a version: {}", bare.join(", ")));
    }
    out.push(String::new());
}

fn line(change: &Change) -> String {
    let growth = change.growth().filter(|g| *g != 0);
    let size = growth.map_or_else(String::new, |g| {
        format!("{}{}", if g < 0 { "-" } else { "+" }, bytes(g.unsigned_abs()))
    });
    let name = cell(&change.name);
    let name = if change.selected { format!("**{name}**") } else { name };
    let (old, new) = (cell(&change.old.join(", ")), cell(&change.new.join(", ")));
    format!("| {} | {name} | {old} | {new} | {size} |", sign(change.kind))
}

fn sign(kind: Kind) -> &'static str {
    match kind {
        Kind::Upgraded => "↑",
        Kind::Downgraded => "↓",
        Kind::Changed => "~",
        Kind::Added => "+",
        Kind::Removed => "−",
        Kind::Rebuilt => "=",
    }
}
