//! The text file for Prometheus, judged by its own `promtool`.

use std::io::Write;
use std::process::{Command, Stdio};

use nqd::exit::Exit;
use nqd::health::textfile::render;
use nqd::health::{CheckReport, Level, Standing};

use crate::Row;

pub fn rows() -> Vec<Row> {
    let there = Command::new("promtool").arg("--version").output().is_ok_and(|o| o.status.success());
    let missing = (!there).then(|| "promtool is not installed".to_owned());
    vec![("metrics_as_promtool_reads_them", promtool, missing)]
}

fn judged(text: &str) -> std::process::Output {
    let mut child = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

fn promtool() {
    let check = CheckReport {
        name: "a \"quoted\" \\ name".into(),
        level: Level::Required,
        baseline: None,
        standing: Standing::Passing,
        message: String::new(),
    };
    for text in [render(1, Exit::Ok, &[("http", check)]), render(1, Exit::Inconclusive, &[])] {
        let out = judged(&text);
        assert!(
            out.status.success() && out.stderr.is_empty(),
            "{text}{}",
            String::from_utf8_lossy(&out.stderr)
        );
    }
    assert!(!judged("nqd health 1\n").status.success());
}
