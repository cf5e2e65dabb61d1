//! Two systems compared, for people and for a pull request.

use console::style;

use super::packages_text::{self, View};
use super::{system_markdown, system_text};
use crate::closure::change::{Change, Kind};
use crate::closure::comparison::{Comparison, Side};
use crate::model::text::{bytes, printable};

/// The whole comparison.
pub fn render(c: &Comparison, view: &View) -> String {
    let side = |mark: &str, side: &Side| {
        let path = printable(side.path.as_str(), false);
        let named = printable(&side.named, false);
        let named = if named == path { String::new() } else { format!("  {}", style(named).dim()) };
        format!("{} {path}{named}", style(mark).bold())
    };
    let mut out = vec![side("<<<", &c.old), side(">>>", &c.new)];
    if c.is_empty() {
        out.push("no change: the two are the same".to_owned());
    } else {
        out.extend(packages_text::lines(&c.packages, view));
        out.push(system_text::render(&c.system, view.width));
    }
    for note in &c.notes {
        out.push(format!("{} {}", style("note:").yellow(), printable(note, false)));
    }
    out.join("\n")
}

/// As a table for a pull request.
pub fn markdown(c: &Comparison) -> String {
    let cell = |text: &str| printable(text, false).replace('|', "\\|").replace('<', "&lt;");
    let mut out = vec![format!("**{}** → **{}**\n", cell(c.old.path.name()), cell(c.new.path.name()))];
    if c.is_empty() {
        out.push("No change.".to_owned());
        return out.join("\n");
    }
    let shown: Vec<&Change> = c.packages.changes.iter().filter(|c| !c.is_versionless()).collect();
    if !shown.is_empty() {
        out.push(format!("{}\n", packages_text::counts(&shown)));
        out.push("| | package | old | new | size |\n| --- | --- | --- | --- | ---: |".to_owned());
    }
    for change in shown {
        let growth = change.growth().filter(|g| *g != 0);
        let size = growth.map_or_else(String::new, |g| {
            format!("{}{}", if g < 0 { "-" } else { "+" }, bytes(g.unsigned_abs()))
        });
        let name = cell(&change.name);
        let name = if change.selected { format!("**{name}**") } else { name };
        let (old, new) = (cell(&change.old.join(", ")), cell(&change.new.join(", ")));
        out.push(format!("| {} | {name} | {old} | {new} | {size} |", sign(change.kind)));
    }
    let [old, new] = c.packages.paths;
    let sizes =
        c.packages.bytes.map_or_else(String::new, |[old, new]| format!("; {} → {}", bytes(old), bytes(new)));
    let rebuilt = c.packages.rebuilt;
    out.push(format!("\n{rebuilt} rebuilt with the same version or none; {old} → {new} paths{sizes}\n"));
    out.push(system_markdown::render(&c.system));
    out.join("\n")
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
