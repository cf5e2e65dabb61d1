//! What is wrong with a machine's deployments, and how to get it out. Pure.

use crate::deploy::facts::TargetFacts;
use crate::exit::Exit;
use crate::guard::{Record, State};
use crate::model::text::printable;

/// Something that a person should see to.
#[derive(Debug, PartialEq, Eq)]
struct Finding {
    what: String,
    commands: Vec<String>,
}

/// Examines a machine. `host` is the words by which `nqd` finds it (`web`, `web --target-host root@10.0.0.2`), `login`
/// what logs in there as root (`ssh root@web`).
pub fn examine(host: &str, login: &str, facts: &TargetFacts) -> (String, Exit) {
    let record = facts.status.as_ref().and_then(|s| s.record.as_ref());
    let alive = facts.status.as_ref().is_some_and(|s| s.alive);
    let held = record.filter(|r| r.state == State::Held).map(|r| held(host, login, r, facts));
    let unfinished = record.filter(|r| !r.ended() && !alive).map(|r| unfinished(host, login, r));
    // A machine that is held is diverged because of that.
    let diverged = if held.is_none() && !alive { diverged(host, facts) } else { None };
    let exit = match (&held, &unfinished, &diverged) {
        (Some(_), ..) => Exit::Held,
        (None, None, None) => Exit::Ok,
        _ => Exit::Refused,
    };
    let superseded = record.filter(|r| r.state == State::Superseded && diverged.is_none());
    let superseded = superseded.map(|r| superseded_by(host, r, facts));
    let findings: Vec<Finding> =
        held.into_iter().chain(unfinished).chain(diverged).chain(superseded).collect();
    let (name, _) = host.split_once(' ').unwrap_or((host, ""));
    if findings.is_empty() {
        let what = if alive { "a transaction is running" } else { "nothing needs a person" };
        return (format!("{name}: {what}"), exit);
    }
    let mut text = Vec::new();
    for finding in findings {
        text.push(format!("{name}: {}", printable(&finding.what, false)));
        text.extend(finding.commands.iter().map(|c| format!("  {}", printable(c, false))));
    }
    (text.join("\n"), exit)
}

fn held(host: &str, login: &str, record: &Record, facts: &TargetFacts) -> Finding {
    let outcome = record.outcome.as_ref().map_or_else(String::new, |o| format!(": {}", o.summary()));
    let notes = record.outcome.iter().flat_map(|o| &o.notes);
    let notes = notes.fold(String::new(), |all, note| format!("{all}; {note}"));
    let what = format!("it is held since transaction {}{outcome}{notes}. To get out:", record.id);
    let previous = &record.previous;
    let mut commands = vec![
        format!("{login} systemctl --failed              # what is broken"),
        format!("{login} {previous}/bin/switch-to-configuration test   # run what was proved before"),
    ];
    let profile = record.previous_profile().unwrap_or(previous);
    let profile_is_back = facts.triple.profile.as_ref().is_some_and(|g| g.path == *profile);
    if !profile_is_back {
        commands.push(format!("{login} nix-env -p /nix/var/nix/profiles/system --set {profile}"));
    }
    if facts.triple.boot_default.path().is_none_or(|p| p != profile) {
        commands.push(format!("{login} {profile}/bin/switch-to-configuration boot   # and boot it"));
    }
    commands
        .push(format!("nqd rollback {host} --to {profile} --from-diverged   # proves it, which ends this"));
    Finding { what, commands }
}

fn unfinished(host: &str, login: &str, record: &Record) -> Finding {
    Finding {
        what: format!("transaction {} is unfinished and its guard is dead. To finish it:", record.describe()),
        commands: vec![format!("{login} {} recover", record.guard.display()), format!("nqd status {host}")],
    }
}

/// Somebody else's switch was left alone; nobody has proved it.
fn superseded_by(host: &str, record: &Record, facts: &TargetFacts) -> Finding {
    let what = format!(
        "transaction {} was superseded: somebody else switched. What runs was not proved. To prove and keep it:",
        record.id
    );
    Finding { what, commands: vec![format!("nqd rollback {host} --to {}", facts.triple.running)] }
}

fn diverged(host: &str, facts: &TargetFacts) -> Option<Finding> {
    let how = facts.triple.diverged(&facts.profile_specialisations)?;
    let commands = vec![
        format!("nqd deploy {host} --from-diverged          # to go on from here"),
        format!(
            "nqd rollback {host} --to {} --from-diverged   # to keep what runs, proved",
            facts.triple.running
        ),
    ];
    Some(Finding { what: format!("it is diverged: {how}. Choose:"), commands })
}

#[cfg(test)]
mod tests;
