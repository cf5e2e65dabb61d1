//! Root causes for a pull request.

use super::{Layout, change, groups, headline, unchanged};
use crate::closure::comparison::Side;
use crate::closure::why::{Beneath, Cause, Why};
use crate::model::text::{count, printable};

/// A headline and one item a root cause; Markdown as GitHub and Forgejo read it. The width is of no concern.
pub fn markdown(why: &Why, layout: Layout) -> String {
    let mut out = vec![format!("**{}**", printable(&headline(why), false)), String::new()];
    let groups = groups(&why.roots);
    for (cause, times) in groups.iter().take(layout.most) {
        let times = if *times > 1 { format!(" ×{times}") } else { String::new() };
        out.extend(item(cause, &times));
    }
    let rest = groups.len().saturating_sub(layout.most);
    if rest > 0 {
        out.push(format!("- and {}", count(rest, "more cause")));
    }
    out.extend(notes(why));
    out.join("\n")
}

/// The same of what lies beneath one package.
pub fn markdown_beneath(why: &Why, beneath: &Beneath, layout: Layout) -> String {
    if beneath.differing == 0 {
        let all = [code(&unchanged(beneath))].into_iter().chain(notes(why));
        return all.collect::<Vec<_>>().join("\n");
    }
    let all = count(beneath.chains.len(), "root cause");
    let mut out = vec![format!("**{} is rebuilt: {all}**", code(&beneath.package)), String::new()];
    let chains = beneath.chains.iter().filter_map(|c| Some((c, why.roots.get(c.root)?)));
    for (chain, cause) in chains.take(layout.most) {
        let mut lines = item(cause, "");
        if chain.path.len() > 1 {
            lines.insert(1, format!("  - through {}", code(&chain.path.join(" → "))));
        }
        out.extend(lines);
    }
    let rest = beneath.chains.len().saturating_sub(layout.most);
    if rest > 0 {
        out.push(format!("- and {}", count(rest, "more cause")));
    }
    out.extend(notes(why));
    out.join("\n")
}

/// The two that are compared.
pub fn markdown_sides([old, new]: [&Side; 2]) -> String {
    format!("{} → {}\n", code(old.path.name()), code(new.path.name()))
}

fn item(cause: &Cause, times: &str) -> Vec<String> {
    let title = format!("{}{}{times}", cause.name, change::versions(cause));
    let mut out = vec![format!("- {} explains {}", code(&title), cause.explains)];
    for (label, lines) in change::rows(cause) {
        out.extend(lines.iter().map(|l| format!("  - {label} {}", code(l))));
    }
    out
}

fn notes(why: &Why) -> impl Iterator<Item = String> {
    why.notes.iter().map(|n| format!("\n_{}_", printable(n, false)))
}

/// As code, so that nothing in it is Markdown.
fn code(text: &str) -> String {
    let text = printable(text, false);
    let ticks = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(ticks + 1);
    // Next to the fence, a tick would belong to it.
    let space = if ticks > 0 { " " } else { "" };
    format!("{fence}{space}{}{space}{fence}", text.trim())
}
