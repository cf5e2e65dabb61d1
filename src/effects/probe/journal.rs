//! `journal`: a pattern does not appear in the journal.
//!
//! Only the monotonic clock decides what counts: wall time may be set while entries are written. journalctl has no
//! option for it, so the newest entries of this boot are read, and more of them until one is older than what counts.

use std::time::Duration;

use rustix::process::geteuid;
use serde::Deserialize;
use serde_json::Value;

use super::{Services, Since};
use crate::effects::clock;
use crate::health::ProbeResult;
use crate::health::kind::Journal;

/// So many entries are read; if all of them count, so many more.
const ENTRIES: [usize; 3] = [256, 4096, 32_768];
/// What so many may take, in bytes.
const OUTPUT: usize = 16 << 20;
/// Units of ours, whose words quote what was found elsewhere.
const OURS: &str = "nqd-";
/// The longest part of a line that is told.
const TOLD: usize = 200;

/// One entry as `journalctl --output=json` prints it, as far as it matters.
#[derive(Deserialize)]
struct Entry {
    /// Microseconds of the monotonic clock.
    #[serde(rename = "__MONOTONIC_TIMESTAMP")]
    at: String,
    #[serde(rename = "MESSAGE", default)]
    message: Value,
    /// Who wrote it.
    #[serde(rename = "_SYSTEMD_UNIT", default)]
    unit: Value,
    /// Whom systemd wrote it about.
    #[serde(rename = "UNIT", default)]
    about: Value,
}

/// What the entries that were read show.
#[derive(Debug, PartialEq, Eq)]
enum Seen {
    /// The pattern, in this line of this unit.
    Pattern(String, String),
    /// Everything that counts was among them, and the pattern was not.
    All,
    /// Nothing at all.
    Nothing,
    /// All of them count: there may be more.
    More,
}

pub(super) fn probe(services: &dyn Services, journal: &Journal, since: Since, time: Duration) -> ProbeResult {
    if !geteuid().is_root() {
        return ProbeResult::unknown("only root sees all of the journal");
    }
    let (since, span) = span(journal, since, clock::monotonic_micros());
    look(services, journal, since, time)
        .map_or_else(ProbeResult::unknown, |found| answer(journal, &span, found))
}

/// From when on what is logged counts, and how that is said.
fn span(journal: &Journal, since: Since, now: u64) -> (u64, String) {
    let back = now.saturating_sub(journal.within_seconds.saturating_mul(1_000_000));
    match (since.switch, since.settled) {
        (Some(switch), _) => (switch, "since the switch".to_owned()),
        (None, Some(settled)) if settled > back => (settled, "since this system was deployed".to_owned()),
        _ => (back, format!("in the last {} s", journal.within_seconds)),
    }
}

/// Looks for the pattern: the unit and the line that hold it, if any do.
fn look(
    services: &dyn Services,
    journal: &Journal,
    since: u64,
    time: Duration,
) -> Result<Option<(String, String)>, String> {
    let regex = regex_lite::Regex::new(&journal.pattern).map_err(|e| e.to_string())?;
    let started = clock::start();
    let read = |args: Vec<String>, n: usize| {
        let left = time.saturating_sub(started.elapsed()).max(Duration::from_millis(1));
        let out = services.journal(&args, (left, OUTPUT)).map_err(|e| e.to_string())?;
        judge(&out.stdout, n, since, &regex)
    };
    for n in ENTRIES {
        match read(arguments(Some(journal), n), n)? {
            Seen::Pattern(unit, line) => return Ok(Some((unit, line))),
            Seen::All => return Ok(None),
            Seen::More => {}
            // Is nothing logged, or does nobody keep what is? Every boot logs something.
            Seen::Nothing => {
                return match read(arguments(None, 1), 0)? {
                    Seen::Nothing => Err("the journal holds nothing of this boot".to_owned()),
                    _ => Ok(None),
                };
            }
        }
    }
    let most = ENTRIES.last().unwrap_or(&0);
    Err(format!("the journal holds more than {most} entries: name a unit, a priority or less time"))
}

/// The newest entries of this boot first.
fn arguments(journal: Option<&Journal>, entries: usize) -> Vec<String> {
    let fixed = ["--no-pager", "--quiet", "--all", "--boot", "--reverse", "--output=json"];
    let mut args: Vec<String> = fixed.map(str::to_owned).to_vec();
    args.push("--output-fields=MESSAGE,_SYSTEMD_UNIT,UNIT".to_owned());
    args.push(format!("--lines={entries}"));
    args.extend(journal.and_then(|j| j.unit.as_ref()).map(|u| format!("--unit={u}")));
    args.extend(journal.and_then(|j| j.priority).map(|p| format!("--priority={}", p.word())));
    args
}

/// Reads what journalctl printed when it was asked for `asked` entries.
fn judge(output: &[u8], asked: usize, since: u64, regex: &regex_lite::Regex) -> Result<Seen, String> {
    let mut entries = 0;
    for line in output.split(|b| *b == b'\n').filter(|l| !l.is_empty()) {
        let odd = |e: &dyn std::fmt::Display| format!("journalctl printed what is no entry: {e}");
        let entry: Entry = serde_json::from_slice(line).map_err(|e| odd(&e))?;
        if entry.at.parse::<u64>().map_err(|e| odd(&e))? < since {
            return Ok(Seen::All);
        }
        entries += 1;
        let (unit, about) = (text(&entry.unit), text(&entry.about));
        if unit.starts_with(OURS) || about.starts_with(OURS) {
            continue;
        }
        if let Some(line) = text(&entry.message).lines().find(|l| regex.is_match(l)) {
            let who = if about.is_empty() { unit } else { about };
            return Ok(Seen::Pattern(who, line.chars().take(TOLD).collect()));
        }
    }
    Ok(match entries {
        0 => Seen::Nothing,
        n if n < asked => Seen::All,
        _ => Seen::More,
    })
}

/// A field is a string, an array of bytes where it is not UTF-8, or an array of both where it was given twice.
fn text(field: &Value) -> String {
    let byte = |v: &Value| v.as_u64().and_then(|n| u8::try_from(n).ok());
    match field {
        Value::String(text) => text.clone(),
        Value::Array(all) => match all.iter().map(byte).collect::<Option<Vec<u8>>>() {
            Some(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            None => all.iter().map(text).collect::<Vec<_>>().join("\n"),
        },
        _ => String::new(),
    }
}

fn answer(journal: &Journal, span: &str, found: Option<(String, String)>) -> ProbeResult {
    let pattern = &journal.pattern;
    match found {
        None => ProbeResult::pass(format!("nothing that was logged {span} matches {pattern:?}")),
        Some((unit, line)) => {
            let who = if unit.is_empty() { "somebody" } else { &unit };
            ProbeResult::fail(format!("{who} logged {line:?} {span}, which matches {pattern:?}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::effects::runner::{Output, RunError};

    fn entry(at: u64, unit: &str, message: &str) -> String {
        format!(
            r#"{{"__CURSOR":"s=1","__MONOTONIC_TIMESTAMP":"{at}","_SYSTEMD_UNIT":"{unit}","MESSAGE":{message}}}"#
        )
    }

    fn seen(entries: &[String], asked: usize) -> Result<Seen, String> {
        let regex = regex_lite::Regex::new("out of memory$").unwrap();
        judge(format!("{}\n", entries.join("\n")).as_bytes(), asked, 100, &regex)
    }

    #[test]
    fn what_counts_is_what_was_logged_since() {
        let well = entry(300, "web.service", r#""ready""#);
        let bad = |at| entry(at, "web.service", r#""first line\nworker 3: out of memory\nthird""#);
        let pattern = Seen::Pattern("web.service".into(), "worker 3: out of memory".into());
        assert_eq!(seen(&[well.clone(), bad(100), well.clone()], 3).unwrap(), pattern);
        assert_eq!(seen(&[well.clone(), bad(99)], 2).unwrap(), Seen::All, "it is older");
        assert_eq!(seen(&[well.clone(), well.clone()], 3).unwrap(), Seen::All, "there are no others");
        assert_eq!(seen(&[well.clone(), well], 2).unwrap(), Seen::More);
        assert_eq!(seen(&[], 2).unwrap(), Seen::Nothing);
    }

    #[test]
    fn what_we_say_of_it_is_no_other_appearance() {
        let ours = entry(200, "nqd-health.service", r#""web logged out of memory""#);
        let about = r#"{"__MONOTONIC_TIMESTAMP":"200","_SYSTEMD_UNIT":"init.scope","UNIT":"nqd-probe-1.service","MESSAGE":"out of memory"}"#;
        assert_eq!(seen(&[ours, about.to_owned()], 9).unwrap(), Seen::All);
        let killed = about.replace("nqd-probe-1", "web");
        assert!(matches!(seen(&[killed], 9).unwrap(), Seen::Pattern(unit, _) if unit == "web.service"));
    }

    #[test]
    fn fields_of_any_shape() {
        let bytes: Vec<u8> = b"caf\xe9: out of memory".to_vec();
        let odd = entry(200, "a.service", &serde_json::to_string(&bytes).unwrap());
        assert!(matches!(seen(&[odd], 9).unwrap(), Seen::Pattern(..)));
        let twice = entry(200, "a.service", r#"["x","out of memory"]"#);
        assert!(matches!(seen(&[twice], 9).unwrap(), Seen::Pattern(..)));
        assert_eq!(seen(&[entry(200, "a.service", "null")], 9).unwrap(), Seen::All);
        assert!(seen(&["-- No entries --".to_owned()], 9).is_err());
        assert!(seen(&[entry(0, "a", "1").replace("\"0\"", "\"soon\"")], 9).is_err());
    }

    fn journal(more: &str) -> Journal {
        serde_json::from_str(&format!(r#"{{"pattern":"out of memory"{more}}}"#)).unwrap()
    }

    #[test]
    fn what_counts_begins_with_the_switch_or_lies_within_the_time() {
        let of =
            |switch, settled, now| span(&journal(r#","withinSeconds":2"#), Since { switch, settled }, now);
        let second = 1_000_000;
        assert_eq!(of(None, None, 5 * second), (3 * second, "in the last 2 s".to_owned()));
        assert_eq!(of(None, None, second).0, 0, "no further than this boot");
        assert_eq!(of(None, Some(4 * second), 5 * second).0, 4 * second);
        assert_eq!(of(None, Some(second), 5 * second).0, 3 * second);
        assert_eq!(of(Some(second), None, 5 * second), (second, "since the switch".to_owned()));
    }

    /// journalctl with a journal of its own: the newest entries first, filtered by unit.
    struct Recorded(Vec<String>);

    impl Services for Recorded {
        fn unit(&self, _: &crate::model::UnitName) -> Result<crate::health::UnitState, RunError> {
            Err(RunError::NotText)
        }
        fn run_to_end(
            &self,
            _: &str,
            _: &[String],
            _: &[String],
            _: (Duration, usize),
        ) -> Result<Output, RunError> {
            Err(RunError::NotText)
        }
        fn kill(&self, _: &str) -> Result<(), RunError> {
            Err(RunError::NotText)
        }
        fn journal(&self, args: &[String], _: (Duration, usize)) -> Result<Output, RunError> {
            if self.0.first().is_some_and(|l| l == "broken") {
                return Err(RunError::NotText);
            }
            let value = |name| args.iter().find_map(|a| a.strip_prefix(name)).unwrap_or_default();
            let unit = format!("\"{}", value("--unit="));
            let lines = self.0.iter().filter(|l| l.contains(&unit)).take(value("--lines=").parse().unwrap());
            let text = lines.fold(String::new(), |all, l| all + l + "\n");
            Ok(Output { stdout: text.into_bytes(), ..Output::default() })
        }
    }

    #[test]
    fn it_is_read_until_an_entry_is_older_or_there_is_no_other() {
        let well =
            |n: u64| (0..n).map(|i| entry(100_000 - i, "web.service", r#""ready""#)).collect::<Vec<_>>();
        let bad = |at| entry(at, "web.service", r#""out of memory""#);
        let of = |entries: Vec<String>, more: &str| {
            look(&Recorded(entries), &journal(more), 100, Duration::from_secs(9))
        };
        let found = |entries, more| of(entries, more).unwrap().is_some();
        assert!(found([well(10), vec![bad(200)]].concat(), ""));
        assert!(!found([well(10), vec![bad(99)]].concat(), ""));
        assert!(found([well(5000), vec![bad(200)]].concat(), ""), "beyond what is read at first");
        assert!(!found([well(5000), vec![bad(99)]].concat(), ""));
        assert!(of(well(40_000), "").unwrap_err().contains("more than 32768 entries"));
        assert!(!found(vec![bad(200)], r#","unit":"other.service""#), "the unit has logged nothing");
        assert!(of(Vec::new(), "").unwrap_err().contains("nothing of this boot"));
        assert!(of(vec!["broken".to_owned()], "").is_err());
    }

    #[test]
    fn what_journalctl_is_asked() {
        assert_eq!(
            arguments(Some(&journal(r#","unit":"web.service","priority":"err""#)), 256).join(" "),
            "--no-pager --quiet --all --boot --reverse --output=json --output-fields=MESSAGE,_SYSTEMD_UNIT,UNIT --lines=256 --unit=web.service --priority=err"
        );
    }
}
