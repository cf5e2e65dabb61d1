//! Health reports as `JUnit` XML, which CI systems show.

use std::fmt::Write as _;

use crate::health::examination::Examination;
use crate::health::{Level, Standing};

/// One test suite for the host, one case a check. A failing `info` check is reported in the case's output only.
pub fn render(examination: &Examination) -> String {
    let bad =
        |standing, level| !matches!(standing, Standing::Passing | Standing::Skipped) && level != Level::Info;
    let failures = examination.checks.iter().filter(|c| bad(c.standing, c.level)).count();
    let skipped = examination.checks.iter().filter(|c| c.standing == Standing::Skipped).count();
    let host = escape(&examination.host);
    let mut out = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n<testsuite name=\"{host}\" timestamp=\"{}\" tests=\"{}\" failures=\"{failures}\" skipped=\"{skipped}\">\n",
        escape(&examination.at),
        examination.checks.len(),
    );
    for check in &examination.checks {
        let message = escape(&check.message);
        let inner = match check.standing {
            Standing::Skipped => format!("<skipped message=\"{message}\"/>"),
            standing if bad(standing, check.level) => format!("<failure message=\"{message}\"/>"),
            _ => format!("<system-out>{message}</system-out>"),
        };
        let name = escape(&check.name);
        // Writing to a string cannot fail.
        writeln!(out, "<testcase classname=\"{host}\" name=\"{name}\">{inner}</testcase>").unwrap_or(());
    }
    out + "</testsuite>\n</testsuites>\n"
}

/// The same where there is no report: one case that is an error.
pub fn nothing(host: &str, why: &str) -> String {
    let (host, why) = (escape(host), escape(why));
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n<testsuite name=\"{host}\" tests=\"1\" errors=\"1\">\n<testcase classname=\"{host}\" name=\"record\"><error message=\"{why}\"/></testcase>\n</testsuite>\n</testsuites>\n"
    )
}

/// Text for XML 1.0, which has no place for most control characters.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::Exit;
    use crate::health::CheckReport;
    use crate::model::StorePath;

    #[test]
    fn cases_and_escapes() {
        let check = |name: &str, level, standing, message: &str| CheckReport {
            name: name.into(),
            level,
            baseline: None,
            standing,
            message: message.into(),
        };
        let examination = Examination {
            v: 1,
            at: "2026-11-22T06:03:01Z".into(),
            host: "web".into(),
            system: StorePath::parse("/nix/store/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-x").unwrap(),
            verdict: Exit::Unhealthy,
            checks: vec![
                check("a", Level::Required, Standing::Passing, "ok"),
                check("b", Level::Required, Standing::Failing, "<\"&\x1b>"),
                check("c", Level::Required, Standing::Skipped, "b does not pass"),
                check("d", Level::Info, Standing::Failing, "known"),
            ],
        };
        insta::assert_snapshot!(render(&examination), @r#"
        <?xml version="1.0" encoding="UTF-8"?>
        <testsuites>
        <testsuite name="web" timestamp="2026-11-22T06:03:01Z" tests="4" failures="1" skipped="1">
        <testcase classname="web" name="a"><system-out>ok</system-out></testcase>
        <testcase classname="web" name="b"><failure message="&lt;&quot;&amp; &gt;"/></testcase>
        <testcase classname="web" name="c"><skipped message="b does not pass"/></testcase>
        <testcase classname="web" name="d"><system-out>known</system-out></testcase>
        </testsuite>
        </testsuites>
        "#);
    }
}
