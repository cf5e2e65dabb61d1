//! What the end of a switch script means (DESIGN rule 8; the statuses are switch-to-configuration's).

use super::Reason;
use crate::effects::machine::{SwitchEnd, SwitchHow};

/// A switch script's status when another one holds the switch lock: EAGAIN.
pub const LOCKED: i32 = 11;

/// What to do after the candidate's `test`.
#[derive(Debug, Clone, PartialEq)]
pub enum Judged {
    /// The checks decide.
    Probe,
    /// It failed for this reason.
    Failed(Reason),
}

/// Judges the end of `switch-to-configuration test`. `waived` snippets may fail.
pub fn judge(end: &SwitchEnd, waived: &[String]) -> Judged {
    let unwaived = end.failed_snippets.iter().find(|s| !waived.contains(s));
    if let Some(snippet) = unwaived {
        return Judged::Failed(Reason::ActivationFailed { what: format!("snippet {snippet:?}") });
    }
    match &end.how {
        // 4: units failed. Whether that matters is for the checks to say.
        SwitchHow::Exited(0 | 4) => Judged::Probe,
        SwitchHow::Exited(2) if !end.failed_snippets.is_empty() => Judged::Probe,
        SwitchHow::Exited(2) => {
            Judged::Failed(Reason::ActivationFailed { what: "the activation script".to_owned() })
        }
        SwitchHow::Exited(100) => Judged::Failed(Reason::NeedsReboot),
        how => Judged::Failed(Reason::SwitchFailed { how: words(how) }),
    }
}

/// Whether a switch ran to its end: only then can the machine be what the script wanted.
pub fn completed(end: &SwitchEnd) -> Result<(), String> {
    match &end.how {
        SwitchHow::Exited(0 | 2 | 4) => Ok(()),
        how => Err(format!("its switch script {}", words(how))),
    }
}

/// "exited with 1", "was killed (signal)".
pub fn words(how: &SwitchHow) -> String {
    match how {
        SwitchHow::Exited(status) => format!("exited with {status}"),
        SwitchHow::Killed(what) => format!("was killed ({what})"),
        SwitchHow::TimedOut(limit) => format!("did not end within {} s and was killed", limit.as_secs_f32()),
    }
}

/// The name in a line "Activation script snippet 'etc' failed (1)".
pub fn failed_snippet(line: &str) -> Option<&str> {
    let (_, rest) = line.split_once("Activation script snippet '")?;
    let (name, rest) = rest.split_once('\'')?;
    rest.starts_with(" failed").then_some(name)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn end(how: SwitchHow, snippets: &[&str]) -> SwitchEnd {
        SwitchEnd { how, failed_snippets: snippets.iter().map(|s| (*s).to_owned()).collect() }
    }

    #[test]
    fn every_status() {
        use SwitchHow::{Exited, Killed, TimedOut};
        let rows = [
            (Exited(0), vec![], None),
            (Exited(4), vec![], None),
            (Exited(2), vec![], Some("activation failed: the activation script")),
            (Exited(0), vec!["users"], Some("activation failed: snippet \"users\"")),
            (Exited(2), vec!["waived"], None),
            (Exited(4), vec!["waived", "users"], Some("activation failed: snippet \"users\"")),
            (Exited(100), vec![], Some("it needs a reboot: the running system cannot be switched to it")),
            (Exited(1), vec![], Some("the switch script exited with 1")),
            (Exited(11), vec![], Some("the switch script exited with 11")),
            (Killed("signal".into()), vec![], Some("the switch script was killed (signal)")),
            (
                TimedOut(Duration::from_secs(600)),
                vec![],
                Some("the switch script did not end within 600 s and was killed"),
            ),
        ];
        for (how, snippets, expected) in rows {
            let judged = match judge(&end(how.clone(), &snippets), &["waived".to_owned()]) {
                Judged::Probe => None,
                Judged::Failed(reason) => Some(reason.to_string()),
            };
            assert_eq!(judged.as_deref(), expected, "{how:?} {snippets:?}");
        }
    }

    #[test]
    fn snippets_are_found() {
        assert_eq!(failed_snippet("Activation script snippet 'etc' failed (1)"), Some("etc"));
        assert_eq!(failed_snippet("setting up /etc..."), None);
    }
}
