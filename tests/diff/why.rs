//! `nqd why` from the command line; what root causes there are is tests/why.rs's concern.

use insta::assert_snapshot;

use crate::scene::{Row, Scene, plain};

pub fn rows() -> Vec<Row> {
    vec![
        ("why_two_systems_differ", causes),
        ("why_one_package", one_package),
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
    assert_eq!(why("below", [&a, &b]).trim(), format!("added: {way}"));
    assert_eq!(why("below", [&b, &a]).trim(), format!("removed; it was there by: {way}"));
    assert_eq!(why("nowhere", [&a, &b]).trim(), "nowhere is in neither");
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
    scene.sh("rm /nix/store/*-curl-8.7.drv");
    scene.nqd(&["why", &a, &b]).expect(0, &["curl", "2 derivations are not there any more"]);
    scene.sh("rm /nix/store/*-nixos-system-web-1.drv");
    scene.nqd(&["why", &a, &b]).expect(30, &["not here any more", "nqd diff"]);
}
