//! Which guard a deployment runs, and what the one that is shipped is made of.

use std::fs;

use nqd::guard::PROTOCOL;

use crate::harness::run::run;
use crate::{PLAIN, Row, start};

pub fn rows() -> Vec<Row> {
    vec![
        ("a_system_that_brings_its_guard_is_deployed_by_it", own_guard),
        ("the_shipped_guard_is_static_small_and_refers_to_nothing", shipped),
    ]
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

/// 8 MiB.
const MOST: usize = 8 * 1024 * 1024;

/// It must run on any system, and bring nothing else into one.
fn shipped() {
    // A build to debug is none of this: what is judged finds it out.
    let debug = fs::read(env!("CARGO_BIN_EXE_nqd-guard")).unwrap();
    assert!(interpreter(&debug).unwrap().starts_with("/lib"));
    let refers = b"\x7fELF /nix/store/00000000000000000000000000000000-glibc/lib\0";
    assert_eq!(reference(refers).unwrap(), "/nix/store/00000000000000000000000000000000");
    let Some(file) = std::env::var_os("NQD_TEST_GUARD") else {
        assert!(std::env::var_os("NQD_REQUIRE_MACHINES").is_none(), "NQD_TEST_GUARD must name it");
        println!("SKIPPED: judging the guard that is shipped, because NQD_TEST_GUARD does not name it");
        return;
    };
    let guard = fs::read(&file).unwrap();
    println!("{}: {} bytes", file.display(), guard.len());
    assert_eq!(interpreter(&guard), None, "it is not static");
    assert_eq!(reference(&guard), None);
    assert!(guard.len() <= MOST, "{} bytes", guard.len());
}

/// The loader that an ELF file of 64 bits asks for (`PT_INTERP` of elf(5)); none if it is static.
fn interpreter(elf: &[u8]) -> Option<&str> {
    assert_eq!(elf[..6], *b"\x7fELF\x02\x01", "64 bits, little-endian");
    let number = |at: usize, bytes: usize| {
        elf[at..at + bytes].iter().rev().fold(0, |all, byte| all << 8 | usize::from(*byte))
    };
    let (table, size, headers) = (number(32, 8), number(54, 2), number(56, 2));
    assert!(headers > 0, "a program has segments");
    let asks = (0..headers).map(|n| table + n * size).find(|at| number(*at, 4) == 3)?;
    let (from, length) = (number(asks + 8, 8), number(asks + 32, 8));
    Some(std::str::from_utf8(&elf[from..from + length]).unwrap())
}

/// The first store path that is named in it.
fn reference(program: &[u8]) -> Option<&str> {
    let paths = program.windows(43).filter(|path| path.starts_with(b"/nix/store/"));
    paths
        .filter_map(|path| std::str::from_utf8(path).ok())
        .find(|path| path[11..].bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_lowercase()))
}
