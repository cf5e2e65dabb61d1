//! What became of a flake's checks, for people.

use crate::flake_check::{Became, Checked, Report};
use crate::model::text::printable;

/// A line for each check, below one that failed the end of its log, and what it comes to.
pub fn render(report: &Report) -> String {
    let head = format!(
        "checks of {} for {} ({})",
        printable(&report.flake, false),
        printable(&report.system, false),
        report.evaluator
    );
    let checks = report.checks.iter().flat_map(lines);
    std::iter::once(head).chain(checks).chain([summary(report)]).collect::<Vec<_>>().join("\n")
}

/// One word for what became of a check.
pub fn word(became: &Became) -> &'static str {
    match became {
        Became::Passed => "pass",
        Became::Failed { .. } => "FAIL",
        Became::NotEvaluated { .. } => "NO EVAL",
        Became::NotRun { .. } => "NOT RUN",
    }
}

fn lines(check: &Checked) -> Vec<String> {
    let word = word(&check.became);
    let padded = format!("{word:<7}");
    let mark = match check.became {
        Became::Passed => console::style(padded).green(),
        Became::NotRun { .. } => console::style(padded).yellow(),
        _ => console::style(padded).red(),
    };
    let (why, log) = match &check.became {
        Became::Passed => (format!("{:.1} s", check.time.as_secs_f32()), &[] as &[String]),
        Became::Failed { why, log } => (printable(why, true), log.as_slice()),
        Became::NotEvaluated { why } | Became::NotRun { why } => (printable(why, true), &[] as &[String]),
    };
    let why = why.replace('\n', "\n            ");
    let head = format!("  {mark} {}: {why}", printable(&check.name, false));
    let log = log.iter().map(|l| format!("          | {}", printable(l, false)));
    std::iter::once(head).chain(log).collect()
}

fn summary(report: &Report) -> String {
    let count = |is: fn(&Became) -> bool| report.checks.iter().filter(|c| is(&c.became)).count();
    let parts = [
        (count(|b| matches!(b, Became::Passed)), "passed"),
        (count(|b| matches!(b, Became::Failed { .. })), "failed"),
        (count(|b| matches!(b, Became::NotEvaluated { .. })), "could not be evaluated"),
        (count(|b| matches!(b, Became::NotRun { .. })), "not run"),
    ];
    let parts: Vec<String> =
        parts.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")).collect();
    format!("{} in all: {}", report.checks.len(), parts.join(", "))
}

#[cfg(test)]
pub(super) mod tests {
    use std::time::Duration;

    use super::*;
    use crate::model::StorePath;

    /// One check of each kind.
    pub fn report() -> Report {
        let drv = StorePath::parse("/nix/store/vakjsx50nwzqhr3axzyw5c2b7k3fwy1p-a.drv").unwrap();
        let check = |name: &str, became: Became| Checked {
            name: name.into(),
            derivation: (!matches!(became, Became::NotEvaluated { .. })).then(|| drv.clone()),
            became,
            time: Duration::from_millis(1234),
        };
        let why = |text: &str| text.to_owned();
        Report {
            v: 1,
            flake: ".".into(),
            system: "x86_64-linux".into(),
            evaluator: "nix eval",
            checks: vec![
                check("bad", Became::Failed { why: why("builder failed"), log: vec![why("a <b> \x1b[2J")] }),
                check("broken", Became::NotEvaluated { why: why("undefined variable 'x'\nhint: look") }),
                check("good", Became::Passed),
                check("vm-web", Became::NotRun { why: why("features {kvm} are required") }),
            ],
        }
    }

    #[test]
    fn every_check_is_told_of() {
        console::set_colors_enabled(false);
        insta::assert_snapshot!(render(&report()), @r"
        checks of . for x86_64-linux (nix eval)
          FAIL    bad: builder failed
                  | a <b> \u{1b}[2J
          NO EVAL broken: undefined variable 'x'
                    hint: look
          pass    good: 1.2 s
          NOT RUN vm-web: features {kvm} are required
        4 in all: 1 passed, 1 failed, 1 could not be evaluated, 1 not run
        ");
    }

    #[test]
    fn as_json() {
        let json = serde_json::to_string(&report()).unwrap();
        insta::assert_snapshot!(json, @r#"{"v":1,"flake":".","system":"x86_64-linux","evaluator":"nix eval","checks":[{"name":"bad","derivation":"/nix/store/vakjsx50nwzqhr3axzyw5c2b7k3fwy1p-a.drv","state":"failed","why":"builder failed","log":["a <b> \u001b[2J"],"seconds":1.234},{"name":"broken","state":"not-evaluated","why":"undefined variable 'x'\nhint: look","seconds":1.234},{"name":"good","derivation":"/nix/store/vakjsx50nwzqhr3axzyw5c2b7k3fwy1p-a.drv","state":"passed","seconds":1.234},{"name":"vm-web","derivation":"/nix/store/vakjsx50nwzqhr3axzyw5c2b7k3fwy1p-a.drv","state":"not-run","why":"features {kvm} are required","seconds":1.234}]}"#);
    }
}
