//! What a derivation is told: its environment, or its structured attributes, as keys and texts.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::BTreeMap;

use serde_json::Value;

use crate::derivation::{Derivation, Quoted};

/// A key whose values differ; none where there is no such key.
pub(super) struct Differing<'a> {
    pub(super) key: Cow<'a, str>,
    pub(super) old: Option<Cow<'a, str>>,
    pub(super) new: Option<Cow<'a, str>>,
}

/// Keys whose values differ, byte for byte. Structured attributes are taken apart: each key of `__json` is one, and
/// each of its `env` is `env.KEY`; lists of texts are their words, anything else that is no text is JSON.
pub(super) fn differing<'a>(old: &'a Derivation, new: &'a Derivation) -> Vec<Differing<'a>> {
    let mut all = Vec::new();
    let (mut a, mut b) = (old.env().peekable(), new.env().peekable());
    loop {
        let order = match (a.peek(), b.peek()) {
            (Some((x, _)), Some((y, _))) => x.raw().cmp(y.raw()),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => return all,
        };
        let one = if order.is_le() { a.next() } else { None };
        let other = if order.is_ge() { b.next() } else { None };
        let (Some((key, _)), x, y) = (one.or(other), one.map(|v| v.1), other.map(|v| v.1)) else {
            return all;
        };
        if x == y {
            continue;
        }
        match (key == "__json").then(|| (object(x), object(y))) {
            Some((Some(x), Some(y))) => structured(x, y, &mut all),
            // What is no JSON object is compared as the text that it is.
            _ => all.push(Differing { key: key.text(), old: x.map(Quoted::text), new: y.map(Quoted::text) }),
        }
    }
}

fn structured(
    old: BTreeMap<String, String>,
    mut new: BTreeMap<String, String>,
    all: &mut Vec<Differing<'_>>,
) {
    for (key, old) in old {
        let new = new.remove(&key);
        if new.as_ref() != Some(&old) {
            all.push(Differing { key: key.into(), old: Some(old.into()), new: new.map(Cow::Owned) });
        }
    }
    all.extend(new.into_iter().map(|(key, new)| Differing {
        key: key.into(),
        old: None,
        new: Some(new.into()),
    }));
}

/// The structured attributes; empty if there are none, none if it is no JSON object.
fn object(json: Option<Quoted<'_>>) -> Option<BTreeMap<String, String>> {
    let Some(json) = json else { return Some(BTreeMap::new()) };
    let Ok(Value::Object(json)) = serde_json::from_slice(&json.bytes()) else { return None };
    let mut all = BTreeMap::new();
    for (key, value) in json {
        match value {
            Value::Object(env) if key == "env" => {
                all.extend(env.into_iter().map(|(inner, v)| (format!("env.{inner}"), text(v))));
            }
            value => drop(all.insert(key, text(value))),
        }
    }
    Some(all)
}

fn text(value: Value) -> String {
    match value {
        Value::String(text) => text,
        Value::Array(items) if items.iter().all(Value::is_string) => {
            items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" ")
        }
        other => other.to_string(),
    }
}
