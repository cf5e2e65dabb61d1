//! Root causes between real derivations, made by Nix in a store of its own.
#![cfg(feature = "operator")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::disallowed_methods, missing_docs)]

mod harness;

use std::fs;
use std::path::Path;
use std::process::Command;

use harness::nix_new;

use nqd::closure::why::{Why, explain};
use nqd::derivation::{Derivation, Header, OutputKind};
use nqd::model::StorePath;
use nqd::report::why_text::{Layout, render};

/// A few small derivations; each argument changes something.
const SYSTEM: &str = r#"
{ version ? "2.12", content ? "one", fetcher ? "8.5", bash ? "5.2", flags ? "-O2", patched ? false, pcre ? false
, text ? "listen 80", structured ? "a b", ca ? "1", file ? "make" }:
let
  drv = args: derivation ({ system = "x86_64-linux"; builder = "/bin/sh"; name = "${args.pname}-${args.version}"; } // args);
  curl = drv { pname = "curl"; version = fetcher; };
  fetch = name: content: derivation {
    inherit name; system = "x86_64-linux"; builder = "${curl}/bin/curl"; urls = "https://example.org/${name}";
    outputHashAlgo = "sha256"; outputHash = builtins.hashString "sha256" content;
  };
  shell = drv { pname = "bash"; version = bash; };
  zlib = drv { pname = "zlib"; version = "1.3"; outputs = [ "out" "dev" ]; builder = "${shell}/bin/bash"; };
  regex = drv { pname = "pcre"; version = "10.4"; };
  hello = drv {
    pname = "hello"; inherit version;
    src = fetch "hello-${version}.tar.gz" content;
    builder = "${shell}/bin/bash";
    args = [ "-e" (builtins.toFile "build.sh" file) ];
    CFLAGS = flags;
    buildInputs = [ zlib.dev shell ] ++ (if pcre then [ regex ] else [ ]);
    patches = if patched then [ (builtins.toFile "fix-build.patch" "diff") ] else [ ];
  };
  config = drv { pname = "web.conf"; version = ""; name = "web.conf"; inherit text; passAsFile = [ "text" ]; exe = "${hello}/bin/hello"; };
  tool = drv { pname = "tool"; version = "3"; __structuredAttrs = true; flags = builtins.split " " structured; env = { SHELL = "${shell}"; }; };
  floating = derivation {
    name = "floating-1"; system = "x86_64-linux"; builder = "${shell}/bin/bash"; __contentAddressed = true;
    outputHashMode = "recursive"; outputHashAlgo = "sha256"; MARK = ca;
    SRC = fetch "floating.tar" "x";
  };
  user = drv { pname = "user"; version = "1"; FLOATING = "${floating}/x"; };
in {
  plain = derivation {
    name = "nixos-system-web-26.05"; system = "x86_64-linux"; builder = "${shell}/bin/bash";
    paths = [ config hello tool ];
  };
  ca = derivation { name = "nixos-system-ca-26.05"; system = "x86_64-linux"; builder = "/bin/sh"; inherit user; };
}
"#;

/// A Nix store in a directory, bound over /nix in a mount namespace for Nix only.
struct Store {
    dir: tempfile::TempDir,
}

impl Store {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        for sub in ["nix", "home"] {
            fs::create_dir(dir.path().join(sub)).unwrap();
        }
        if !Path::new("/nix").exists() {
            fs::create_dir("/nix").unwrap();
        }
        fs::write(dir.path().join("system.nix"), SYSTEM).unwrap();
        Self { dir }
    }

    /// The `.drv` of the system (`plain` or `ca`) with these arguments, which are Nix.
    fn instantiate(&self, attribute: &str, arguments: &[(&str, &str)]) -> StorePath {
        let bin =
            if nix_new::wanted() { format!("{}/bin:", nix_new::tree().display()) } else { String::new() };
        let mount = "mount --bind \"$1\" /nix && shift && exec \"$@\"";
        let mut command = Command::new("unshare");
        command
            .args(["--mount", "--", "/bin/sh", "-c", mount, "sh"])
            .arg(self.dir.path().join("nix"))
            .args(["nix-instantiate", "-A", attribute])
            .arg(self.dir.path().join("system.nix"))
            .env("HOME", self.dir.path().join("home"))
            .env("PATH", format!("{bin}/usr/bin:/bin"))
            .env(
                "NIX_CONFIG",
                "substituters =\nbuild-users-group =\nexperimental-features = nix-command ca-derivations\n",
            );
        for (name, value) in arguments {
            command.args(["--arg", name, value]);
        }
        let out = command.output().unwrap();
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        StorePath::parse(String::from_utf8(out.stdout).unwrap().trim()).unwrap()
    }

    fn file(&self, path: &StorePath) -> std::path::PathBuf {
        self.dir.path().join(path.as_str().trim_start_matches('/'))
    }

    fn why(&self, old: &StorePath, new: &StorePath) -> Why {
        explain(old, new, |path| match fs::read(self.file(path)) {
            Ok(bytes) => Derivation::from_vec(bytes).map(Some).map_err(|e| e.to_string()),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(e.to_string()),
        })
        .unwrap()
    }

    /// What is said when this changes in the plain system.
    fn said(&self, arguments: &[(&str, &str)]) -> String {
        let (old, new) = (self.instantiate("plain", &[]), self.instantiate("plain", arguments));
        // Store hashes of files depend on Nix alone: they are stable.
        render(&self.why(&old, &new), Layout::default())
    }
}

#[test]
fn what_nix_wrote_is_explained() {
    let store = Store::new();
    insta::assert_snapshot!(store.said(&[("version", "\"2.13\""), ("content", "\"two\""), ("patched", "true")]), @r"
1 root cause of 4 rebuilds

hello 2.12 → 2.13                                                     explains 3
  added     fix-build.patch (patches)
  source    hello-2.12.tar.gz → hello-2.13.tar.gz

2 other rebuilds: only inputs changed
");
    insta::assert_snapshot!(store.said(&[("content", "\"two\"")]), @r"
1 root cause of 4 rebuilds

hello-2.12.tar.gz                                                     explains 4
  source    hello-2.12.tar.gz (sha256:7692c3ad3540…) → hello-2.12.tar.gz
              (sha256:3fc4ccfe7458…)
  used by   hello

3 other rebuilds: only inputs changed
");
    insta::assert_snapshot!(store.said(&[("fetcher", "\"8.6\"")]), @r"
nothing is rebuilt
");
    insta::assert_snapshot!(store.said(&[("bash", "\"5.3\"")]), @r"
1 root cause of 6 rebuilds

bash 5.2 → 5.3                                                        explains 6
  version   only the version changed

5 other rebuilds: only inputs changed
");
    insta::assert_snapshot!(store.said(&[("flags", "\"-O3\""), ("pcre", "true"), ("file", "\"make -j\"")]), @r"
1 root cause of 3 rebuilds

hello 2.12                                                            explains 3
  source    fwwwglw-build.sh → 7i5z13z-build.sh
  added     pcre-10.4 (buildInputs)
  attribute CFLAGS: -O2 → -O3

2 other rebuilds: only inputs changed
");
    insta::assert_snapshot!(store.said(&[("text", "\"listen 443\""), ("structured", "\"a c\"")]), @r#"
2 root causes of 3 rebuilds

tool 3                                                                explains 2
  attribute flags: ["a",[],"b"] → ["a",[],"c"]

web.conf                                                              explains 2
  attribute text: listen 80 → listen 443

1 other rebuild: only inputs changed
"#);
}

#[test]
fn content_addressed_derivations() {
    let store = Store::new();
    let old = store.instantiate("ca", &[]);
    let why = store.why(&old, &store.instantiate("ca", &[("ca", "\"2\"")]));
    insta::assert_snapshot!(render(&why, Layout::default()), @r"
1 root cause of 3 rebuilds

floating 1                                                            explains 3
  attribute MARK: 1 → 2

2 other rebuilds: only inputs changed
note: 1 derivation is content-addressed: where a rebuild gives the same content,
  what depends on it is not rebuilt
");
    // Another fetcher makes every .drv file another one, up to the top, and rebuilds nothing.
    let new = store.instantiate("ca", &[("fetcher", "\"8.6\"")]);
    assert_ne!(old, new);
    assert!(store.why(&old, &new).is_empty());
}

#[test]
fn a_collected_derivation() {
    let store = Store::new();
    let (old, new) = (store.instantiate("plain", &[]), store.instantiate("plain", &[("flags", "\"-O3\"")]));
    let find = |top: &StorePath, name: &str| {
        let mut open = vec![top.clone()];
        while let Some(path) = open.pop() {
            if path.name() == name {
                return path;
            }
            let drv = Derivation::parse(&fs::read(store.file(&path)).unwrap()).unwrap();
            open.extend(drv.input_paths().map(|p| StorePath::parse(p).unwrap()));
        }
        panic!("{name} is not there");
    };
    fs::remove_file(store.file(&find(&old, "hello-2.12.drv"))).unwrap();
    insta::assert_snapshot!(render(&store.why(&old, &new), Layout::default()), @r"
1 root cause of 3 rebuilds

hello 2.12                                                            explains 3
  unknown   the old .drv file is not there any more: what else changed is not
              known

2 other rebuilds: only inputs changed
note: 1 derivation is not there any more: what changed in or below is not known
");
}

#[test]
fn every_derivation_of_nix_is_read() {
    use OutputKind::{Deferred, Fixed, Floating, InputAddressed};
    let store = Store::new();
    store.instantiate("plain", &[]);
    store.instantiate("ca", &[]);
    let (mut kinds, mut names) = (Vec::new(), Vec::new());
    for entry in fs::read_dir(store.dir.path().join("nix/store")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|e| e != "drv") {
            continue;
        }
        let bytes = fs::read(&path).unwrap();
        let (drv, header) = (Derivation::parse(&bytes).unwrap(), Header::scan(&bytes).unwrap());
        assert_eq!(
            (drv.attribute("pname"), drv.attribute("version")),
            (header.pname.clone(), header.version)
        );
        kinds.extend(drv.outputs().map(|o| o.kind()));
        names.extend(header.pname);
    }
    assert!([Deferred, Fixed, Floating, InputAddressed].iter().all(|k| kinds.contains(k)), "{kinds:?}");
    assert!(names.iter().any(|n| n == "tool"), "{names:?}: structured attributes");
}
