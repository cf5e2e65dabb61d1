//! The modules among those of NixOS, evaluated.

use std::fs;

use serde_json::Value;

use crate::Row;
use crate::rendered;
use crate::trees::{evaluate, json, repository};

pub fn rows() -> Vec<Row> {
    vec![("the_modules_are_as_the_cases_say", cases), ("wrong_types_are_refused", wrong_types)]
}

fn cases() {
    let found = json("evaluate.nix");
    let counts = &found["evaluated"];
    println!(
        "evaluated: {} cases, {} of them on assertions; {} options of ours among {} services of NixOS",
        counts["cases"], counts["assertions"], counts["options"], counts["nixosOptions"]
    );
    let failed = found["failed"].as_array().unwrap();
    for case in failed {
        println!("{}\n  got  {}\n  want {}", case["name"].as_str().unwrap(), case["got"], case["want"]);
    }
    assert!(failed.is_empty(), "{} of {} cases fail", failed.len(), counts["cases"]);
    compare(&found["rendered"]);
}

/// What was rendered is what is committed; or is written, if that is wanted.
pub fn compare(rendered: &Value) {
    let write = std::env::var_os("NQD_RENDER").is_some();
    for (name, text) in rendered.as_object().unwrap() {
        let text = text.as_str().unwrap();
        let path = match name.as_str() {
            "options.md" => repository().join("docs/options.md"),
            name => rendered::folder().join(name),
        };
        if write {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, text).unwrap();
        }
        let committed = fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(committed, text, "{} is stale: NQD_RENDER=1 cargo test --test modules", path.display());
    }
    if write {
        fs::write(rendered::folder().join("hash"), rendered::hash() + "\n").unwrap();
    }
}

/// What somebody may write wrongly, and what Nix says then.
const WRONG: [(&str, &str); 8] = [
    ("health.checks.a.http.ulr = \"x\"", "health.checks.a.http.ulr' does not exist"),
    ("health.checks.a.telepathy = {}", "health.checks.a.telepathy' does not exist"),
    ("health.checks.a.http.url = \"ftp://x\"", "http:// or https:// URL"),
    ("health.checks.a.unit.unit = \"nginx\"", "name of a unit with its suffix"),
    ("health.checks.a = { tcp.port = 1; level = \"must\"; }", "one of \"required\", \"wanted\", \"info\""),
    ("health.checks.a.disk = { path = \"/\"; maxUsedPercent = 101; }", "between 0 and 100"),
    ("health.textfile = \"/var/lib/nqd.txt\"", "absolute path that ends in .prom"),
    ("deploy.escalate = \"su\"", "one of \"none\", \"sudo\", \"doas\", \"run0\""),
];

fn wrong_types() {
    let run = |setting: &str| {
        evaluate("setting.nix", &["--arg", "setting", &format!("{{ quickDeploy.{setting}; }}")])
    };
    let good = run("health.checks.a.http.url = \"http://localhost\"");
    assert!(good.status.success(), "{}", String::from_utf8_lossy(&good.stderr));
    for (setting, says) in WRONG {
        let out = run(setting);
        let stderr = String::from_utf8_lossy(&out.stderr);
        assert!(!out.status.success() && stderr.contains(says), "{setting}: {stderr}");
    }
}
