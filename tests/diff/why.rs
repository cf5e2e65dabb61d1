//! `nqd why` from the command line; what root causes there are is tests/why.rs's concern.

use insta::assert_snapshot;

use crate::scene::{Row, Scene, plain};

pub fn rows() -> Vec<Row> {
    vec![
        ("why_two_systems_differ", causes),
        ("why_one_package", one_package),
        ("why_one_package_that_was_needed_to_build_only", needed_to_build),
        ("why_another_version_besides", another_version),
        ("why_what_is_not_built", not_built),
        ("why_below_what_is_content_addressed", content_addressed),
        ("why_one_package_of_a_flake", one_package_of_a_flake),
        ("why_without_the_database", fallback),
        ("why_a_flakes_host_is_only_evaluated", flake),
        ("why_without_derivations_is_refused", absent),
    ]
}

/// A library that a tool and a service use: one new version rebuilds all three, and the system.
fn site(library: &str, more: &str) -> String {
    format!(
        r#"(let l = p "openssl" "{library}"; c = package {{ pname = "curl"; version = "8.7"; refs = [ l ]; }}; in [ c (package {{ pname = "web"; version = "1"; refs = [ l c ]; }}) {more} ])"#
    )
}

fn causes() {
    let scene = Scene::new();
    let [a, b] = scene.systems(&site("3.0.13", ""), &site("3.0.14", ""));
    let lines = [format!("<<< {a}"), format!(">>> {b}")];
    scene.nqd(&["why", &a, &b]).expect(0, &[&lines[0], &lines[1]]);
    assert_snapshot!("why_two_systems_differ", plain(&scene.nqd(&["why", &a, &b]).expect(0, &[]).stdout));
    scene.nqd(&["why", &a, &b, "--exit-code"]).expect(11, &["1 root cause of 4 rebuilds"]);
    scene.nqd(&["why", &a, &a, "--exit-code"]).expect(0, &["nothing is rebuilt"]);
    let json = scene.nqd(&["why", &a, &b, "--json"]).expect(0, &[]).stdout;
    let why: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((why["differing"].as_u64(), why["roots"][0]["name"].as_str()), (Some(4), Some("openssl")));
    scene.nqd(&["why", &a, &b, "--markdown"]).expect(0, &["- `openssl 3.0.13 → 3.0.14` explains 4"]);
}

fn one_package() {
    let scene = Scene::new();
    let [a, b] = scene.systems(
        &site("3.0.13", ""),
        &site("3.0.14", r#"(package { pname = "new"; refs = [ (p "below" "1") ]; })"#),
    );
    let why = |package: &str, sides: [&String; 2]| {
        let [a, b] = sides;
        scene.nqd(&["why", a, b, "--package", package]).expect(0, &[]).stdout
    };
    let curl = why("curl", [&a, &b]);
    assert!(curl.contains("curl is rebuilt: 1 root cause") && curl.contains("curl → openssl"), "{curl}");
    let way = "nixos-system-web-1 → new → below-1";
    let said = |text: String| text.lines().skip(2).collect::<Vec<_>>().join("\n");
    assert_eq!(said(why("below", [&a, &b])), format!("added: {way}"));
    assert_eq!(said(why("below", [&b, &a])), format!("removed; it was there by: {way}"));
    assert_eq!(said(why("nowhere", [&a, &b])), "nowhere is in neither");
    let json = |args: &[&str]| -> serde_json::Value {
        let all = [&["why", &a, &b, "--json", "--package"][..], args].concat();
        serde_json::from_str(&scene.nqd(&all).expect(0, &[]).stdout).unwrap()
    };
    let below = json(&["below"]);
    assert_eq!((&below["added"], &below["way"][1]), (&true.into(), &"new".into()), "{below}");
    assert_eq!(json(&["nowhere"])["way"], serde_json::Value::Null);
    // What a chain leads to is in the same object.
    let curl = json(&["curl"]);
    let root = curl["chains"][0]["root"].as_u64().and_then(|n| usize::try_from(n).ok()).unwrap();
    assert_eq!(
        (&curl["roots"][root]["name"], &curl["chains"][0]["path"][0]),
        (&"openssl".into(), &"curl".into())
    );
    for (package, exit) in [("nowhere", 0), ("below", 11), ("curl", 11)] {
        scene.nqd(&["why", &a, &b, "--exit-code", "--package", package]).expect(exit, &[]);
    }
    let markdown = ["why", &a, &b, "--markdown", "--package"];
    scene
        .nqd(&[&markdown[..], &["curl"]].concat())
        .expect(0, &["**`curl` is rebuilt", "  - through `curl → openssl`"]);
    scene
        .nqd(&[&markdown[..], &["below"]].concat())
        .expect(0, &["`added: nixos-system-web-1 → new → below-1`"]);
}

/// It is rebuilt, and it was not in the old system.
fn needed_to_build() {
    let scene = Scene::new();
    let tool = |salt: &str| format!(r#"package {{ pname = "tool"; version = "1"; salt = "{salt}"; }}"#);
    let [a, b] = scene.systems(
        &format!(
            r#"(derivation {{ name = "app-1"; system = builtins.currentSystem; builder = "/bin/sh"; tool = {}; args = [ "-c" "echo 1 > $out" ]; }})"#,
            tool("1")
        ),
        &tool("2").replace("package", "(package").replace("; }", "; })"),
    );
    let why = |sides: [&String; 2]| {
        scene.nqd(&["why", sides[0], sides[1], "--package", "tool"]).expect(0, &[]).stdout
    };
    let there = why([&a, &b]);
    assert!(there.contains("added: nixos-system-web-1 → tool-1"), "{there}");
    let back = why([&b, &a]);
    assert!(back.contains("removed; it was there by: nixos-system-web-1 → tool-1"), "{back}");
}

fn another_version() {
    let scene = Scene::new();
    let [a, b] = scene.systems(r#"(p "firefox" "1.0")"#, r#"(p "firefox" "1.0") (p "firefox" "2.0")"#);
    let why = ["why", &a, &b, "--exit-code", "--package", "firefox"];
    scene.nqd(&why).expect(11, &["added: nixos-system-web-1 → firefox-2.0"]);
    let why = ["why", &b, &a, "--package", "firefox"];
    scene.nqd(&why).expect(0, &["removed; it was there by: nixos-system-web-1 → firefox-2.0"]);
}

/// A path that a derivation here would make needs not be there.
fn not_built() {
    let scene = Scene::new();
    let outputs = ["1", "2"].map(|v| {
        scene
            .sh(&format!(
                r#"nix-store -q --outputs $(nix-instantiate -E 'with import ./store.nix; nixos "1" [ (p "keep" "1") (p "lib" "{v}") ]' 2>/dev/null)"#
            ))
            .trim()
            .to_owned()
    });
    let [a, b] = &outputs;
    scene.nqd(&["why", a, b]).expect(0, &["lib 1 → 2"]);
    for (package, said) in [("keep", "not rebuilt; it is there by"), ("lib", "lib is rebuilt")] {
        scene.nqd(&["why", a, b, "--package", package]).expect(0, &[said]);
    }
}

/// The derivation that is noted for such a system names no inputs any more, only what they became.
fn content_addressed() {
    let scene = Scene::new();
    let build = |version: &str| {
        let expression = format!(
            r#"with import ./store.nix; nixos "1" [ (derivation {{
              name = "ca-1"; system = builtins.currentSystem; builder = "/bin/sh"; lib = p "lib" "{version}";
              args = [ "-c" "echo $lib > $out" ];
              __contentAddressed = true; outputHashMode = "recursive"; outputHashAlgo = "sha256"; }}) ]"#
        );
        let script = format!(
            "nix-build --extra-experimental-features ca-derivations --no-out-link -E '{expression}' 2>/dev/null"
        );
        scene.sh(&script).trim().to_owned()
    };
    let (a, b) = (build("1"), build("2"));
    let said = scene.nqd(&["why", &a, &b]).expect(0, &["lib 1 → 2"]).stdout;
    assert!(!said.contains("source") && said.contains("1 root cause of 3 rebuilds"), "{said}");
    scene.nqd(&["why", &a, &b, "--package", "lib"]).expect(0, &["lib is rebuilt: 1 root cause"]);
}

/// What is only evaluated tells who pulls a package in, too.
fn one_package_of_a_flake() {
    let scene = Scene::new();
    let host = |packages: &str| {
        scene.operator.hosts(&format!(r#"web = nixos {{ name = "web"; packages = [ {packages} ]; }};"#));
    };
    host(r#""old-1" "web-1""#);
    let first = scene.operator.build("web");
    host(r#""newpkg-3" "web-1""#);
    for (package, said) in [
        ("newpkg", "added: nixos-system-web-1 → newpkg-3"),
        ("old", "removed; it was there by: nixos-system-web-1 → old-1"),
        ("web", "not rebuilt; it is there by: nixos-system-web-1 → web-1"),
        ("nowhere", "nowhere is in neither"),
    ] {
        scene.nqd(&["why", &first, ".#web", "--package", package]).expect(0, &[said]);
    }
}

/// Whoever may not read the database asks Nix.
fn fallback() {
    let scene = Scene::new();
    let [a, b] = scene.systems(&site("1", ""), &site("2", ""));
    let direct = scene.nqd(&["why", &a, &b]).expect(0, &[]).stdout;
    let said = scene.nqd_without_database("nix-store", &["why", &a, &b]);
    assert!(said.starts_with(direct.trim_end()) && said.contains("`nix-store --query"), "{said}");
}

fn flake() {
    let scene = Scene::new();
    scene.operator.hosts(r#"web = nixos { name = "web"; };"#);
    let first = scene.operator.build("web");
    scene.operator.hosts(r#"web = nixos { name = "web"; version = "2"; };"#);
    scene.nqd(&["why", &first, ".#web"]).expect(0, &["root cause", "rebuild"]);
    let built = scene.sh("ls /nix/store | grep -c 'nixos-system-web-2$' || true");
    assert_eq!(built.trim(), "0", "it was built");
}

fn absent() {
    let scene = Scene::new();
    let [a, b] = scene.systems(&site("1", ""), &site("2", ""));
    scene.nqd(&["snapshot", &a, "--out", "a.json"]).expect(0, &[]);
    scene.nqd(&["why", "a.json", &b]).expect(2, &["a snapshot", "nqd diff"]);
    // A derivation in the middle is gone: the others are still compared, and it is said.
    // So is one that a power cut left empty.
    scene.sh("set -- /nix/store/*-curl-8.7.drv; : > $1; rm $2");
    scene.nqd(&["why", &a, &b]).expect(0, &["curl", "2 derivations are not there any more"]);
    scene.sh("rm /nix/store/*-nixos-system-web-1.drv");
    scene.nqd(&["why", &a, &b]).expect(30, &["not here any more", "nqd diff"]);
}
