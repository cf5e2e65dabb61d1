//! A flake's checks as `JUnit` XML, which CI systems show.

use std::fmt::Write as _;

use super::junit::escape;
use crate::flake_check::{Became, Report};

/// One test suite for the flake, one case a check. What could not be evaluated is an error; what was not run is skipped,
/// and the exit code says that something was.
pub fn render(report: &Report) -> String {
    let count = |is: fn(&Became) -> bool| report.checks.iter().filter(|c| is(&c.became)).count();
    let total: f64 = report.checks.iter().map(|c| c.time.as_secs_f64()).sum();
    let mut out = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n<testsuite name=\"checks.{}\" tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\" time=\"{total:.3}\">\n",
        escape(&report.system),
        report.checks.len(),
        count(|b| matches!(b, Became::Failed { .. })),
        count(|b| matches!(b, Became::NotEvaluated { .. })),
        count(|b| matches!(b, Became::NotRun { .. })),
    );
    for check in &report.checks {
        let inner = match &check.became {
            Became::Passed => String::new(),
            Became::Failed { why, log } => {
                let log: Vec<String> = log.iter().map(|l| escape(l)).collect();
                format!("<failure message=\"{}\">{}</failure>", escape(why), log.join("\n"))
            }
            Became::NotEvaluated { why } => format!("<error message=\"{}\"/>", escape(why)),
            Became::NotRun { why } => format!("<skipped message=\"{}\"/>", escape(why)),
        };
        let (flake, name) = (escape(&report.flake), escape(&check.name));
        let time = check.time.as_secs_f64();
        // Writing to a string cannot fail.
        writeln!(
            out,
            "<testcase classname=\"{flake}\" name=\"{name}\" time=\"{time:.3}\">{inner}</testcase>"
        )
        .unwrap_or(());
    }
    out + "</testsuite>\n</testsuites>\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cases() {
        insta::assert_snapshot!(render(&super::super::check_text::tests::report()), @r#"
        <?xml version="1.0" encoding="UTF-8"?>
        <testsuites>
        <testsuite name="checks.x86_64-linux" tests="4" failures="1" errors="1" skipped="1" time="4.936">
        <testcase classname="." name="bad" time="1.234"><failure message="builder failed">a &lt;b&gt;  [2J</failure></testcase>
        <testcase classname="." name="broken" time="1.234"><error message="undefined variable 'x' hint: look"/></testcase>
        <testcase classname="." name="good" time="1.234"></testcase>
        <testcase classname="." name="vm-web" time="1.234"><skipped message="features {kvm} are required"/></testcase>
        </testsuite>
        </testsuites>
        "#);
    }
}
