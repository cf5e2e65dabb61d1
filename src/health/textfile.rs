//! How a system is, in the format of Prometheus' textfile collector. The names are an API: docs/FORMATS.md.

use std::fmt::Write;

use super::{CheckReport, Level, Standing};
use crate::exit::Exit;

/// The verdict's words, each with the exit code that means it.
const VERDICTS: [(&str, Exit); 4] = [
    ("healthy", Exit::Ok),
    ("degraded", Exit::Degraded),
    ("unhealthy", Exit::Unhealthy),
    ("unknown", Exit::Inconclusive),
];
/// The states of a check, as in the report.
const STATES: [(&str, Standing); 5] = [
    ("pending", Standing::Pending),
    ("passing", Standing::Passing),
    ("failing", Standing::Failing),
    ("unknown", Standing::Unknown),
    ("skipped", Standing::Skipped),
];

/// The text for a verdict, taken at `at` (seconds since 1970), and its checks, each with the word for its kind.
///
/// States and verdicts are a series each, 1 or 0, so that no series ever ends because a state did. Messages are left
/// out: monitoring may be read by more people than logs.
pub fn render(at: u64, verdict: Exit, checks: &[(&str, CheckReport)]) -> String {
    let mut out = String::new();
    let mut line = |text: std::fmt::Arguments<'_>| {
        // Writing to a string cannot fail.
        writeln!(out, "{text}").unwrap_or(());
    };
    line(format_args!("# HELP nqd_health_verdict Whether this is the verdict on the running system."));
    line(format_args!("# TYPE nqd_health_verdict gauge"));
    // Whatever is none of these is not known to be healthy.
    let known = VERDICTS.iter().any(|(_, exit)| *exit == verdict);
    for (word, exit) in VERDICTS {
        let holds = u8::from(exit == verdict || (!known && word == "unknown"));
        line(format_args!("nqd_health_verdict{{verdict=\"{word}\"}} {holds}"));
    }
    if !checks.is_empty() {
        line(format_args!("# HELP nqd_health_check Whether a health check is in this state."));
        line(format_args!("# TYPE nqd_health_check gauge"));
    }
    for (kind, check) in checks {
        let (name, kind, level) = (escape(&check.name), escape(kind), level(check.level));
        for (word, standing) in STATES {
            let holds = u8::from(standing == check.standing);
            line(format_args!(
                "nqd_health_check{{check=\"{name}\",kind=\"{kind}\",level=\"{level}\",state=\"{word}\"}} {holds}"
            ));
        }
    }
    line(format_args!("# HELP nqd_health_timestamp_seconds When the running system was examined."));
    line(format_args!("# TYPE nqd_health_timestamp_seconds gauge"));
    line(format_args!("nqd_health_timestamp_seconds {at}"));
    out
}

fn level(level: Level) -> &'static str {
    match level {
        Level::Required => "required",
        Level::Wanted => "wanted",
        Level::Info => "info",
    }
}

/// A label's value: Prometheus' text exposition format escapes these three, and nothing else.
fn escape(value: &str) -> String {
    value.replace('\\', r"\\").replace('"', "\\\"").replace('\n', r"\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, level: Level, standing: Standing) -> CheckReport {
        CheckReport { name: name.into(), level, baseline: None, standing, message: "secret".into() }
    }

    #[test]
    fn a_snapshot() {
        let checks = [
            ("units", check("no-failed-unit", Level::Wanted, Standing::Passing)),
            ("http", check("site", Level::Required, Standing::Failing)),
        ];
        insta::assert_snapshot!(render(1_795_800_000, Exit::Unhealthy, &checks), @r#"
        # HELP nqd_health_verdict Whether this is the verdict on the running system.
        # TYPE nqd_health_verdict gauge
        nqd_health_verdict{verdict="healthy"} 0
        nqd_health_verdict{verdict="degraded"} 0
        nqd_health_verdict{verdict="unhealthy"} 1
        nqd_health_verdict{verdict="unknown"} 0
        # HELP nqd_health_check Whether a health check is in this state.
        # TYPE nqd_health_check gauge
        nqd_health_check{check="no-failed-unit",kind="units",level="wanted",state="pending"} 0
        nqd_health_check{check="no-failed-unit",kind="units",level="wanted",state="passing"} 1
        nqd_health_check{check="no-failed-unit",kind="units",level="wanted",state="failing"} 0
        nqd_health_check{check="no-failed-unit",kind="units",level="wanted",state="unknown"} 0
        nqd_health_check{check="no-failed-unit",kind="units",level="wanted",state="skipped"} 0
        nqd_health_check{check="site",kind="http",level="required",state="pending"} 0
        nqd_health_check{check="site",kind="http",level="required",state="passing"} 0
        nqd_health_check{check="site",kind="http",level="required",state="failing"} 1
        nqd_health_check{check="site",kind="http",level="required",state="unknown"} 0
        nqd_health_check{check="site",kind="http",level="required",state="skipped"} 0
        # HELP nqd_health_timestamp_seconds When the running system was examined.
        # TYPE nqd_health_timestamp_seconds gauge
        nqd_health_timestamp_seconds 1795800000
        "#);
    }

    #[test]
    fn what_could_not_be_examined_is_unknown() {
        for verdict in [Exit::Inconclusive, Exit::Internal] {
            let text = render(1, verdict, &[]);
            assert!(text.contains("nqd_health_verdict{verdict=\"unknown\"} 1\n"), "{text}");
            assert!(text.contains("nqd_health_verdict{verdict=\"healthy\"} 0\n"), "{text}");
            assert!(!text.contains("nqd_health_check"), "{text}");
        }
    }

    #[test]
    fn values_are_escaped() {
        let text = render(1, Exit::Ok, &[("a\\b\"c\nd", check("x", Level::Info, Standing::Pending))]);
        assert!(text.contains(r#"kind="a\\b\"c\nd""#), "{text}");
        assert!(text.lines().all(|l| l.starts_with('#') || l.starts_with("nqd_health_")), "{text}");
    }
}
