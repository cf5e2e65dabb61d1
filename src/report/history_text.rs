//! One record of the history, for a person.

use console::style;

use crate::exit::Exit;
use crate::guard::Evidence;
use crate::model::text::printable;

/// Two lines: when, who, what; and how it ended.
pub fn render(evidence: &Evidence) -> String {
    let colour = match evidence.outcome.exit {
        Exit::Ok => console::Color::Green,
        Exit::Degraded | Exit::Refused => console::Color::Yellow,
        _ => console::Color::Red,
    };
    let from = match (&evidence.revision, evidence.flake.as_str()) {
        (Some(revision), flake) => format!(" from {flake} at {revision}"),
        (None, "") => String::new(),
        (None, flake) => format!(" from {flake}"),
    };
    let Evidence { ended, id, operator, candidate, outcome, .. } = evidence;
    let first = format!("{ended}  {id}  {operator}{from}: {}", candidate.short());
    let second = style(printable(&outcome.summary(), false)).fg(colour);
    format!("{}\n  {second}", printable(&first, false))
}
