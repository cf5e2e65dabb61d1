//! What differs between two systems, for a terminal.

use console::style;

use super::columns::{cut, wrapped};
use super::system_sections::{Mark, Row, sections};
use crate::closure::system::Comparison;
use crate::model::text::{count, printable};

/// Lines of one unit's diff at most.
const MOST_LINES: usize = 40;
/// Narrower is not tried.
const LEAST_WIDTH: usize = 40;

/// The comparison in lines of at most `width` columns; words that are longer stand alone.
pub fn render(comparison: &Comparison, width: usize) -> String {
    let width = width.max(LEAST_WIDTH);
    let sections = sections(comparison);
    if sections.is_empty() {
        return "the systems are the same but for their packages".to_owned();
    }
    let mut out = Vec::new();
    for section in &sections {
        out.push(style(titled(section.title)).bold().to_string());
        for row in &section.rows {
            show(&mut out, row, width);
        }
    }
    out.join("\n")
}

/// As the other sections' titles: with a capital.
fn titled(title: &str) -> String {
    let mut chars = title.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

fn show(out: &mut Vec<String>, row: &Row, width: usize) {
    let mark = match row.mark {
        Mark::Added => style("+").green(),
        Mark::Removed => style("-").red(),
        Mark::Changed => style("~").cyan(),
        Mark::Warning => style("!").yellow(),
        Mark::Plain => style(" "),
    };
    let label = if row.label.is_empty() { String::new() } else { format!("{} ", row.label) };
    let text = format!("{label}{}", printable(&row.text, false));
    let lines = wrapped(text.split(' '), " ", (width - 6, 0));
    for (i, line) in lines.iter().enumerate() {
        // The label stands at the start of the first line only.
        let (head, rest) = if i == 0 {
            line.split_at_checked(label.len()).unwrap_or(("", line))
        } else {
            ("", line.as_str())
        };
        let head = if row.mark == Mark::Warning { style(head).yellow() } else { style(head).dim() };
        out.push(if i == 0 { format!("  {mark} {head}{rest}") } else { format!("      {rest}") });
    }
    for line in row.diff.iter().take(MOST_LINES) {
        let text = cut(&printable(line, false), width - 6);
        let styled = match line.bytes().next() {
            Some(b'+') => style(text).green(),
            Some(b'-') => style(text).red(),
            Some(b'@') => style(text).dim(),
            _ => style(text),
        };
        out.push(format!("      {styled}").trim_end().to_owned());
    }
    if row.diff.len() > MOST_LINES {
        let more = count(row.diff.len() - MOST_LINES, "more line");
        out.push(format!("      {}", style(more).dim()));
    }
}

#[cfg(test)]
mod tests;
