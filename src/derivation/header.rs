//! What a diff of versions needs of a `.drv` file, without the rest of it.

use serde::Deserialize;

use super::cursor::{Cursor, ParseError};

/// Exact names of a derivation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Header {
    /// `pname` of the package, where it says one.
    pub pname: Option<String>,
    /// `version` of the package, where it says one.
    pub version: Option<String>,
    /// The derivation's `name`, where it says one.
    pub name: Option<String>,
    /// Each output's name and store path (empty where only the build tells).
    pub outputs: Vec<(String, String)>,
}

impl Header {
    /// Reads the bytes of a `.drv` file: inputs and arguments are skipped, of the environment only the names are
    /// copied. Names come from structured attributes (`__json`) where the environment has none.
    pub fn scan(bytes: &[u8]) -> Result<Self, ParseError> {
        let mut c = Cursor::new(bytes)?;
        let dynamic = c.opening()?;
        let mut header = Self::default();
        c.list(|c| {
            let [name, path, ..] = c.output()?;
            header.outputs.push((c.quote(name).text().into_owned(), c.quote(path).text().into_owned()));
            Ok(())
        })?;
        skip_to_env(&mut c, dynamic)?;
        let mut json = None;
        c.list(|c| {
            let (key, value) = c.variable()?;
            let text = || Some(c.quote(value).text().into_owned());
            match c.quote(key).raw() {
                b"pname" => header.pname = text(),
                b"version" => header.version = text(),
                b"name" => header.name = text(),
                b"__json" => json = Some(c.quote(value)),
                _ => {}
            }
            Ok(())
        })?;
        if let Some(json) = json {
            header.fill(&json.bytes());
        }
        Ok(header)
    }

    /// Takes what is not there yet from structured attributes. What is no JSON says nothing.
    fn fill(&mut self, json: &[u8]) {
        let attributes: Attributes = serde_json::from_slice(json).unwrap_or_default();
        let text = |v: Option<serde_json::Value>| v.and_then(|v| v.as_str().map(str::to_owned));
        self.pname = self.pname.take().or_else(|| text(attributes.pname));
        self.version = self.version.take().or_else(|| text(attributes.version));
        self.name = self.name.take().or_else(|| text(attributes.name));
    }
}

#[derive(Default, Deserialize)]
struct Attributes {
    pname: Option<serde_json::Value>,
    version: Option<serde_json::Value>,
    name: Option<serde_json::Value>,
}

/// From behind the outputs to the environment.
fn skip_to_env(c: &mut Cursor<'_>, dynamic: bool) -> Result<(), ParseError> {
    let mut unused = Vec::new();
    c.expect(",")?;
    c.list(|c| {
        c.expect("(")?;
        c.string()?;
        c.expect(",")?;
        unused.clear();
        c.input_outputs(&mut unused, dynamic)?;
        c.expect(")")
    })?;
    c.expect(",")?;
    c.skip_strings()?;
    for _ in ["platform", "builder"] {
        c.expect(",")?;
        c.string()?;
    }
    c.expect(",")?;
    c.skip_strings()?;
    c.expect(",")
}
