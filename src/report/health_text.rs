//! A report of health checks for people.

use crate::exit::Exit;
use crate::health::examination::Examination;
use crate::health::{CheckReport, Level, Standing};
use crate::model::text::printable;

/// The verdict, and a line for each check.
pub fn render(examination: &Examination) -> String {
    let verdict = match examination.verdict {
        Exit::Ok => console::style("healthy").green(),
        Exit::Degraded => console::style("degraded").yellow(),
        Exit::Inconclusive => console::style("not known").red(),
        _ => console::style("unhealthy").red(),
    };
    let lines = examination.checks.iter().map(line);
    let head =
        format!("{}: {verdict}; runs {}", printable(&examination.host, false), examination.system.short());
    std::iter::once(head).chain(lines).collect::<Vec<_>>().join("\n")
}

fn line(check: &CheckReport) -> String {
    let mark = match check.standing {
        Standing::Passing => console::style("pass   ").green(),
        Standing::Failing => console::style("FAIL   ").red(),
        Standing::Unknown => console::style("UNKNOWN").red(),
        Standing::Skipped => console::style("skipped").yellow(),
        Standing::Pending => console::style("pending").yellow(),
    };
    let level = match check.level {
        Level::Required => "",
        Level::Wanted => " (wanted)",
        Level::Info => " (info)",
    };
    format!("  {mark} {}{level}: {}", printable(&check.name, false), printable(&check.message, false))
}
