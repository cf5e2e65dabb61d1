//! Where the two sides may be, and what is said when they are not there.

use crate::scene::{Row, Scene};

pub fn rows() -> Vec<Row> {
    vec![
        ("paths_and_sizes_are_those_that_nix_reports", as_nix_reports),
        ("generations_profiles_and_links", generations),
        ("what_is_not_named_is_what_runs_and_what_comes_next", defaults),
        ("two_readings_are_an_error", ambiguous),
        ("a_snapshot_compares_as_its_system", snapshot),
        ("a_store_in_a_chroot", chroot),
        ("what_is_not_registered_is_an_error", unregistered),
        ("what_is_missing_on_disk_is_still_compared", missing),
        ("a_database_that_cannot_be_read_is_said", fallback),
        ("a_flakes_host_is_built", flake),
        ("exit_codes", exit_codes),
    ]
}

/// From the packages on, without notes.
fn body(text: &str) -> Vec<String> {
    let lines = text.lines().skip_while(|l| !l.starts_with("Packages"));
    lines.take_while(|l| !l.starts_with("note:")).map(str::to_owned).collect()
}

fn two(scene: &Scene) -> [String; 2] {
    scene.systems(r#"(p "firefox" "127.0") (p "same" "1")"#, r#"(p "firefox" "128.0") (p "same" "1")"#)
}

const CHANGED: &str = "firefox   127.0 → 128.0";

/// The set of paths and the sizes, against `nix path-info`.
fn as_nix_reports() {
    let scene = Scene::new();
    let systems = two(&scene);
    let json = scene.nqd(&["diff", &systems[0], &systems[1], "--json"]).expect(0, &[]).stdout;
    let said: serde_json::Value = serde_json::from_str(&json).unwrap();
    for (side, system) in systems.iter().enumerate() {
        let infos = scene.sh(&format!("nix path-info --recursive --size {system}"));
        let total: u64 =
            infos.lines().map(|l| l.split_whitespace().last().unwrap().parse::<u64>().unwrap()).sum();
        assert_eq!(said["packages"]["bytes"][side], total, "{infos}");
        assert_eq!(said["packages"]["paths"][side], infos.lines().count());
        let snapshot: serde_json::Value =
            serde_json::from_str(&scene.nqd(&["snapshot", system]).expect(0, &[]).stdout).unwrap();
        let mut ours: Vec<&str> = snapshot["closure"]["members"]
            .as_array()
            .unwrap()
            .iter()
            .map(|m| m["path"].as_str().unwrap())
            .collect();
        let mut theirs: Vec<&str> = infos.lines().map(|l| l.split_whitespace().next().unwrap()).collect();
        ours.sort_unstable();
        theirs.sort_unstable();
        assert_eq!(ours, theirs);
    }
}

fn generations() {
    let scene = Scene::new();
    let [a, b] = two(&scene);
    scene.sh(&format!(
        "p=/nix/var/nix/profiles; mkdir -p $p; nix-env -p $p/system --set {a}; nix-env -p $p/system --set {b}; ln -s {a} link"
    ));
    scene.nqd(&["diff", "1", "2"]).expect(0, &[CHANGED, "generation 1", "generation 2"]);
    scene.nqd(&["diff", "link", "system"]).expect(0, &[CHANGED, "profile system"]);
    scene.nqd(&["diff", "2", "1"]).expect(0, &["128.0 → 127.0"]);
    scene.nqd(&["diff", "--history"]).expect(0, &[CHANGED, "generation 1, 20"]);
    // Nothing is compared that was not named: this is not NixOS.
    scene.nqd(&["diff"]).expect(2, &["no /run/current-system", "name both sides"]);
    scene.nqd(&["diff", "1", "99"]).expect(2, &["no generation 99"]);
    scene.nqd(&["diff", "--history", "0"]).expect(2, &[]);
    // What is registered and not on disk is still a generation.
    scene.sh(&format!("rm -rf {a}; ln -s /nowhere dangling"));
    scene.nqd(&["diff", "1", "2"]).expect(0, &[CHANGED, "generation 1, missing on disk"]);
    scene.nqd(&["diff", "dangling", "2"]).expect(2, &["leads to nothing"]);
    scene.nqd(&["diff", "before.json", "2"]).expect(43, &["no path, generation or profile before.json"]);
}

/// `/run/current-system`, and `./result` if it is a system, else the system profile.
fn defaults() {
    let scene = Scene::new();
    let [runs, result, profile] =
        ["1", "2", "3"].map(|v| scene.build(&format!(r#"nixos "1" [ (p "firefox" "12{v}.0") ]"#)));
    let tool = scene.build(r#"p "tool" "1""#);
    // As on a machine where `running` runs: in a /run of its own.
    let says = |running: &str, args: &str| {
        let nqd = env!("CARGO_BIN_EXE_nqd");
        let run = format!("mount -t tmpfs none /run; ln -s {running} /run/current-system");
        scene.sh(&format!("{run}; {nqd} {args} 2>&1 || echo exit $?"))
    };
    let expect = |args: &str, all: &[&str]| {
        let said = says(&runs, args);
        assert!(all.iter().all(|s| said.contains(s)), "{args}: {all:?}: {said}");
    };
    expect("diff", &["neither ./result nor a system profile", "name both sides", "exit 2"]);
    let shows = |args: &str, [named, path]: [&str; 2], change: &str| {
        let (old, new) = (format!("<<< {runs}"), format!(">>> {path}"));
        expect(args, &[&old, "what runs", &new, named, change]);
    };
    scene.sh(&format!(
        "mkdir -p /nix/var/nix/profiles; nix-env -p /nix/var/nix/profiles/system --set {profile}"
    ));
    // No ./result: the profile.
    shows("diff", ["profile system", &profile], "121.0 → 123.0");
    for not_a_system in [tool.as_str(), "/nowhere", "/etc"] {
        scene.sh(&format!("ln -sfn {not_a_system} result"));
        shows("diff", ["profile system", &profile], "121.0 → 123.0");
    }
    scene.sh(&format!("ln -sfn {result} result"));
    shows("diff", ["./result", &result], "121.0 → 122.0");
    expect("why", &["firefox 121.0 → 122.0"]);
    // One word is the new side.
    shows("diff 1", ["generation 1", &profile], "121.0 → 123.0");
    assert!(says(&result, "diff").contains("no change"), "what runs is what was built");
    let nothing = says("/nowhere", "diff");
    assert!(nothing.contains("no /run/current-system"), "{nothing}");
}

fn ambiguous() {
    let scene = Scene::new();
    let [a, b] = two(&scene);
    scene.sh(&format!(
        "p=/nix/var/nix/profiles; mkdir -p $p; nix-env -p $p/system --set {a}; nix-env -p $p/web --set {a}; ln -s {b} 1; ln -s {b} web"
    ));
    scene.nqd(&["diff", "1", &b]).expect(2, &["1 may be", "generation 1", "./NAME"]);
    scene.nqd(&["diff", "web", &b]).expect(2, &["web may be", "profile web"]);
    scene.nqd(&["diff", "./web", &b]).expect(0, &["no change"]);
}

fn snapshot() {
    let scene = Scene::new();
    let [a, b] = two(&scene);
    scene.nqd(&["snapshot", &a, "--out", "before.json"]).expect(0, &[]);
    let direct = scene.nqd(&["diff", &a, &b]).expect(0, &[]).stdout;
    let later = scene.nqd(&["diff", "before.json", &b]).expect(0, &[]).stdout;
    assert_eq!(body(&direct), body(&later));
    scene.sh("sed 's/\"nqdSnapshot\":1/\"nqdSnapshot\":9/' before.json > newer.json; head -c 300 before.json > torn.json; echo {} > other.json");
    scene.nqd(&["diff", "newer.json", &b]).expect(2, &["version 9", "newer nqd"]);
    scene.nqd(&["diff", "torn.json", &b]).expect(2, &["torn.json"]);
    scene.nqd(&["diff", "other.json", &b]).expect(2, &["no snapshot"]);
}

fn chroot() {
    let scene = Scene::new();
    let [a, b] = two(&scene);
    scene.sh(&format!(
        "mkdir -p root; nix copy --no-check-sigs --to \"local?root=$PWD/root\" {b}; \
         ln -s {b} root/nix/var/nix/profiles/system 2>/dev/null || (mkdir -p root/nix/var/nix/profiles; ln -s {b} root/nix/var/nix/profiles/system)"
    ));
    let inside = scene.operator.flake().join("root/nix/var/nix/profiles/system");
    scene.sh(&format!("nix-store --delete {b}"));
    scene.nqd(&["diff", &a, inside.to_str().unwrap()]).expect(0, &[CHANGED]);
    scene.nqd(&["diff", &a, &b]).expect(30, &["not registered"]);
    // By a link from outside, too.
    scene.sh(&format!("ln -s $PWD/root{b} elsewhere"));
    scene.nqd(&["diff", &a, "elsewhere"]).expect(0, &[CHANGED]);
}

fn unregistered() {
    let scene = Scene::new();
    let [a, b] = two(&scene);
    scene.sh(&format!("nix-store --delete {b}"));
    scene.nqd(&["diff", &a, &b]).expect(30, &["is not registered", "garbage collected"]);
    scene.nqd(&["diff", &a, "/etc"]).expect(2, &["/etc lies in no Nix store", "FLAKE#HOST"]);
}

/// The store still knows what it consisted of.
fn missing() {
    let scene = Scene::new();
    let [a, b] = two(&scene);
    scene.sh(&format!("rm -rf {b}"));
    scene.nqd(&["diff", &a, &b]).expect(0, &[CHANGED, "missing on disk"]);
}

fn fallback() {
    let scene = Scene::new();
    let [a, b] = two(&scene);
    let direct = scene.nqd(&["diff", &a, &b]).expect(0, &[]).stdout;
    let said = scene.nqd_without_database("nix", &["diff", &a, &b]);
    assert!(said.contains("db.sqlite") && said.contains("`nix path-info` was asked"), "{said}");
    assert_eq!(body(&direct), body(&said));
    assert!(said.contains("as well as paths tell them"), "{said}");
    // Where Nix cannot answer either, both reasons are told.
    let scene = Scene::new();
    let [a, _] = two(&scene);
    let nothing = format!("/nix/store/{}-nothing", "0".repeat(32));
    let script = ["diff", &a, &nothing, "2>&1", "||", "true"];
    let said = scene.nqd_without_database("nix", &script);
    assert!(said.contains("db.sqlite") && said.contains("listing what"), "{said}");
}

fn flake() {
    let scene = Scene::new();
    scene.operator.hosts(r#"web = nixos { name = "web"; };"#);
    let first = scene.operator.build("web");
    scene.operator.hosts(r#"web = nixos { name = "web"; version = "2"; };"#);
    scene.nqd(&["diff", &first, ".#web"]).expect(0, &["building", "nixos-system-web  1 → 2"]);
    scene.nqd(&["diff", &first, ".#nothing"]).expect(40, &["nothing"]);
}

fn exit_codes() {
    let scene = Scene::new();
    let [a, b] = two(&scene);
    scene.nqd(&["diff", &a, &b, "--exit-code"]).expect(11, &[]);
    scene.nqd(&["diff", &a, &a, "--exit-code"]).expect(0, &["no change"]);
    scene.nqd(&["diff", &a, &b]).expect(0, &[]);
}
