//! `nqd check` on a flake whose checks are plain derivations, with real Nix; and with a `nix-eval-jobs` that does what a
//! test wants.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::disallowed_methods, missing_docs)]

mod harness;

use std::path::Path;
use std::time::Duration;

use harness::Operator;
use harness::run::until;
use libtest_mimic::{Arguments, Trial};

/// What a flake's checks are made with.
const HEAD: &str = r#"
{
  outputs = _:
    let
      system = "x86_64-linux";
      check = name: script: derivation { inherit name system; builder = "/bin/sh"; args = [ "-c" script ]; };
      good = check "good" "echo fine; echo > $out";
    in { checks.${system} = {
"#;
const TAIL: &str = "}; }; }\n";
/// One check of each fate.
const EACH: &str = r#"
  inherit good;
  bad = check "bad" "echo one; echo the cause >&2; exit 3";
  beneath = check "beneath" "echo ${check "dependency" "echo it is me; exit 1"} > $out";
  broken = throw "this one is broken";
  elsewhere = derivation { name = "elsewhere"; inherit system; builder = "/bin/sh"; requiredSystemFeatures = [ "no-such" ]; };
"#;

/// An evaluator that is called as nix-eval-jobs is, and prints what a test wants: `line NAME` evaluates that check for
/// real. What it was called with it writes to a file.
const FAKE: &str = r#"#!/bin/sh
[ "$1" != --help ] || exit 0
echo "$@" > called
for attribute; do :; done
line() {
  drv=$(nix eval --raw "$attribute.$1.drvPath") || exit 9
  printf '{"attr":"%s","attrPath":["%s"],"drvPath":"%s","cacheStatus":"notBuilt","new":[{}]}\n' "$1" "$1" "$drv"
}
"#;

fn main() {
    let args = Arguments::from_args();
    if let Some(why) = harness::cannot_run() {
        let required = std::env::var_os("NQD_REQUIRE_MACHINES").is_some();
        assert!(!required, "the tests of nqd check are required here, but {why}");
        println!("SKIPPED: the tests of nqd check, because {why}");
        return;
    }
    let rows: [(&str, fn()); 9] = [
        ("all_pass", all_pass),
        ("each_fate", each_fate),
        ("the_worst_decides", the_worst_decides),
        ("reports", reports),
        ("no_checks_are_no_success", no_checks_are_no_success),
        ("eval_jobs", eval_jobs),
        ("eval_jobs_that_dies", eval_jobs_that_dies),
        ("eval_jobs_that_says_nothing", eval_jobs_that_says_nothing),
        ("interrupted", interrupted),
    ];
    let trial = |(name, test): (&'static str, fn())| {
        Trial::test(name, move || {
            test();
            Ok(())
        })
    };
    libtest_mimic::run(&args, rows.into_iter().map(trial).collect()).exit();
}

/// An operator with these checks.
fn with(checks: &str) -> Operator {
    let nqd = Path::new(env!("CARGO_BIN_EXE_nqd"));
    let operator = Operator::new(nqd, nqd);
    operator.write_flake(&[("flake.nix", &format!("{HEAD}{checks}{TAIL}"))]);
    operator
}

fn all_pass() {
    let ended = with("inherit good; two = good;").nqd(&["check"]);
    ended.expect(0, &["(nix eval)", "pass    good", "pass    two", "2 in all: 2 passed"]);
}

fn each_fate() {
    let ended = with(EACH).nqd(&["check"]);
    println!("{}{}", ended.stderr, ended.stdout);
    ended.expect(
        41,
        &[
            "FAIL    bad: ",
            "| one",
            "| the cause",
            "FAIL    beneath: ",
            "| it is me",
            "NO EVAL broken: evaluating broken failed: this one is broken",
            "NOT RUN elsewhere: ",
            "no-such",
            "pass    good",
            "5 in all: 1 passed, 2 failed, 1 could not be evaluated, 1 not run",
        ],
    );
}

fn the_worst_decides() {
    let operator = with(EACH);
    operator.nqd(&["check", "--only", "good"]).expect(0, &["1 in all: 1 passed"]);
    operator.nqd(&["check", ".", "--only", "good", "--only", "bad"]).expect(13, &["1 failed"]);
    operator.nqd(&["check", "--only", "broken", "--only", "bad"]).expect(40, &["1 could not be evaluated"]);
    operator.nqd(&["check", "--only", "god"]).expect(2, &["no check \"god\"", "bad, beneath, broken"]);
}

fn reports() {
    let operator = with(EACH);
    let only = ["--only", "good", "--only", "bad"];
    let ended = operator.nqd(&[&["check", "--json", "--junit", "checks.xml"], &only[..]].concat());
    let json: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
    let checks = json["checks"].as_array().unwrap();
    let states: Vec<_> =
        checks.iter().map(|c| (c["name"].as_str().unwrap(), c["state"].as_str().unwrap())).collect();
    assert_eq!(states, [("bad", "failed"), ("good", "passed")]);
    assert_eq!(checks[0]["log"], serde_json::json!(["one", "the cause"]));
    let xml = std::fs::read_to_string(operator.flake().join("checks.xml")).unwrap();
    assert!(xml.contains("failures=\"1\"") && xml.contains("one\nthe cause</failure>"), "{xml}");
    ended.expect(13, &[]);
}

fn no_checks_are_no_success() {
    with("").nqd(&["check"]).expect(30, &["has no checks for x86_64-linux", "lib.mkChecks"]);
    let operator = with("inherit good;");
    operator.nqd(&["check", "--system", "aarch64-linux"]).expect(30, &["no checks for aarch64-linux"]);
    operator.write_flake(&[("flake.nix", "{ outputs = _: { }; }")]);
    operator.nqd(&["check"]).expect(30, &["has no checks"]);
    operator.write_flake(&[("flake.nix", "{ outputs = _: { checks = throw \"oh\"; }; }")]);
    operator.nqd(&["check"]).expect(40, &["listing the checks failed: oh"]);
}

fn eval_jobs() {
    let operator = with(EACH);
    let broken = r#"printf '{"attr":"broken","attrPath":["broken"],"error":"error: broken, it says"}\n'"#;
    let rest = "line bad; line beneath; line elsewhere";
    operator.put_program("nix-eval-jobs", &format!("{FAKE}line good; {broken}; {rest}\n"));
    let ended = operator.nqd(&["check", "--workers", "3", "--max-memory", "2048"]);
    ended.expect(
        41,
        &[
            "(nix-eval-jobs)",
            "pass    good",
            "broken, it says",
            "FAIL    bad",
            "| the cause",
            "NOT RUN elsewhere",
        ],
    );
    let called = std::fs::read_to_string(operator.flake().join("called")).unwrap();
    let expected = "--extra-experimental-features nix-command flakes --workers 3 --max-memory-size 2048 --flake .#checks.x86_64-linux\n";
    assert_eq!(called, expected);
    operator.nqd(&["check", "--evaluator", "nix", "--only", "good"]).expect(0, &["(nix eval)"]);
    operator.put_program("nix-eval-jobs", "#!/bin/sh\nexit 127\n");
    operator.nqd(&["check"]).expect(30, &["does not work", "--evaluator nix"]);
}

fn eval_jobs_that_dies() {
    let operator = with(EACH);
    operator.put_program("nix-eval-jobs", &format!("{FAKE}line good; echo out of memory >&2; kill -9 $$\n"));
    operator.nqd(&["check"]).expect(
        40,
        &["pass    good", "NO EVAL bad: ", "out of memory", "5 in all: 1 passed, 4 could not be evaluated"],
    );
}

fn eval_jobs_that_says_nothing() {
    let operator = with("inherit good; two = good;");
    operator.put_program("nix-eval-jobs", &format!("{FAKE}line good\n"));
    operator.nqd(&["check"]).expect(40, &["pass    good", "NO EVAL two", "without a word about it"]);
    operator.put_program("nix-eval-jobs", &format!("{FAKE}line good; echo Segmentation fault\n"));
    operator.nqd(&["check"]).expect(40, &["NO EVAL two", "not understood", "Segmentation fault"]);
    operator.put_program("nix-eval-jobs", &format!("{FAKE}line good; line two\n"));
    operator.nqd(&["check"]).expect(0, &["2 in all: 2 passed"]);
}

fn interrupted() {
    let operator = with("inherit good;");
    let began = operator.flake().join("began");
    let long = format!("inherit good; long = check \"long\" \"echo > {}; /bin/sleep 600\";", began.display());
    operator.write_flake(&[("flake.nix", &format!("{HEAD}{long}{TAIL}"))]);
    let running = operator.start(&["check", "--jobs", "1", "--workers", "1"]);
    until("the long build", Duration::from_secs(120), || began.exists());
    running.signal("INT");
    let ended = running.end_within(Duration::from_secs(20));
    ended.expect(30, &["pass    good", "NOT RUN long: interrupted"]);
}
