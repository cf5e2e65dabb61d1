//! What a derivation is told: its environment, or its structured attributes, as keys and texts.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::BTreeMap;

use serde_json::Value;

use crate::closure::mask;
use crate::derivation::{Derivation, Quoted};

/// A key whose values differ; none where there is no such key.
pub(super) struct Differing<'a> {
    pub(super) key: Cow<'a, str>,
    pub(super) old: Option<Cow<'a, str>>,
    pub(super) new: Option<Cow<'a, str>>,
    /// Words are what counts in it.
    pub(super) list: bool,
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
            _ => all.push(Differing {
                key: key.text(),
                old: x.map(Quoted::text),
                new: y.map(Quoted::text),
                list: false,
            }),
        }
    }
}

fn structured(old: Structured, mut new: Structured, all: &mut Vec<Differing<'_>>) {
    for (key, old) in old {
        let new = new.remove(&key);
        if new.as_ref() != Some(&old) {
            let list = old.list || new.as_ref().is_some_and(|v| v.list);
            let new = new.map(|v| v.text.into());
            all.push(Differing { key: key.into(), old: Some(old.text.into()), new, list });
        }
    }
    for (key, Attribute { text, list }) in new {
        all.push(Differing { key: key.into(), old: None, new: Some(text.into()), list });
    }
}

type Structured = BTreeMap<String, Attribute>;

#[derive(PartialEq, Eq)]
struct Attribute {
    text: String,
    list: bool,
}

/// The structured attributes; empty if there are none, none if it is no JSON object.
fn object(json: Option<Quoted<'_>>) -> Option<Structured> {
    let Some(json) = json else { return Some(BTreeMap::new()) };
    let Ok(Value::Object(json)) = serde_json::from_slice(&json.bytes()) else { return None };
    let mut all = BTreeMap::new();
    for (key, value) in json {
        match value {
            Value::Object(env) if key == "env" => {
                all.extend(env.into_iter().map(|(inner, v)| (format!("env.{inner}"), attribute(v))));
            }
            value => drop(all.insert(key, attribute(value))),
        }
    }
    Some(all)
}

fn attribute(value: Value) -> Attribute {
    match value {
        Value::String(text) => Attribute { text, list: false },
        Value::Array(items) if items.iter().all(Value::is_string) => {
            Attribute { text: mask::joined(items.iter().filter_map(Value::as_str)), list: true }
        }
        other => Attribute { text: other.to_string(), list: false },
    }
}
