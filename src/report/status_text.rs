//! The state of a machine for people.

use console::style;

use crate::deploy::facts::TargetFacts;
use crate::effects::clock;
use crate::guard::State;
use crate::guard::protocol::Status;
use crate::model::text::printable;

/// What runs, what boots, the last transaction.
pub fn render(name: &str, facts: &TargetFacts) -> String {
    let triple = &facts.triple;
    let version = facts.running.nixos_version.as_ref().map_or_else(String::new, |v| format!(" ({v})"));
    let mut out = vec![
        format!("{}", style(name).bold()),
        row("runs", &format!("{}{version}", triple.running.short())),
        row(
            "profile",
            &triple
                .profile
                .as_ref()
                .map_or("none".to_owned(), |g| format!("generation {}, {}", g.number, g.path.short())),
        ),
        row("boots", &boots(facts)),
    ];
    if let Some(how) = triple.diverged(&facts.profile_specialisations) {
        out.push(row("diverged", &how));
    }
    let labels = std::iter::once("last").chain(std::iter::repeat(""));
    out.extend(labels.zip(last(facts.status.as_ref())).map(|(label, line)| row(label, &line)));
    out.join("\n")
}

fn row(label: &str, value: &str) -> String {
    format!("  {} {}", style(format!("{label:<8}")).dim(), printable(value, false))
}

fn boots(facts: &TargetFacts) -> String {
    match (facts.triple.boot_default.path(), &facts.triple.profile) {
        (Some(path), _) => path.short(),
        (None, Some(profile)) => {
            format!("{} (the profile names {})", facts.triple.boot_default, profile.path.short())
        }
        (None, None) => facts.triple.boot_default.to_string(),
    }
}

fn last(status: Option<&Status>) -> Vec<String> {
    let Some(record) = status.and_then(|s| s.record.as_ref()) else {
        return vec!["no transaction".to_owned()];
    };
    let ago = clock::ago(&record.began)
        .map_or_else(String::new, |t| format!(", {} ago", humantime::format_duration(t)));
    let mut lines = vec![format!("transaction {} by {}{ago}", record.id, record.spec.origin.operator)];
    match (&record.outcome, status.is_some_and(|s| s.alive)) {
        (Some(outcome), _) => {
            lines.push(outcome.summary());
            if matches!(outcome.state, State::Held | State::Superseded) {
                lines.push("nqd doctor says what to do".to_owned());
            }
        }
        (None, true) => lines
            .push(format!("running: {}; nqd follow shows it, nqd cancel rolls it back", record.state.word())),
        (None, false) => lines.push(format!(
            "unfinished ({}), and its guard is dead: its dead man's timer takes over within 30 s, or nqd status does",
            record.state.word()
        )),
    }
    lines
}
