//! `scripts/demo`: a throwaway machine, a good deployment, and a broken one that is rolled back.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::disallowed_methods, missing_docs)]

#[path = "../tests/harness/mod.rs"]
mod harness;

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;

use harness::{Machine, Operator};

/// A web server, and a check that asks it.
const CHECK: &str = r#"checks = { web = { probe = { kind = "http"; url = "http://127.0.0.1:8080/"; }; timeout = 2; startDeadline = 6; }; };"#;

fn main() {
    let programs = std::env::current_exe().unwrap().parent().unwrap().parent().unwrap().to_owned();
    let guard = programs.join(format!("nqd-guard-{}-linux", std::env::consts::ARCH));
    let nqd = programs.join("nqd");
    for program in [&nqd, &guard] {
        assert!(program.exists(), "{} is not built: run scripts/demo", program.display());
    }
    // Ctrl-C ends nqd and, by its exit code, us; the machine is then removed as always.
    signal_hook::flag::register(signal_hook::consts::SIGINT, Arc::default()).unwrap();
    println!("Making a throwaway machine that NixOS-shaped systems run on …");
    let operator = Operator::new(&nqd, &guard);
    operator.hosts(&web("1.0", "200"));
    let mut machine = Machine::new(&operator.key());
    let first = operator.install(&mut machine, "web");
    println!("It runs {} at {}, reached by SSH.", name(&first), machine.address());

    title("1. A good change: version 1.1 of the web service");
    operator.hosts(&web("1.1", "200"));
    deploy(&operator, &machine, 0);
    let second = machine.link("/run/current-system");
    explain(&format!("The machine was asked first; only then was {} made what it boots.", name(&second)));

    title("2. A broken change: version 1.2 starts, and answers every request with an error");
    operator.hosts(&web("1.2", "500"));
    deploy(&operator, &machine, 20);
    let [runs, profile, boots] = machine.triple();
    assert_eq!([&runs, &profile, &boots], [&second; 3], "the machine is not as it was");
    explain(&format!(
        "No service had failed, but its check had: the machine runs and boots {} again.",
        name(&runs)
    ));

    title("3. What the machine remembers");
    show(&operator, &machine, &["status"], 0);
    println!("\nThe throwaway machine is being removed. See README.md for how to use nqd on yours.");
}

/// The host `web` in a version, answering in a way.
fn web(version: &str, answer: &str) -> String {
    format!(
        r#"web = nixos {{ name = "web"; version = "{version}"; units."web.service" = httpd {{ status = "{answer}"; }}; {CHECK} }};"#
    )
}

fn deploy(operator: &Operator, machine: &Machine, code: i32) {
    show(operator, machine, &["deploy", "web", "--yes", "--soak", "3s"], code);
}

/// Runs `nqd` for everybody to see, as a person would type it.
fn show(operator: &Operator, machine: &Machine, args: &[&str], code: i32) {
    let there = format!("root@{}", machine.address());
    let args = [args, &["--target-host", &there]].concat();
    println!("\n$ nqd {}", args.join(" "));
    let mut command = operator.command(operator.program().to_str().unwrap(), &args);
    for name in ["TERM", "NO_COLOR", "COLUMNS"] {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    let status = command.stdout(Stdio::inherit()).stderr(Stdio::inherit()).status().unwrap();
    assert_eq!(status.code(), Some(code), "nqd ended otherwise than the demonstration expects");
    println!("(exit code {code})");
}

fn title(text: &str) {
    let (bold, plain) = if std::io::stdout().is_terminal() { ("\x1b[1m", "\x1b[0m") } else { ("", "") };
    println!("\n{bold}{text}{plain}");
}

fn explain(text: &str) {
    println!("→ {text}");
}

/// A system's name without the store's hash.
fn name(system: &str) -> String {
    let file = Path::new(system).file_name().map_or_else(PathBuf::new, PathBuf::from);
    file.to_string_lossy().chars().skip(33).collect()
}
