//! nixos-tests/, which need KVM and nixpkgs: here they are evaluated, and their scripts checked.

use std::collections::BTreeMap;
use std::fs;
use std::process::{Command, Output};

use clap::CommandFactory;
use serde_json::Value;

use crate::Row;
use crate::evaluated::compare;
use crate::files::{below, skipped};
use crate::rendered;
use crate::trees::{json, nixos, repository, scratch};

pub fn rows() -> Vec<Row> {
    vec![("nixos_tests_evaluate_and_their_scripts_are_sound", evaluated)]
}

/// Without the trees: the scripts as they were rendered are Python.
pub fn rendered_rows() -> Vec<Row> {
    vec![
        ("scripts_of_nixos_tests_are_python", compiled),
        ("nqd_understands_the_commands_of_nixos_tests", commands),
    ]
}

fn evaluated() {
    let tests = json("vm-tests.nix");
    let tests = tests.as_object().unwrap();
    let files = fs::read_dir(repository().join("nixos-tests")).unwrap().map(|e| e.unwrap().file_name());
    let files = files.filter(|f| f.to_string_lossy().ends_with(".nix")).count();
    assert_eq!(tests.len(), files, "each file is a test");
    let mut nodes = 0;
    let (mut scripts, mut typed) = (BTreeMap::new(), Vec::new());
    // Which names a script finds, and their types.
    let prepend = fs::read_to_string(nixos().join("lib/test-script-prepend.py")).unwrap();
    for (name, test) in tests {
        assert_eq!(test["timeout"], 300, "{name}");
        let features: Vec<_> = test["requiredSystemFeatures"].as_array().unwrap().iter().collect();
        assert!(features.iter().any(|f| **f == "kvm"), "{name}: {features:?}");
        for (node, machine) in test["nodes"].as_object().unwrap() {
            // What is deployed to has no disk for GRUB: a switch would fail to install it.
            assert!(node != "target" || machine["grub"] == false, "{name}: {node}");
            nodes += 1 + manifests(&format!("{name}: {node}"), machine);
        }
        let script = test["script"].as_str().unwrap();
        // What a test promises, and the twin of it that fails or succeeds instead.
        assert!(script.matches("with subtest(").count() >= 2, "{name} has no twin");
        scripts.insert(format!("nixos-tests/{name}.py"), Value::from(script));
        let machines = test["machines"].as_array().unwrap().iter().map(|m| m.as_str().unwrap());
        let names: Vec<String> = machines.map(|m| format!("{m}: Machine")).collect();
        typed.push((name.clone(), format!("{prepend}\n{}\n{script}", names.join("; "))));
    }
    types(&typed);
    compare(&Value::Object(scripts.into_iter().collect()));
    println!("evaluated: {} tests of nixos-tests/, {nodes} configurations of machines", tests.len());
}

/// The manifests of a machine and its specialisations are manifests; gives how many specialisations there are.
fn manifests(name: &str, machine: &Value) -> usize {
    let text = machine["manifest"].as_str().unwrap();
    nqd::health::Manifest::parse(text).unwrap_or_else(|e| panic!("{name}: {e}: {text}"));
    let more = machine["specialisations"].as_object().map_or_else(Vec::new, |m| m.iter().collect());
    more.iter().map(|(s, machine)| 1 + manifests(&format!("{name}, {s}"), machine)).sum()
}

/// Checks the types of scripts, with the machines of each, as the test driver's own build does; or compiles them.
fn types(scripts: &[(String, String)]) {
    match mypy(scripts) {
        Err(e) => {
            skipped("types of the scripts, which are compiled: mypy", &e, true);
            for (name, script) in scripts {
                python(name, script);
            }
        }
        Ok(out) => {
            assert!(out.status.success(), "{}", says(&out));
            println!("mypy against the test driver: {}", says(&out).trim());
            let (name, script) = &scripts[0];
            let twin = mypy(&[(name.clone(), format!("{script}\ntarget.no_such_method()\n"))]).unwrap();
            assert!(says(&twin).contains("no_such_method"), "what is wrong is found: {}", says(&twin));
        }
    }
}

fn mypy(scripts: &[(String, String)]) -> std::io::Result<Output> {
    let file = |(name, script): &(String, String)| {
        let file = scratch().join(format!("{}.py", name.replace('-', "_")));
        fs::write(&file, script).unwrap();
        file
    };
    Command::new("mypy")
        .args([
            "--no-implicit-optional",
            "--follow-imports=silent",
            "--ignore-missing-imports",
            "--cache-dir",
        ])
        .arg(scratch().join("mypy"))
        .args(scripts.iter().map(file))
        .env("MYPYPATH", nixos().join("lib/test-driver"))
        .output()
}

fn says(out: &Output) -> String {
    String::from_utf8_lossy(&out.stdout).into_owned()
}

fn compiled() {
    if std::env::var_os("NQD_RENDER").is_some() {
        println!("SKIPPED: compiling scripts that are being rendered");
        return;
    }
    let files = below(&rendered::folder().join("nixos-tests"), ".py");
    assert!(files.len() > 10, "{files:?}");
    for file in files {
        python(&file.display().to_string(), &fs::read_to_string(&file).unwrap());
    }
}

/// The commands of nqd in a script: what its `command` makes of what `deploy` and `begin` are given, and texts that are
/// commands already. Prints one a line.
const COMMANDS: &str = r#"
import ast, sys
script = ast.parse(sys.argv[1])
words = {"system": lambda name: f"/nix/store/{32 * '0'}-{name}"}
kept = [n for n in script.body if isinstance(n, ast.FunctionDef) and n.name == "command"]
exec(compile(ast.Module(kept, []), "script", "exec"), words)
for node in ast.walk(script):
    if isinstance(node, ast.Constant) and str(node.value).startswith("nqd "):
        if str(node.value).startswith("nqd rollback target --to "):
            continue  # the start of what `command` makes
        print(node.value.split(" 2>")[0])
    elif isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("deploy", "begin"):
        given = [a.value for a in node.args]
        print(words["command"](given[0], *(g for g in given[1:] if isinstance(g, str))))
"#;

fn commands() {
    if std::env::var_os("NQD_RENDER").is_some() {
        println!("SKIPPED: commands of scripts that are being rendered");
        return;
    }
    let understood = |line: &str| nqd::cli::Cli::command().try_get_matches_from(line.split_whitespace());
    let mut found = 0;
    for file in below(&rendered::folder().join("nixos-tests"), ".py") {
        let script = fs::read_to_string(&file).unwrap();
        let out = match Command::new("python3").args(["-c", COMMANDS, &script]).output() {
            Err(e) => return skipped("commands of nixos-tests: python3", &e, true),
            Ok(out) => out,
        };
        assert!(out.status.success(), "{}: {}", file.display(), String::from_utf8_lossy(&out.stderr));
        for line in says(&out).lines() {
            found += 1;
            understood(line).unwrap_or_else(|e| panic!("{}: {line}: {e}", file.display()));
        }
    }
    assert!(found > 20, "{found} commands");
    let twin = "nqd rollback web --yes --soak 3s --soak 20s";
    let refused = understood(twin).unwrap_err();
    assert_eq!(refused.kind(), clap::error::ErrorKind::ArgumentConflict, "a flag twice: {refused}");
    println!("{found} commands of nixos-tests/ are understood");
}

fn python(name: &str, script: &str) {
    let program = "import sys; compile(sys.argv[1], sys.argv[2], 'exec')";
    match Command::new("python3").args(["-c", program, script, name]).output() {
        Err(e) => skipped(&format!("compiling the script of {name}: python3"), &e, true),
        Ok(out) => assert!(out.status.success(), "{name}: {}", String::from_utf8_lossy(&out.stderr)),
    }
}
