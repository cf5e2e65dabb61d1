//! What differs between two systems, in Markdown as GitHub and Forgejo show it: for a pull request.

use super::system_sections::{Mark, Row, sections};
use crate::closure::system::Comparison;
use crate::model::text::{count, printable};

/// Lines of one unit's diff at most: a comment has a limit of 65,536 characters.
const MOST_LINES: usize = 80;

/// The comparison. Whatever a system says stands in code spans and fences, where it is text.
pub fn render(comparison: &Comparison) -> String {
    let sections = sections(comparison);
    if sections.is_empty() {
        return "The systems are the same but for their packages.\n".to_owned();
    }
    let mut out = String::new();
    for section in &sections {
        let rows = section.rows.iter().map(|row| if row.diff.is_empty() { item(row) } else { details(row) });
        out.extend(["#### ", section.title, "\n\n"]);
        out.extend(rows);
        out.push('\n');
    }
    out
}

fn mark(mark: Mark) -> &'static str {
    match mark {
        Mark::Added => "➕ ",
        Mark::Removed => "➖ ",
        Mark::Changed => "✏️ ",
        Mark::Warning => "⚠️ ",
        Mark::Plain => "",
    }
}

fn item(row: &Row) -> String {
    let label = if row.label.is_empty() { String::new() } else { format!("{} ", row.label) };
    format!("- {}{label}{}\n", mark(row.mark), code(&printable(&row.text, false)))
}

fn details(row: &Row) -> String {
    let summary = html(&printable(&row.text, false));
    let lines: Vec<String> = row.diff.iter().take(MOST_LINES).map(|l| printable(l, false)).collect();
    let text = lines.join("\n");
    let fence = "`".repeat((longest_ticks(&text) + 1).max(3));
    let more = row.diff.len().saturating_sub(MOST_LINES);
    let more = if more > 0 { format!("{}\n\n", count(more, "more line")) } else { String::new() };
    format!(
        "<details><summary>{}<code>{summary}</code></summary>\n\n{fence}diff\n{text}\n{fence}\n\n{more}</details>\n\n",
        mark(row.mark)
    )
}

/// A code span that no backtick inside can end (`CommonMark`, 6.1).
fn code(text: &str) -> String {
    let fence = "`".repeat(longest_ticks(text) + 1);
    let pad = if text.starts_with('`') || text.ends_with('`') { " " } else { "" };
    format!("{fence}{pad}{text}{pad}{fence}")
}

fn longest_ticks(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or(0)
}

fn html(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
