//! One change each, what is said of it, and next to it the change of which that must not be said.

use serde_json::Value;

use super::fixture::{Spec, make, specs, why, with};
use super::{Change, Why};

/// `hello 2.12→2.13 explains 3: version 2.12 2.13; source …`, a line a cause.
fn told(why: &Why) -> Vec<String> {
    let cause = |c: &super::Cause| {
        let version = |v: &Option<String>| v.clone().unwrap_or_default();
        let changes: Vec<String> =
            c.changes.iter().map(|c| flat(&serde_json::to_value(c).unwrap())).collect();
        format!(
            "{} {}→{} explains {}: {}",
            c.name,
            version(&c.old),
            version(&c.new),
            c.explains,
            changes.join("; ")
        )
    };
    why.roots.iter().map(cause).collect()
}

fn flat(value: &Value) -> String {
    match value {
        Value::String(s) => s.clone(),
        Value::Array(all) => format!("[{}]", all.iter().map(flat).collect::<Vec<_>>().join(" ")),
        Value::Object(all) => {
            let kind = all.get("kind").map(flat);
            let last = |k: &str| matches!(k, "new" | "added");
            let mut rest: Vec<_> = all.iter().filter(|(k, _)| *k != "kind").collect();
            rest.sort_by_key(|(k, _)| last(k));
            let rest = rest.into_iter().map(|(_, v)| flat(v));
            kind.into_iter().chain(rest).collect::<Vec<_>>().join(" ")
        }
        other => other.to_string(),
    }
}

#[test]
fn debug() {
    let mut new = specs();
    for s in &mut new {
        if s.role == "hello" {
            s.name = "hello-2.13".into();
            s.set("version", "2.13");
            s.set("name", "hello-2.13");
        }
        if s.role == "src" {
            s.name = "hello-2.13.tar.gz".into();
            s.content = Some("2222");
        }
    }
    println!("{:#?}", told(&why(&specs(), &new)));
    println!("{:#?}", told(&why(&specs(), &with("bash", |s| s.set("x", "y")))));
    println!("{:#?}", told(&why(&specs(), &with("curl", |s| s.set("x", "y")))));
}
