//! Root causes for a pull request.

use super::{Layout, change, groups, headline};
use crate::closure::why::Why;
use crate::model::text::{count, printable};

/// A headline and one item a root cause; Markdown as GitHub and Forgejo read it. The width is of no concern.
pub fn markdown(why: &Why, layout: Layout) -> String {
    let mut out = vec![format!("**{}**", printable(&headline(why), false)), String::new()];
    let groups = groups(&why.roots);
    for (cause, times) in groups.iter().take(layout.most) {
        let times = if *times > 1 { format!(" ×{times}") } else { String::new() };
        let title = format!("{}{}{times}", cause.name, change::versions(cause));
        out.push(format!("- {} explains {}", code(&title), cause.explains));
        for (label, lines) in change::rows(cause) {
            out.extend(lines.iter().map(|l| format!("  - {label} {}", code(l))));
        }
    }
    let rest = groups.len().saturating_sub(layout.most);
    if rest > 0 {
        out.push(format!("- and {}", count(rest, "more cause")));
    }
    out.extend(why.notes.iter().map(|n| format!("\n_{}_", printable(n, false))));
    out.join("\n")
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
