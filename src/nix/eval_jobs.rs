//! What `nix-eval-jobs` prints: one JSON object a line, for each attribute its derivation or why there is none. Fields
//! come and go between its versions: only those that are needed are read, and others are no error.

use serde::Deserialize;

use crate::model::StorePath;
use crate::model::text::{short, without_colour};

/// An attribute of the set that is evaluated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// The attribute of the set itself; `None` where the whole evaluation is meant.
    pub attribute: Option<String>,
    /// Its derivation, or what Nix says against it.
    pub derivation: Result<StorePath, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Raw {
    attr: Option<String>,
    attr_path: Option<Vec<serde_json::Value>>,
    drv_path: Option<StorePath>,
    error: Option<String>,
}

impl Job {
    /// Reads a line.
    pub fn parse(line: &str) -> Result<Self, String> {
        let odd = |why: &dyn std::fmt::Display| {
            format!("nix-eval-jobs printed what is not understood ({why}): {}", short(line.to_owned()))
        };
        let raw: Raw = serde_json::from_str(line).map_err(|e| odd(&e))?;
        // `attr` is quoted where it holds dots, and older versions have no path.
        let of_path = raw.attr_path.as_ref().and_then(|p| p.first()?.as_str());
        let attribute = of_path.map(str::to_owned).or(raw.attr);
        let derivation = match (raw.error, raw.drv_path) {
            (Some(error), _) => Err(without_colour(&error)),
            (None, Some(derivation)) => Ok(derivation),
            (None, None) => return Err(odd(&"neither a derivation nor an error")),
        };
        Ok(Self { attribute, derivation })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DRV: &str = "/nix/store/vakjsx50nwzqhr3axzyw5c2b7k3fwy1p-a.drv";

    fn of(line: &str) -> (Option<String>, Result<String, String>) {
        let job = Job::parse(line).unwrap();
        (job.attribute, job.derivation.map(|d| d.to_string()))
    }

    #[test]
    fn lines_of_several_versions() {
        let name = |n: &str| Some(n.to_owned());
        for line in [
            // 2.13: nothing but the core.
            format!(
                r#"{{"attr":"vm","attrPath":["vm"],"drvPath":"{DRV}","name":"a","outputs":{{"out":"/x"}},"system":"x86_64-linux"}}"#
            ),
            // 2.3x: dynamic outputs, the state of the cache, and what is to come.
            format!(
                r#"{{"attr":"vm","attrPath":["vm"],"cacheStatus":"notBuilt","drvPath":"{DRV}","inputDrvs":{{}},"isCached":false,"name":"a","neededBuilds":["{DRV}"],"neededSubstitutes":[],"outputs":{{"out":null}},"requiredSystemFeatures":["kvm"],"system":"x86_64-linux","warnings":[{{"msg":"x"}}]}}"#
            ),
            format!(r#"{{"attr":"vm","drvPath":"{DRV}"}}"#),
        ] {
            assert_eq!(of(&line), (name("vm"), Ok(DRV.to_owned())), "{line}");
        }
        let dotted = format!(r#"{{"attr":"\"a.b\"","attrPath":["a.b"],"drvPath":"{DRV}"}}"#);
        assert_eq!(of(&dotted).0, name("a.b"));
        let error =
            "{\"attr\":\"bad\",\"attrPath\":[\"bad\"],\"error\":\"\\u001b[31;1merror:\\u001b[0m no\"}";
        assert_eq!(of(error), (name("bad"), Err("error: no".into())));
        assert_eq!(of(r#"{"error":"flake has no lock file"}"#), (None, Err("flake has no lock file".into())));
    }

    #[test]
    fn what_says_nothing_is_an_error() {
        for bad in ["", "{", "3", "{}", r#"{"attr":"a"}"#, r#"{"attr":"a","drvPath":"/etc/passwd"}"#] {
            let e = Job::parse(bad).unwrap_err();
            assert!(e.contains("not understood"), "{bad}: {e}");
        }
    }

    proptest! {
        #[test]
        fn any_line_is_taken_without_panic(line in ".*") {
            if let Err(e) = Job::parse(&line) {
                prop_assert!(e.len() < 10_000);
            }
        }
    }
}
