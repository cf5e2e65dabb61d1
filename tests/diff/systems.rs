//! What changes in a system beyond its packages.

use insta::assert_snapshot;

use crate::scene::{Row, Scene, plain};

pub fn rows() -> Vec<Row> {
    vec![
        ("units_kernel_and_files", units),
        ("accounts_ports_and_what_a_reboot_needs", accounts),
        ("what_stays_unknown_and_what_only_a_reboot_does", declared_anew),
        ("secrets_are_not_shown", secrets),
        ("a_unit_that_differs_by_hashes_only", paths_only),
        ("a_system_of_a_snapshot", snapshot),
    ]
}

/// Builds the host `web` of the fixture with these attributes.
fn build(scene: &Scene, attributes: &str) -> String {
    scene.operator.hosts(&format!("web = nixos {{ name = \"web\"; {attributes} }};"));
    scene.operator.build("web")
}

fn unit(name: &str, lines: &str) -> String {
    format!(r#"units."{name}" = "{}\n";"#, lines.replace('\\', "\\\\").replace('\n', "\\n"))
}

fn units() {
    let scene = Scene::new();
    let a = build(
        &scene,
        &(unit("web.service", "[Service]\nExecStart=/bin/sleep 100\nRestart=always")
            + &unit("gone.service", "[Service]\nExecStart=/bin/true")),
    );
    let b = build(
        &scene,
        &(unit("web.service", "[Service]\nExecStart=/bin/sleep 200\nRestart=always")
            + &unit("new.timer", "[Timer]\nOnCalendar=daily")
            + r#"kernel = "6.18"; hostName = "other";"#),
    );
    assert_snapshot!("units_kernel_and_files", plain(&scene.nqd(&["diff", &a, &b]).expect(0, &[]).stdout));
    assert_snapshot!(
        "units_as_markdown",
        plain(&scene.nqd(&["diff", &a, &b, "--markdown"]).expect(0, &[]).stdout)
    );
}

/// What our module and NixOS's own files declare. In `OLD` and `NEW`: a unit that is reloaded, one that is restarted.
const OLD: &str = r#"
  kernelParams = "loglevel=4 quiet"; packages = [ "web-1" "glibc-2.40" ];
  units."dns.service" = "[Service]\nX-ReloadIfChanged=true\nExecStart=/bin/sleep 100\n";
  units."web.service" = "[Service]\nExecStart=/bin/sleep 100\nRestart=always\n";
  files."tmpfiles.d/00-nixos.conf" = "d /srv/cache 0750 web web 10d\nd /srv/www 0755 web web -\n";
  files."nqd/system.json" = builtins.toJSON {
    version = 1; hostName = "web"; system = "x86_64-linux";
    firewall = { tcp = [ 22 8080 ]; udp = []; tcpRanges = []; udpRanges = []; interfaces = {}; };
  };
  specialisations.rescue = nixos { name = "rescue"; };
  accounts = {
    users = [
      { name = "alice"; uid = 1000; group = "users"; home = "/home/alice"; shell = "/bin/sh"; hashedPassword = "$6$old$0ldpassw0rd"; }
      { name = "carol"; uid = 1002; group = "users"; }
    ];
    groups = [ { name = "wheel"; gid = 1; members = []; } { name = "www"; gid = 80; members = []; } ];
  };"#;

/// What became of it.
const NEW: &str = r#"
  kernelParams = "quiet mitigations=auto"; packages = [ "web-1" "glibc-2.42" ];
  units."dns.service" = "[Service]\nX-ReloadIfChanged=true\nExecStart=/bin/sleep 200\n";
  units."web.service" = "[Service]\nExecStart=/bin/sleep 200\nRestart=always\n";
  files."tmpfiles.d/00-nixos.conf" = "d /srv/cache 0750 web web 2d\nd /srv/www 0755 web web -\n";
  files."nqd/system.json" = builtins.toJSON {
    version = 1; hostName = "web2"; system = "x86_64-linux";
    firewall = {
      tcp = [ 22 443 ]; udp = []; tcpRanges = []; udpRanges = [ { from = 60000; to = 61000; } ];
      interfaces.wg0 = { tcp = []; udp = [ 53 ]; tcpRanges = []; udpRanges = []; };
    };
  };
  specialisations.gaming = nixos { name = "gaming"; };
  accounts = {
    users = [
      { name = "alice"; uid = 1000; group = "users"; home = "/home/alice"; shell = "/bin/zsh"; hashedPassword = "$6$new$n3wpassw0rd"; }
      { name = "bob"; uid = 1001; group = "users"; }
    ];
    groups = [ { name = "wheel"; gid = 1; members = [ "alice" ]; } { name = "media"; gid = 900; members = []; } ];
  };"#;

fn accounts() {
    let scene = Scene::new();
    let (a, b) = (build(&scene, OLD), build(&scene, NEW));
    let said = |more: &[&str]| {
        let text = plain(&scene.nqd(&[&["diff", &a, &b], more].concat()).expect(0, &[]).stdout);
        assert!(!text.contains("passw0rd"), "{text}");
        text
    };
    assert_snapshot!("accounts_ports_and_what_a_reboot_needs", said(&[]));
    assert_snapshot!("accounts_as_markdown", said(&["--markdown"]));
    let diff: serde_json::Value = serde_json::from_str(&said(&["--json"])).unwrap();
    let system = &diff["system"]["compared"];
    assert_eq!(system["firewall"]["known"]["removed"], serde_json::json!(["tcp 8080"]), "{system}");
    scene.nqd(&["diff", &a, &a, "--exit-code"]).expect(0, &["no change"]);
}

/// The first system with our module has declared what the one before it did not; and a firewall that is off.
fn declared_anew() {
    let scene = Scene::new();
    let before = build(&scene, "accounts = { users = [ ]; groups = [ ]; };");
    let after = build(
        &scene,
        r#"files."nqd/system.json" = builtins.toJSON { version = 1; hostName = "web"; firewall = null; };
           initInterface = "systemd 3";
           userUnits."sync.service" = "[Service]\nExecStart=/bin/true\n";"#,
    );
    assert_snapshot!(
        "what_stays_unknown",
        plain(&scene.nqd(&["diff", &before, &after]).expect(0, &[]).stdout)
    );
    let open = build(
        &scene,
        r#"files."nqd/system.json" = builtins.toJSON { version = 1; hostName = "web"; firewall.tcp = [ 22 ]; };"#,
    );
    scene
        .nqd(&["diff", &open, &after])
        .expect(0, &["opens every port: the firewall is off", "closes tcp 22"]);
}

fn secrets() {
    let scene = Scene::new();
    let service = |word: &str| {
        let lines = [
            "[Service]",
            "ExecStart=/bin/sleep --token \\\n  WORD \\\n  1",
            "ExecStartPre=/bin/sh -c 'curl -u me:WORD https://example.org; exec x --set API_KEY WORD --verbose'",
            "Environment=API_KEY=WORD DB_CREDS=WORD PWD_X=WORD",
            "Environment=TOKEN_FILE=/run/secrets/WORD",
            "Environment=URL=https://me:WORD@example.org/",
        ];
        let lines = lines.join("\n").replace("WORD", word);
        unit("web.service", &lines)
    };
    let (first, second) = ("correcthorse", "batterystaple");
    let (a, b) = (build(&scene, &service(first)), build(&scene, &service(second)));
    scene.nqd(&["snapshot", &a, "--out", "a.json"]).expect(0, &[]);
    let snapshot = std::fs::read_to_string(scene.operator.flake().join("a.json")).unwrap();
    let mut said = vec![snapshot];
    for form in [&[][..], &["--json"], &["--markdown"], &["--all"]] {
        said.push(scene.nqd(&[&["diff", &a, &b], form].concat()).expect(0, &["web.service"]).all());
    }
    said.push(scene.nqd(&["why", &a, &b]).expect(0, &[]).all());
    said.push(scene.nqd(&["why", &a, &b, "--json"]).expect(0, &[]).all());
    for text in said {
        assert!(!text.contains(first) && !text.contains(second), "{text}");
    }
    // That it changed is still said.
    scene.nqd(&["diff", &a, &b]).expect(0, &["web.service: a masked value changed"]);
    scene.nqd(&["diff", "a.json", &b]).expect(0, &["web.service"]);
}

fn paths_only() {
    let scene = Scene::new();
    // The two units name different paths of the same name.
    let service = |salt: &str| {
        let tool = scene.build(&format!(r#"package {{ pname = "tool"; salt = "{salt}"; }}"#));
        unit("web.service", &format!("[Service]\nExecStart={tool}"))
    };
    let (a, b) = (build(&scene, &service("1")), build(&scene, &service("2")));
    let text = plain(&scene.nqd(&["diff", &a, &b]).expect(0, &["web.service"]).stdout);
    assert!(text.contains("paths only") && !text.contains("-ExecStart"), "{text}");
}

fn snapshot() {
    let scene = Scene::new();
    let a = build(&scene, &unit("web.service", "[Service]\nExecStart=/bin/sleep 100"));
    let b = build(&scene, &unit("web.service", "[Service]\nExecStart=/bin/sleep 200"));
    scene.nqd(&["snapshot", &a, "--out", "a.json"]).expect(0, &[]);
    scene.sh(&format!("nix-store --delete {a} 2>/dev/null || true"));
    scene.nqd(&["diff", "a.json", &b]).expect(0, &["-ExecStart=/bin/sleep 100", "+ExecStart=/bin/sleep 200"]);
}
