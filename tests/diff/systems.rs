//! What changes in a system beyond its packages.

use insta::assert_snapshot;

use crate::scene::{Row, Scene, plain};

pub fn rows() -> Vec<Row> {
    vec![
        ("units_kernel_and_files", units),
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
