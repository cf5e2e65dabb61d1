//! `nix path-info --json`: a list of objects up to Nix 2.18, an object keyed by path from 2.19 on.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::model::StorePath;

/// A path of a closure and its size as a NAR, which is close to what it takes on disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PathInfo {
    /// The path.
    pub path: StorePath,
    /// Bytes.
    pub nar_size: u64,
}

/// Why an answer cannot be used.
#[derive(Debug, Error)]
pub enum PathInfoError {
    /// Its shape is neither of the two.
    #[error("`nix path-info --json` answers in a form that is not known: {0}")]
    Shape(#[from] serde_json::Error),
    /// A path is not in the store.
    #[error("{0} is not valid in the store")]
    Invalid(StorePath),
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Answer {
    List(Vec<Listed>),
    Keyed(BTreeMap<StorePath, Option<Keyed>>),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Listed {
    path: StorePath,
    #[serde(default = "yes")]
    valid: bool,
    #[serde(default)]
    nar_size: u64,
    #[serde(default)]
    references: Vec<StorePath>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Keyed {
    nar_size: u64,
    #[serde(default)]
    references: Vec<StorePath>,
}

/// A path, its bytes, and what it refers to.
pub type WithReferences = (StorePath, u64, Vec<StorePath>);

fn yes() -> bool {
    true
}

/// Parses either form, sorted by path.
pub fn parse(json: &str) -> Result<Vec<PathInfo>, PathInfoError> {
    let infos = parse_graph(json)?;
    Ok(infos.into_iter().map(|(path, nar_size, _)| PathInfo { path, nar_size }).collect())
}

/// The same with references.
pub fn parse_graph(json: &str) -> Result<Vec<WithReferences>, PathInfoError> {
    let mut infos = match serde_json::from_str(json)? {
        Answer::List(list) => list
            .into_iter()
            .map(|l| {
                let info = (l.path, l.nar_size, l.references);
                if l.valid { Ok(info) } else { Err(PathInfoError::Invalid(info.0)) }
            })
            .collect::<Result<Vec<_>, _>>()?,
        Answer::Keyed(map) => map
            .into_iter()
            .map(|(path, info)| match info {
                Some(info) => Ok((path, info.nar_size, info.references)),
                None => Err(PathInfoError::Invalid(path)),
            })
            .collect::<Result<Vec<_>, _>>()?,
    };
    infos.sort();
    Ok(infos)
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "/nix/store/vakjsx50nwzqhr3axzyw5c2b7k3fwy1p-a";

    #[test]
    fn both_forms() {
        let old = format!(r#"[{{"path":"{A}","narHash":"sha256-x","narSize":464,"references":[]}}]"#);
        let new = format!(r#"{{"{A}":{{"ca":null,"narSize":464,"references":[],"version":1}}}}"#);
        assert_eq!(parse(&old).unwrap(), parse(&new).unwrap());
        assert_eq!(parse(&new).unwrap()[0].nar_size, 464);
    }

    #[test]
    fn an_invalid_path_is_an_error_never_nothing() {
        assert!(matches!(
            parse(&format!(r#"[{{"path":"{A}","valid":false}}]"#)),
            Err(PathInfoError::Invalid(_))
        ));
        assert!(matches!(parse(&format!(r#"{{"{A}":null}}"#)), Err(PathInfoError::Invalid(_))));
        assert!(parse("3").is_err());
    }
}
