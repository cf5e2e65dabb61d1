//! Candidates that are refused before anything changes.

use super::scene::site;
use super::{Row, row};

pub fn rows() -> Vec<Row> {
    vec![
        row("wrong-architecture", "a candidate for another architecture", "planning", |s| {
            s.candidate(&site("2", "200", "system = \"aarch64-linux\";"));
            s.ends(&[], 30, &["is for aarch64-linux"])
        })
        .quick(),
        row("not-nixos", "a candidate that is not a NixOS system", "planning", |s| {
            s.operator.hosts("web = { config = { networking.hostName = \"web\"; system.build.toplevel = derivation { name = \"x\"; system = \"x86_64-linux\"; builder = \"/bin/sh\"; args = [ \"-c\" \"/bin/mkdir $out\" ]; }; }; };");
            s.ends(&[], 30, &["is not a NixOS system"])
        })
        .quick(),
        row("other-host", "a candidate for another host name", "planning", |s| {
            s.candidate(&site("2", "200", "hostName = \"db\";"));
            s.ends(&[], 30, &["is for the host db"])
        }),
        row("needs-reboot", "a candidate with another init interface", "planning", |s| {
            s.candidate(&site("2", "200", "initInterface = \"systemd 9\";"));
            s.ends(&[], 30, &["needs a reboot"])
        }),
        row("path-not-valid", "a store path that is not valid", "planning", |s| {
            let path = "/nix/store/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-nixos-system-web-2";
            s.machine.exec(&format!("cp -r $(readlink -f /run/current-system) {path}"));
            let guard = crate::guard().display().to_string();
            let ended = s.operator.on(&s.machine, &["rollback", "web", "--to", path, "--yes", "--guard", &guard]);
            let ended = ended.expect(30, &["is not valid"]);
            s.machine.exec(&format!("rm -r {path}"));
            Some(ended.code)
        }),
        manifest("manifest-no-json", "a manifest that is not JSON", "{", "EOF while parsing"),
        manifest(
            "manifest-newer",
            "a manifest of a newer version",
            r#"{"version":2,"checks":{}}"#,
            "it is of version 2",
        ),
        manifest(
            "manifest-cycle",
            "a manifest whose checks wait for each other",
            r#"{"version":1,"checks":{"a":{"probe":{"kind":"disk","path":"/"},"after":["b"]},"b":{"probe":{"kind":"disk","path":"/"},"after":["a"]}}}"#,
            "leads back to itself",
        ),
        row("manifest-10000", "a manifest with 10,000 checks", "planning", |s| {
            let checks: Vec<String> =
                (0..10_000).map(|n| format!(r#""c{n}":{{"probe":{{"kind":"disk","path":"/"}}}}"#)).collect();
            std::fs::write(s.operator.flake().join("many.json"), format!(r#"{{"version":1,"checks":{{{}}}}}"#, checks.join(","))).unwrap();
            s.operator.hosts("web = nixos { name = \"web\"; version = \"2\"; manifest = builtins.readFile ./many.json; };");
            s.ends(&[], 30, &["health.json", "at most 1000 checks"])
        }),
        row("evaluation-error", "a configuration that does not evaluate", "evaluating", |s| {
            s.operator.hosts("web = throw \"no\";");
            s.ends(&[], 40, &["no"])
        }),
        row("build-failure", "a system that does not build", "building", |s| {
            s.operator.hosts(&site("2", "200", "system = \"'; exit 1; '\";"));
            s.ends(&[], 41, &["failed"])
        }),
    ]
}

fn manifest(name: &'static str, fault: &str, text: &'static str, why: &'static str) -> Row {
    Row {
        run: Box::new(move |s| {
            s.candidate(&format!(
                "web = nixos {{ name = \"web\"; version = \"2\"; manifest = ''{text}''; }};"
            ));
            s.ends(&[], 30, &["health.json", why])
        }),
        ..row(name, fault, "planning", |_| None)
    }
}
