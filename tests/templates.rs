//! The templates as somebody uses them: `nqd init` writes one, Nix parses and evaluates it. Inputs are stubs: here are no
//! nixpkgs, and of the flake only what a template calls.
#![cfg(feature = "operator")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::disallowed_methods, missing_docs)]

mod harness;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use harness::nix_new;

/// As much of nixpkgs as a flake with hosts calls: modules are merged, and nothing is checked.
const NIXPKGS: &str = r"{
  outputs = _: {
    lib = rec {
      recursiveUpdate = a: b: if builtins.isAttrs a && builtins.isAttrs b
        then a // builtins.mapAttrs (n: v: if a ? ${n} then recursiveUpdate a.${n} v else v) b
        else if builtins.isList a && builtins.isList b then a ++ b else b;
      nixosSystem = { modules }: let
        load = m: let read = if builtins.isAttrs m || builtins.isFunction m then m else import m;
          in if builtins.isFunction read then read { inherit config; } else read;
        config = builtins.foldl' recursiveUpdate { } (map load modules);
      in { inherit config; };
    };
  };
}";
/// As much of ours: apps and checks by their documented names.
const NQD: &str = r#"{
  outputs = _: {
    nixosModules.default = { ... }: { quickDeploy.deploy = { }; };
    lib.mkApps = { self }: { x86_64-linux.deploy = { type = "app"; program = "${self.outPath}/deploy"; }; };
    lib.mkChecks = { self }: { x86_64-linux = builtins.listToAttrs (map
      (host: { name = "vm-${host}"; value = derivation { name = host; system = "x86_64-linux"; builder = "/bin/sh"; }; })
      (builtins.attrNames self.nixosConfigurations)); };
  };
}"#;

/// A directory with a home, the stubs, and a template's files in `flake`.
struct Scene {
    dir: tempfile::TempDir,
}

impl Scene {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in [("nixpkgs", NIXPKGS), ("nqd", NQD)] {
            fs::create_dir(dir.path().join(name)).unwrap();
            fs::write(dir.path().join(name).join("flake.nix"), text).unwrap();
        }
        for sub in ["nix", "home"] {
            fs::create_dir(dir.path().join(sub)).unwrap();
        }
        Self { dir }
    }

    fn flake(&self) -> PathBuf {
        self.dir.path().join("flake")
    }

    fn nqd(&self, args: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_nqd"));
        command.args(args).current_dir(self.dir.path()).output().unwrap()
    }

    /// Runs Nix with a store of its own; panics unless it succeeds.
    fn nix(&self, args: &[&str]) -> String {
        let bin =
            if nix_new::wanted() { format!("{}/bin:", nix_new::tree().display()) } else { String::new() };
        let mount = "mount --bind \"$1\" /nix && shift && exec \"$@\"";
        let mut command = Command::new("unshare");
        command
            .args(["--mount", "--", "/bin/sh", "-c", mount, "sh"])
            .arg(self.dir.path().join("nix"))
            .args(args);
        let out = command
            .current_dir(self.flake())
            .env("HOME", self.dir.path().join("home"))
            .env("PATH", format!("{bin}/usr/bin:/bin"))
            .env(
                "NIX_CONFIG",
                "substituters =\nbuild-users-group =\nexperimental-features = nix-command flakes\n",
            )
            .output()
            .unwrap();
        assert!(out.status.success(), "{args:?}: {}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8(out.stdout).unwrap()
    }

    /// Evaluates something of the flake with the stubs in place of its inputs.
    fn eval(&self, attribute: &str, apply: &str) -> serde_json::Value {
        let stub = |name: &str| format!("path:{}", self.dir.path().join(name).display());
        let flake = format!("path:{}#{attribute}", self.flake().display());
        let (nixpkgs, nqd) = (stub("nixpkgs"), stub("nqd"));
        let overridden = ["--override-input", "nixpkgs", &nixpkgs, "--override-input", "nqd", &nqd];
        let argv = ["nix", "eval", "--json", "--no-write-lock-file", "--apply", apply, &flake];
        serde_json::from_str(&self.nix(&[&argv[..], &overridden[..]].concat())).unwrap()
    }

    fn parses(&self) {
        let files = self.nix(&["find", ".", "-name", "*.nix"]);
        assert!(files.lines().count() > 0);
        for file in files.lines() {
            self.nix(&["nix-instantiate", "--parse", file]);
        }
    }

    /// Hosts and what their `quickDeploy` says; that there are an app and a check for each host.
    fn hosts(&self) -> serde_json::Value {
        let checks = self.eval("checks.x86_64-linux", "builtins.attrNames");
        let hosts = self.eval("nixosConfigurations", "builtins.mapAttrs (_: h: h.config.quickDeploy)");
        let expected: Vec<String> = hosts.as_object().unwrap().keys().map(|h| format!("vm-{h}")).collect();
        assert_eq!(checks, serde_json::json!(expected));
        let app = self.eval("apps.x86_64-linux.deploy", "a: a.program");
        assert!(app.as_str().unwrap().starts_with("/nix/store/"), "{app}");
        hosts
    }
}

fn can_run() -> bool {
    let Some(why) = harness::cannot_run() else { return true };
    let required = std::env::var_os("NQD_REQUIRE_MACHINES").is_some();
    assert!(!required, "the tests of templates are required here, but {why}");
    println!("SKIPPED: a test of a template, because {why}");
    false
}

/// A template written into the scene's flake; what was printed.
fn written(scene: &Scene, template: &str) -> String {
    let out = scene.nqd(&["init", template, "flake"]);
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).unwrap()
}

#[test]
fn host() {
    let scene = Scene::new();
    insta::assert_snapshot!(written(&scene, "host"), @r"
    wrote one machine:
      flake/README.md
      flake/configuration.nix
      flake/flake.nix
      flake/hardware.nix
    next:
      cd flake
      $EDITOR configuration.nix                                    # your SSH key and the machine's address
      nixos-generate-config --show-hardware-config > hardware.nix  # on the machine: its disks
      git init && git add --all                                    # Nix sees only files that Git tracks
      nix run .#test -- web                                        # boot its VM and run its health checks
      nix run .#plan -- web                                        # what a deployment would change
      nix run .#deploy -- web                                      # deploy it
    ");
    if can_run() {
        scene.parses();
        let hosts = scene.hosts();
        assert_eq!(hosts["web"]["enable"], true);
        assert_eq!(hosts["web"]["health"]["checks"]["site"]["http"]["bodyRegex"], "well");
        assert_eq!(scene.eval("nixosConfigurations.web", "h: h.config.networking.hostName"), "web");
    }
}

#[test]
fn fleet() {
    let scene = Scene::new();
    let said = written(&scene, "fleet");
    assert!(
        said.contains("flake/hosts/db.nix") && said.contains("nix run .#deploy -- web db monitor"),
        "{said}"
    );
    if can_run() {
        scene.parses();
        let hosts = scene.hosts();
        let names: Vec<&String> = hosts.as_object().unwrap().keys().collect();
        assert_eq!(names, ["db", "monitor", "web"]);
        for host in ["db", "monitor", "web"] {
            assert!(hosts[host]["deploy"]["tags"].is_array() && hosts[host]["enable"] == true, "{host}");
            assert_eq!(hosts[host]["health"]["checks"]["root-disk"]["level"], "wanted");
        }
        assert_eq!(scene.eval("nixosConfigurations.db", "h: h.config.networking.hostName"), "db");
    }
}

/// The flake is the one that its README shows, with a configuration that somebody had.
#[test]
fn existing() {
    let scene = Scene::new();
    fs::create_dir(scene.flake()).unwrap();
    fs::write(scene.flake().join("configuration.nix"), "{ networking.hostName = \"web\"; }").unwrap();
    written(&scene, "existing");
    let readme = fs::read_to_string(scene.flake().join("quick-deploy/README.md")).unwrap();
    let shown = readme.split("```nix\n").nth(1).unwrap().split("```").next().unwrap();
    fs::write(scene.flake().join("flake.nix"), shown).unwrap();
    if can_run() {
        scene.parses();
        let hosts = scene.hosts();
        assert_eq!(hosts["web"]["health"]["checks"]["root-disk"]["disk"]["path"], "/");
    }
}

fn files(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn nothing_is_written_over() {
    let scene = Scene::new();
    fs::create_dir(scene.flake()).unwrap();
    fs::write(scene.flake().join("flake.nix"), "mine").unwrap();
    // A link that leads nowhere is somebody's, too.
    std::os::unix::fs::symlink("/nowhere", scene.flake().join("README.md")).unwrap();
    let out = scene.nqd(&["init", "host", "flake"]);
    let said = String::from_utf8(out.stderr).unwrap();
    assert_eq!(out.status.code(), Some(30), "{said}");
    for part in ["nothing was written", "flake/flake.nix", "flake/README.md", "hint:"] {
        assert!(said.contains(part), "{said}");
    }
    assert!(!said.contains("configuration.nix"), "{said}");
    assert_eq!(files(&scene.flake()), ["README.md", "flake.nix"]);
    assert_eq!(fs::read_to_string(scene.flake().join("flake.nix")).unwrap(), "mine");
}

#[test]
fn which_there_are() {
    let scene = Scene::new();
    let out = scene.nqd(&["init", "--list"]);
    let list = String::from_utf8(out.stdout).unwrap();
    assert_eq!(list.lines().count(), 3, "{list}");
    let out = scene.nqd(&["init", "hots"]);
    let said = String::from_utf8(out.stderr).unwrap();
    assert!(out.status.code() == Some(2) && said.contains("fleet"), "{said}");
    assert_eq!(scene.nqd(&["init"]).status.code(), Some(2));
}
