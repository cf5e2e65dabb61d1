//! Derivations as plain texts, and how they are written: for tests.

/// What a `.drv` file says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Plain {
    pub(crate) outputs: Vec<[String; 4]>,
    pub(crate) inputs: Vec<(String, Vec<String>)>,
    pub(crate) sources: Vec<String>,
    pub(crate) platform: String,
    pub(crate) builder: String,
    pub(crate) arguments: Vec<String>,
    pub(crate) env: Vec<(String, String)>,
    /// Written in the dynamic form, with an inner output `out` of each input's first output.
    pub(crate) dynamic: bool,
}

impl Plain {
    /// As Nix writes it.
    pub(crate) fn print(&self) -> Vec<u8> {
        let words = |all: &[String]| list(all, |w| quoted(w));
        let input = |(path, outs): &(String, Vec<String>)| {
            if self.dynamic {
                return format!("({},({},[(\"out\",[\"inner\"])]))", quoted(path), words(outs));
            }
            format!("({},{})", quoted(path), words(outs))
        };
        let output =
            |o: &[String; 4]| format!("({})", o.iter().map(|w| quoted(w)).collect::<Vec<_>>().join(","));
        let open = if self.dynamic { "DrvWithVersion(\"xp-dyn-drv\"," } else { "Derive(" };
        format!(
            "{open}{},{},{},{},{},{},{})",
            list(&self.outputs, output),
            list(&self.inputs, input),
            words(&self.sources),
            quoted(&self.platform),
            quoted(&self.builder),
            words(&self.arguments),
            list(&self.env, |(k, v)| format!("({},{})", quoted(k), quoted(v))),
        )
        .into_bytes()
    }
}

fn list<T>(all: &[T], one: impl Fn(&T) -> String) -> String {
    format!("[{}]", all.iter().map(one).collect::<Vec<_>>().join(","))
}

fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c => out.push(c),
        }
    }
    out + "\""
}
