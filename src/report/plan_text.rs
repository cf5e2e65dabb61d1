//! A plan for people.

use console::style;

use super::packages_text::{self, Sort, View};
use crate::closure::{Change, name};
use crate::deploy::facts::DryActivation;
use crate::deploy::plan::{Gate, Kind, Plan, Step};
use crate::guard::Options;
use crate::health::Level;
use crate::model::text::{bytes, count, printable};

/// Lines of changes that are shown at most; `nqd diff` shows them all.
const MOST: usize = 40;

/// Plans, one after another, each with what else changes in its system, where that is known. What changes alike on
/// several hosts is shown once, with their names.
pub fn render_all<'a>(plans: &[(&'a Plan, Option<String>)], width: usize) -> Vec<(&'a Plan, String)> {
    let one = |(plan, system): &(&'a Plan, Option<String>)| {
        let like = |(p, s): &&(&Plan, Option<String>)| {
            same_changes(p, plan) && s == system && p.kind != Kind::Nothing
        };
        let alike: Vec<&str> = plans.iter().filter(like).map(|(p, _)| p.name.as_str()).collect();
        let text = render(plan, &alike, width);
        let first = alike.first().is_none_or(|first| *first == plan.name.as_str());
        let system = system.as_ref().filter(|_| first);
        (*plan, system.map_or(text.clone(), |system| format!("{text}\n{system}")))
    };
    plans.iter().map(one).collect()
}

/// A plan, in lines of `what  value`. `alike`: the hosts on which the same changes, in the order in which they are shown.
pub fn render(plan: &Plan, alike: &[&str], width: usize) -> String {
    let place = plan.reach.address.as_ref().map_or("this machine".to_owned(), ToString::to_string);
    let mut out = vec![format!("{} → {place}", style(plan.name.as_str()).bold())];
    let revision = plan.revision.as_ref().map_or_else(String::new, |r| format!(" at {r}"));
    row(&mut out, "from", [format!("{}{revision}", plan.source)]);
    row(&mut out, "now", [now(plan)]);
    let special = plan.specialisation.as_ref().map_or_else(String::new, |s| format!(", specialisation {s}"));
    row(
        &mut out,
        "new",
        [format!("{}{special} ({} in all)", plan.candidate.short(), bytes(plan.closure_bytes))],
    );
    if plan.kind == Kind::Nothing {
        row(&mut out, "then", ["nothing to do: it runs, is the profile's, and boots already"]);
        return out.join("\n");
    }
    if !plan.copy.paths.is_empty() {
        row(
            &mut out,
            "copy",
            [format!("{}, {}", count(plan.copy.paths.len(), "path"), bytes(plan.copy.bytes))],
        );
    }
    match alike {
        [first, _, ..] if *first != plan.name.as_str() => {
            row(&mut out, "changes", [format!("as on {first}")]);
        }
        [_, _, ..] => {
            row(&mut out, "changes", [format!("the same on {}:", alike.join(", "))]);
            changes(&mut out, plan, true, width);
        }
        _ => changes(&mut out, plan, false, width),
    }
    row(&mut out, "checks", plan.gates.iter().map(gate));
    row(&mut out, "switch", switch(plan));
    row(&mut out, "then", [then(plan)]);
    row(&mut out, "options", options(&plan.options));
    // In full: it runs as root, and a plan may come from a file.
    row(&mut out, "as root", [plan.guard.to_string()]);
    if !plan.boot_unproved.is_empty() {
        let parts = printable(&plan.boot_unproved.join(", "), false);
        out.push(format!(
            "  {} {parts} changed: only a boot proves that",
            style("boot not proved:").yellow()
        ));
    }
    for warning in &plan.warnings {
        out.push(format!("  {} {}", style("warning:").yellow(), printable(warning, false)));
    }
    out.join("\n")
}

fn row(out: &mut Vec<String>, label: &str, values: impl IntoIterator<Item = impl AsRef<str>>) {
    let mut label = label;
    for value in values {
        out.push(format!("  {} {}", style(format!("{label:<8}")).dim(), printable(value.as_ref(), false)));
        label = "";
    }
}

fn now(plan: &Plan) -> String {
    let start = &plan.start;
    let generation =
        start.profile.as_ref().map_or("no generation".to_owned(), |g| format!("generation {}", g.number));
    match start.boot_default.path() {
        Some(boots) if *boots == start.running => {
            format!("{generation}, runs and boots {}", start.running.short())
        }
        _ => format!("{generation}, runs {}, boots {}", start.running.short(), start.boot_default),
    }
}

/// Whether the same changes on two hosts. Their own systems have names of their own, and what else is in the closures,
/// and with it their sizes, need not be the same.
fn same_changes(a: &Plan, b: &Plan) -> bool {
    let rebuilds = |plan: &Plan| -> Vec<Change> {
        let notable = |c: &&Change| !is_system(plan, c) && packages_text::is_notable(c);
        plan.diff.rebuilds.iter().filter(notable).cloned().collect()
    };
    let others = |plan: &Plan| -> Vec<Change> {
        plan.diff.changes.iter().filter(|c| !is_system(plan, c)).cloned().collect()
    };
    a.diff.is_empty() == b.diff.is_empty() && others(a) == others(b) && rebuilds(a) == rebuilds(b)
}

/// Whether a change is that of the whole system.
fn is_system(plan: &Plan, change: &Change) -> bool {
    [&plan.candidate, &plan.start.running].iter().any(|path| name::split(path.name()).0 == change.name)
}

/// What changes; if it is `shared` with other hosts, without what is the host's own.
fn changes(out: &mut Vec<String>, plan: &Plan, shared: bool, width: usize) {
    if plan.diff.is_empty() {
        return row(out, "changes", ["none"]);
    }
    let view = View { width: width.saturating_sub(2), sort: Sort::Kind, all: false };
    let mut lines = if shared {
        let mut diff = plan.diff.clone();
        diff.changes.retain(|c| !is_system(plan, c));
        packages_text::lines(&diff, &view)
    } else {
        packages_text::lines(&plan.diff, &view)
    };
    if let (true, Some(size)) = (shared, lines.last_mut()) {
        *size = format!("{size} on {}", plan.name);
    }
    let more = lines.len().saturating_sub(MOST);
    out.extend(lines.into_iter().take(MOST).map(|line| format!("  {line}")));
    if more > 0 {
        out.push(format!("    and {} more: nqd diff shows them all", count(more, "line")));
    }
}

fn gate(gate: &Gate) -> String {
    let level = match gate.level {
        Level::Required => "required",
        Level::Wanted => "wanted",
        Level::Info => "info",
    };
    let new = if gate.new { ", new" } else { "" };
    format!("{} ({}, {level}{new})", gate.name, gate.kind)
}

fn switch(plan: &Plan) -> Vec<String> {
    match (&plan.dry_activation, plan.kind) {
        (_, Kind::Prove) => vec!["none: it runs already, and is only proved and committed".to_owned()],
        (DryActivation::NotThere, _) => {
            vec!["what restarts is known once it is copied: --copy-first copies before it asks".to_owned()]
        }
        (DryActivation::Failed(why), _) => vec![format!("what restarts is not known: {why}")],
        (DryActivation::Says(lines), _) if lines.is_empty() => vec!["restarts nothing".to_owned()],
        (DryActivation::Says(lines), _) => lines.clone(),
    }
}

fn then(plan: &Plan) -> String {
    let options = &plan.options;
    let confirm = options.confirm.map_or("no confirmation".to_owned(), |c| format!("confirm within {c}"));
    let transact = match plan.kind {
        Kind::Prove => format!("prove (soak {}, {confirm}), commit", options.soak),
        _ => format!("activate, prove (soak {}, {confirm}), commit or roll back", options.soak),
    };
    let step = |s: &Step| match s {
        Step::Protect => None,
        Step::Copy => Some("copy".to_owned()),
        Step::Transact => Some(transact.clone()),
    };
    plan.steps.iter().filter_map(step).collect::<Vec<_>>().join(", ")
}

/// Whatever makes the transaction another than it is by default.
fn options(options: &Options) -> Vec<String> {
    let Options { strict, waive, reboot_on_failed_rollback, from_diverged, force, .. } = options;
    let asked = [
        (*strict, "strict: a required check that failed before decides too"),
        (*reboot_on_failed_rollback, "reboots if the rollback fails"),
        (*from_diverged, "begins although what runs, the profile and what boots differ"),
        (*force, "forced: deployed even if it is known to be bad"),
    ];
    let waived = waive.iter().map(|snippet| format!("the activation snippet {snippet:?} may fail"));
    asked.into_iter().filter(|(on, _)| *on).map(|(_, text)| text.to_owned()).chain(waived).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::closure::{Closure, ClosureDiff, Member};
    use crate::model::{HostName, StorePath};

    #[test]
    fn what_runs_as_root_and_what_is_asked_besides_is_shown() {
        let plans: Vec<Plan> =
            serde_json::from_str(include_str!("../../tests/formats/v1/plan.json")).unwrap();
        let mut plan = plans.into_iter().find(|p| p.kind != Kind::Nothing).unwrap();
        let usual = render(&plan, &[], 80);
        assert!(usual.contains(plan.guard.as_str()), "{usual}");
        assert!(!usual.contains("may fail") && !usual.contains("forced"), "{usual}");
        plan.options = Options {
            strict: true,
            waive: vec!["users".to_owned()],
            reboot_on_failed_rollback: true,
            from_diverged: true,
            force: true,
            ..plan.options
        };
        let text = render(&plan, &[], 80);
        for shown in ["strict", "snippet \"users\" may fail", "reboots if", "although what runs", "forced"] {
            assert!(text.contains(shown), "{shown:?} is not in\n{text}");
        }
    }

    /// Systems have the names of their hosts, and sizes of their own.
    #[test]
    fn the_names_of_systems_do_not_make_changes_differ() {
        let plans: Vec<Plan> =
            serde_json::from_str(include_str!("../../tests/formats/v1/plan.json")).unwrap();
        let plan = plans.into_iter().find(|p| p.kind != Kind::Nothing).unwrap();
        let path = |name: &str| StorePath::parse(&format!("/nix/store/{}-{name}", "a".repeat(32))).unwrap();
        let host = |name: &str, new: &str, more: &[&str]| {
            let closure = |version: &str, app: &str| {
                let system = path(&format!("nixos-system-{name}-{version}"));
                let others = more.iter().copied().chain([app]).map(|n| Member::bare(path(n)));
                let members: Vec<Member> = others.chain([Member::bare(system.clone())]).collect();
                Closure::new(system, members)
            };
            let (old, new) = (closure("25.11", "app-1"), closure("26.05", new));
            let mut plan = Plan {
                name: HostName::parse(name).unwrap(),
                diff: ClosureDiff::between(&old, &new),
                candidate: new.root.clone(),
                ..plan.clone()
            };
            plan.start.running = old.root.clone();
            plan
        };
        let hosts =
            [host("web", "app-2", &[]), host("db", "app-2", &["only-here"]), host("mail", "app-3", &[])];
        let all: Vec<_> = hosts.iter().map(|p| (p, Some(String::new()))).collect();
        let shown: Vec<String> = render_all(&all, 80)
            .into_iter()
            .map(|(_, text)| console::strip_ansi_codes(&text).into_owned())
            .collect();
        assert!(shown[0].contains("the same on web, db:") && shown[0].contains("1 → 2"), "{}", shown[0]);
        assert!(!shown[0].contains("25.11 →"), "{}", shown[0]);
        assert!(shown[1].contains("as on web"), "{}", shown[1]);
        assert!(shown[2].contains("1 → 3") && shown[2].contains("25.11 →"), "{}", shown[2]);
    }

    /// What changes alike on several hosts is shown once, with all their names; what does not, each time.
    #[test]
    fn identical_changes_are_shown_once() {
        let plans: Vec<Plan> =
            serde_json::from_str(include_str!("../../tests/formats/v1/plan.json")).unwrap();
        let plan = plans.into_iter().find(|p| p.kind != Kind::Nothing).unwrap();
        let closure = |name: &str| {
            let path = format!("/nix/store/{}-{name}", "a".repeat(32));
            let member = Member::bare(StorePath::parse(&path).unwrap());
            Closure::new(member.path.clone(), vec![member])
        };
        let diff = |new: &str| ClosureDiff::between(&closure("web-1"), &closure(new));
        let host = |name: &str, new: &str| Plan {
            name: HostName::parse(name).unwrap(),
            diff: diff(new),
            ..plan.clone()
        };
        let shown = |hosts: &[(Plan, &str)]| -> Vec<String> {
            let hosts: Vec<_> = hosts.iter().map(|(p, s)| (p, Some((*s).to_owned()))).collect();
            let all = render_all(&hosts, 80).into_iter();
            all.map(|(_, text)| console::strip_ansi_codes(&text).into_owned()).collect()
        };
        let hosts = [
            (host("web", "web-2"), "+ a.service"),
            (host("db", "web-2"), "+ a.service"),
            (host("mail", "web-3"), "+ a.service"),
            (host("dns", "web-2"), "+ b.service"),
        ];
        let [web, db, mail, dns] = &shown(&hosts)[..] else { panic!("four hosts were expected") };
        assert!(web.contains("the same on web, db:") && web.contains("1 → 2"), "{web}");
        assert!(web.ends_with("+ a.service"), "{web}");
        assert!(db.contains("as on web") && !db.contains("1 → 2") && !db.contains(".service"), "{db}");
        // Another version, or another system.
        for (text, version, unit) in [(mail, "1 → 3", "+ a.service"), (dns, "1 → 2", "+ b.service")] {
            assert!(text.contains(version) && text.ends_with(unit), "{text}");
            assert!(!text.contains("as on") && !text.contains("the same on"), "{text}");
        }
    }
}
