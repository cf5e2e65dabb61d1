//! docs/RELIABILITY.md, as a run writes it.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

/// A line of the table.
pub struct Line {
    /// Of the product of states.
    pub kill: bool,
    pub fault: String,
    pub when: String,
    pub ran: String,
    pub verdict: String,
}

pub fn write(file: &Path, lines: &mut [(usize, Line)], took: Duration) {
    lines.sort_by_key(|(n, _)| *n);
    let rows = lines.iter().filter(|(_, l)| !l.kill).count();
    let mut text = format!(
        "# Reliability\n\nWritten by `scripts/test --faults`: {rows} injected faults and {} kills and power cuts around journal writes, each on a real \
         machine, in {} minutes. After each, one function (`tests/faults/promise.rs`) checked that\n\n\
         - what runs, `/etc`, the profile and the boot default are what they were unless it was committed; if it was, all are the candidate and every required check passed;\n\
         - `held` and `superseded` came only where they are named below, and then `nqd status` said what to do;\n\
         - every file that the guard keeps was readable, and no generation was gone;\n\
         - what `nqd` reported is what the target had written down;\n\
         - the next deployment worked, and nobody had to clean up.\n\n\
         The third column says of what runs, what the profile names and what boots, in this order, whether it is the system that was there\n\
         before (old), the candidate (new) or one that somebody else brought (another).\n",
        lines.len() - rows,
        took.as_secs().div_ceil(60)
    );
    for (title, kill) in [("Faults", false), ("Kills and power cuts around each journal write", true)] {
        write!(text, "\n## {title}\n\n| fault | when | runs, profile names, boots | verdict |\n| --- | --- | --- | --- |\n").unwrap();
        for (_, line) in lines.iter().filter(|(_, l)| l.kill == kill) {
            writeln!(text, "| {} | {} | {} | {} |", line.fault, line.when, line.ran, line.verdict).unwrap();
        }
    }
    std::fs::write(file, text).unwrap();
}
