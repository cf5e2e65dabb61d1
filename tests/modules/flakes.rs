//! The flake itself, with stand-ins for both of its inputs: shown and checked by the oldest and today's Nix; its apps run.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::OnceLock;

use crate::harness::run::run;
use crate::harness::{Machine, Operator, nix_new};
use crate::trees::{lib, nixos, repository, scratch};
use crate::{Row, files};

pub fn rows() -> Vec<Row> {
    vec![
        ("the_flake_is_shown_and_checked_by_both_nix", shown),
        ("each_app_runs", apps),
        ("a_users_flake_of_ten_lines_has_the_apps", users_apps),
    ]
}

/// Debian's, and today's.
pub fn each_nix() -> [PathBuf; 2] {
    [PathBuf::from("/usr/bin/nix"), nix_new::tree().join("bin/nix")]
}

/// Our flake, as it would be fetched.
pub fn source() -> &'static Path {
    static SOURCE: OnceLock<PathBuf> = OnceLock::new();
    SOURCE.get_or_init(|| {
        let there = scratch().join("source");
        fs::create_dir(&there).unwrap();
        let list = fs::read_to_string(repository().join("nix/source.txt")).unwrap();
        let more = ["flake.nix", "flake.lock", "nix", "modules", "nixos-tests", "scripts", "templates"];
        for name in list.lines().chain(more).filter(|n| repository().join(n).exists()) {
            run(&[
                "cp",
                "-rT",
                repository().join(name).to_str().unwrap(),
                there.join(name).to_str().unwrap(),
            ]);
        }
        there
    })
}

/// Arguments that put the stand-ins in the place of the inputs of the flake that is called so from where Nix looks.
pub fn overrides(prefix: &str) -> Vec<String> {
    static STUBS: OnceLock<PathBuf> = OnceLock::new();
    let stubs = STUBS.get_or_init(make_stubs);
    let one = |input: &str| {
        [
            "--override-input".to_owned(),
            format!("{prefix}{input}"),
            format!("path:{}/{input}", stubs.display()),
        ]
    };
    [one("nixpkgs"), one("crane")].concat()
}

fn make_stubs() -> PathBuf {
    let stubs = scratch().join("stubs");
    let [nixpkgs, crane] = ["nixpkgs", "crane"].map(|n| stubs.join(n));
    fs::create_dir_all(&nixpkgs).unwrap();
    fs::create_dir_all(crane.join("programs")).unwrap();
    let ours = repository().join("tests/nix");
    for (from, to) in [
        (ours.join("nixpkgs/flake.nix"), nixpkgs.join("flake.nix")),
        (ours.join("pkgs.nix"), nixpkgs.join("pkgs.nix")),
        (ours.join("eval.nix"), nixpkgs.join("eval.nix")),
        (ours.join("vm-test.nix"), nixpkgs.join("vm-test.nix")),
        (scratch().join("names.json"), nixpkgs.join("names.json")),
        (lib(), nixpkgs.join("lib")),
        (nixos(), nixpkgs.join("nixos")),
        (ours.join("crane/flake.nix"), crane.join("flake.nix")),
        (PathBuf::from(env!("CARGO_BIN_EXE_nqd")), crane.join("programs/nqd")),
        (crate::guard(), crane.join("programs/nqd-guard")),
    ] {
        run(&["cp", "-rT", from.to_str().unwrap(), to.to_str().unwrap()]);
    }
    for program in ["nqd", "nqd-guard"] {
        run(&["strip", crane.join("programs").join(program).to_str().unwrap()]);
        fs::set_permissions(crane.join("programs").join(program), fs::Permissions::from_mode(0o755)).unwrap();
    }
    stubs
}

/// Nix on our flake.
fn nix(operator: &Operator, nix: &Path, words: &[&str], last: &[&str]) -> Output {
    let overrides = overrides("");
    let mut args: Vec<&str> = words.to_vec();
    args.extend(
        overrides.iter().map(String::as_str).chain(["--no-write-lock-file"]).chain(last.iter().copied()),
    );
    operator.command(nix.to_str().unwrap(), &args).current_dir(source()).output().unwrap()
}

fn good(out: &Output, what: &str) -> String {
    let stderr = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success(), "{what}: {stderr}");
    String::from_utf8_lossy(&out.stdout).into_owned()
}

fn operator() -> Operator {
    Operator::new(Path::new(env!("CARGO_BIN_EXE_nqd")), &crate::guard())
}

fn shown() {
    let flake = format!("path:{}", source().display());
    for program in each_nix() {
        let operator = operator();
        let text =
            good(&nix(&operator, &program, &["flake", "show", "--json", &flake], &[]), "nix flake show");
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        for name in ["nqd", "nqd-guard", "default"] {
            assert_eq!(json["packages"]["x86_64-linux"][name]["type"], "derivation", "{name}");
        }
        for name in ["deploy", "plan", "doctor", "demo"] {
            assert_eq!(json["apps"]["x86_64-linux"][name]["type"], "app", "{name}");
        }
        assert_eq!(json["nixosModules"]["default"]["type"], "nixos-module");
        assert_eq!(json["overlays"]["default"]["type"], "nixpkgs-overlay");
        let checks = json["checks"]["x86_64-linux"].as_object().unwrap().len();
        let tests = files::below(&repository().join("nixos-tests"), ".nix").len();
        assert!(checks > 20 && tests > 10, "{checks} checks");
        good(
            &nix(&operator, &program, &["flake", "check", "--no-build", &flake], &[]),
            "nix flake check --no-build",
        );
        println!("{}: shown, and {checks} checks evaluated", program.display());
    }
    // A flake with a mistake is not shown.
    let broken = scratch().join("broken");
    run(&["cp", "-r", source().to_str().unwrap(), broken.to_str().unwrap()]);
    fs::write(broken.join("nix/commands.nix"), "{ plan = 1 + \"\"; }").unwrap();
    let flake = format!("path:{}", broken.display());
    let out = nix(&operator(), &each_nix()[1], &["flake", "check", "--no-build", &flake], &[]);
    assert!(!out.status.success());
}

fn apps() {
    let text = fs::read_to_string(repository().join("nix/commands.nix")).unwrap();
    let names: Vec<&str> =
        text.lines().filter_map(|l| l.trim().strip_suffix("\";")?.split_once(" = \"").map(|p| p.0)).collect();
    let operator = operator();
    let [old, new] = each_nix();
    // What an app is does not depend on Nix; that Debian's runs one is seen by one.
    for (program, names) in [(old, &names[..1]), (new, &names[..])] {
        for name in names {
            let app = format!("path:{}#{name}", source().display());
            let said = good(&nix(&operator, &program, &["run", &app], &["--", "--help"]), name);
            assert!(
                said.contains(&format!("Usage: nqd {name}")) && said.contains("Example"),
                "{name}: {said}"
            );
        }
    }
    demo(&operator, &each_nix()[1]);
    let package = nix(
        &operator,
        &each_nix()[1],
        &["build", "--json", "--no-link", &format!("path:{}#nqd", source().display())],
        &[],
    );
    let json: serde_json::Value = serde_json::from_str(&good(&package, "nix build")).unwrap();
    let path = json[0]["outputs"]["out"].as_str().unwrap();
    let files = operator.command("find", &[path, "-printf", "%P\\n"]).output().unwrap();
    let files = String::from_utf8_lossy(&files.stdout).into_owned();
    let system = format!("bin/nqd-guard-{}-linux", std::env::consts::ARCH);
    for file in ["bin/nqd", &system, "share/completions/nqd.fish", "share/man/man1/nqd-deploy.1"] {
        assert!(files.lines().any(|f| f == file), "the package lacks {file}: {files}");
    }
    println!("{} apps and the demo run by {}, one by Debian's Nix", names.len(), each_nix()[1].display());
}

/// The demo is no command of nqd: its help is its own, and all else is for the test driver, which has no program here.
fn demo(operator: &Operator, program: &Path) {
    let app = format!("path:{}#demo", source().display());
    let run = |more: &[&str]| nix(operator, program, &["run", &app], more);
    let said = good(&run(&["--", "--help"]), "demo");
    assert!(said.contains("Usage: nix run .#demo") && said.contains("Example"), "{said}");
    let driver = run(&["--", "--interactive"]);
    let stderr = String::from_utf8_lossy(&driver.stderr);
    assert!(!driver.status.success() && stderr.contains("/bin/nixos-test-driver"), "{stderr}");
}

/// What somebody writes who has a flake already.
pub const TEN_LINES: &str = r#"{
  inputs.nqd.url = "path:@source@";
  outputs = { self, nqd }: {
    nixosConfigurations = import ./hosts.nix {
      nixos = import ./nixos.nix;
      httpd = import ./httpd.nix;
    };
    apps = nqd.lib.mkApps { inherit self; };
  };
}
"#;

/// Nobody has a lock file with stand-ins in it, so one is made; from then on it is as with any other flake.
fn users_apps() {
    let operator = operator();
    operator.hosts(r#"web = nixos { name = "web"; };"#);
    let mut machine = Machine::new(&operator.key());
    let first = operator.install(&mut machine, "web");
    let text = TEN_LINES.replace("@source@", source().to_str().unwrap());
    assert_eq!(text.lines().count(), 10);
    fs::write(operator.flake().join("flake.nix"), text).unwrap();
    fs::write(operator.flake().join("httpd.nix"), "_: \"\"\n").unwrap();
    operator.hosts(r#"web = nixos { name = "web"; version = "2"; };"#);
    let overrides = overrides("nqd/");
    let mut lock = vec!["flake", "lock"];
    lock.extend(overrides.iter().map(String::as_str));
    good(&operator.command("nix", &lock).output().unwrap(), "nix flake lock");
    operator.hosts(r#"web = nixos { name = "web"; version = "2"; };"#);
    let there = format!("root@{}", machine.address());
    for program in each_nix() {
        let app = format!("git+file://{}#plan", operator.flake().display());
        let args = ["run", &app, "--", "web", "--target-host", &there];
        // From anywhere: the flake is the one that the app comes from.
        let out = operator.command(program.to_str().unwrap(), &args).current_dir("/").output().unwrap();
        let said = good(&out, "nix run .#plan");
        for says in ["nixos-system-web-2", "operator-reconnect", "copy, activate, prove", "-nqd-guard\n"] {
            assert!(said.contains(says), "{says}: {said}");
        }
        println!("$ nix run .#plan -- web --target-host {there}    # {}\n{said}", program.display());
    }
    assert_eq!(machine.link("/run/current-system"), first, "a plan changes nothing");
}
