//! Which guard a deployment runs.

use std::fs;

use nqd::guard::PROTOCOL;

use crate::harness::run::run;
use crate::{PLAIN, Row, start};

pub fn rows() -> Vec<Row> {
    vec![("a_system_that_brings_its_guard_is_deployed_by_it", own_guard)]
}

/// The module's etc/nqd/guard.json names a guard that is a part of the system. Of another protocol, it is left alone.
fn own_guard() {
    let (operator, machine, _) = start(PLAIN);
    let file = operator.flake().join("own-guard");
    fs::copy(crate::guard(), &file).unwrap();
    run(&["strip", file.to_str().unwrap()]);
    let system = |version: &str, protocol: u32| {
        operator.hosts(&format!(
            r#"web = nixos {{ name = "web"; version = "{version}"; guard = {{ file = ./own-guard; protocol = {protocol}; }}; }};"#
        ));
        let json = format!("{}/etc/nqd/guard.json", operator.build("web"));
        let json = operator.command("cat", &[&json]).output().unwrap().stdout;
        let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
        json["path"].as_str().unwrap().to_owned()
    };
    let deploy = || {
        operator.on(&machine, &["deploy", "web", "--yes", "--soak", "2s"]).expect(0, &["committed"]);
        machine.link("/nix/var/nqd/guard")
    };
    let own = system("2", PROTOCOL);
    let runs = format!("as root  {own}\n");
    let plan = operator.on(&machine, &["plan", "web"]).expect(0, &[&runs]);
    println!("{}", plan.stdout);
    assert_eq!(deploy(), format!("{own}/bin/nqd-guard"));
    assert_eq!(machine.exec("ls -d /nix/store/*-nqd-guard"), own, "no other was copied");
    assert_eq!(system("3", PROTOCOL + 1), own);
    let plan = operator.on(&machine, &["plan", "web"]).expect(0, &["as root  /nix/store/"]);
    assert!(!plan.all().contains(&own), "{}", plan.stdout);
    let ours = deploy();
    assert!(!ours.contains(&own), "{ours}");
}
