//! A whole derivation.

use super::cursor::{Cursor, ParseError, Span};
use super::output::{Output, OutputKind};
use super::quoted::Quoted;
use crate::model::StorePath;

/// A derivation: the file's bytes, and where in them each string lies. Nothing is copied before it is asked for.
#[derive(Debug, Clone)]
pub struct Derivation {
    text: Vec<u8>,
    outputs: Vec<[Span; 4]>,
    inputs: Vec<InputSpan>,
    input_outputs: Vec<Span>,
    sources: Vec<Span>,
    /// Where the inputs begin and the sources end, in bytes from the start.
    between: (usize, usize),
    platform: Span,
    builder: Span,
    arguments: Vec<Span>,
    env: Vec<(Span, Span)>,
}

#[derive(Debug, Clone, Copy)]
struct InputSpan {
    path: Span,
    /// Its outputs end here in `input_outputs`; they start where the previous input's end.
    outputs_end: usize,
    dynamic: Option<Span>,
}

/// A derivation that another one needs built.
#[derive(Debug, Clone)]
pub struct Input<'a> {
    /// Its `.drv`: a store path, checked.
    pub path: &'a str,
    /// Outputs of it that are used.
    pub outputs: Vec<Quoted<'a>>,
    /// Where outputs of its outputs are used (dynamic derivations): the term that names them.
    pub dynamic: Option<Quoted<'a>>,
}

impl Derivation {
    /// Parses the bytes of a `.drv` file.
    pub fn parse(bytes: &[u8]) -> Result<Self, ParseError> {
        Self::from_vec(bytes.to_vec())
    }

    /// The same, without a copy.
    pub fn from_vec(text: Vec<u8>) -> Result<Self, ParseError> {
        let mut c = Cursor::new(&text)?;
        let dynamic = c.opening()?;
        let mut outputs = Vec::with_capacity(4);
        c.list(|c| {
            outputs.push(c.output()?);
            Ok(())
        })?;
        c.expect(",")?;
        let begin = c.at();
        let (mut inputs, mut input_outputs) = (Vec::with_capacity(32), Vec::with_capacity(32));
        c.list(|c| {
            inputs.push(input(c, &mut input_outputs, dynamic)?);
            Ok(())
        })?;
        c.expect(",")?;
        let mut sources = Vec::new();
        c.list(|c| {
            sources.push(store_path(c)?);
            Ok(())
        })?;
        let between = (begin, c.at());
        c.expect(",")?;
        let platform = c.string()?;
        c.expect(",")?;
        let builder = c.string()?;
        c.expect(",")?;
        let mut arguments = Vec::new();
        c.strings(&mut arguments)?;
        c.expect(",")?;
        let mut env = Vec::with_capacity(48);
        c.list(|c| {
            env.push(c.variable()?);
            Ok(())
        })?;
        c.expect(")")?;
        if !c.at_end() {
            return Err(c.error("the end of the file"));
        }
        // As Nix writes it; what else wrote it may not have.
        env.sort_by(|(a, _), (b, _)| a.of(&text).cmp(&b.of(&text)));
        Ok(Self { text, outputs, inputs, input_outputs, sources, between, platform, builder, arguments, env })
    }

    /// The same with these sources (a path, and the derivation that made it) as inputs. Where inputs are
    /// content-addressed, Nix writes a derivation anew before it builds it, and names there what they became.
    pub fn unresolved(self, mut made: Vec<(StorePath, StorePath)>) -> Result<Self, ParseError> {
        made.sort_by(|(_, a), (_, b)| a.cmp(b));
        let mut inputs: Vec<(StorePath, Vec<String>)> = Vec::new();
        for (path, maker) in &made {
            let name = maker.name().strip_suffix(".drv").unwrap_or_default();
            let output = path.name().strip_prefix(name).and_then(|rest| rest.strip_prefix('-'));
            let output = output.unwrap_or("out").to_owned();
            match inputs.last_mut().filter(|(last, _)| last == maker) {
                Some((_, outputs)) => outputs.push(output),
                None => inputs.push((maker.clone(), vec![output])),
            }
        }
        let quoted = |all: &[String]| all.iter().map(|s| format!("\"{s}\"")).collect::<Vec<_>>().join(",");
        let input =
            |(path, outputs): &(StorePath, Vec<String>)| format!("(\"{path}\",[{}])", quoted(outputs));
        let inputs = inputs.iter().map(input).collect::<Vec<_>>().join(",");
        let is_made = |source: &&str| made.iter().any(|(path, _)| path.as_str() == *source);
        let sources: Vec<String> = self.sources().filter(|s| !is_made(s)).map(str::to_owned).collect();
        let middle = format!("[{inputs}],[{}]", quoted(&sources));
        let text = [&self.text[..self.between.0], middle.as_bytes(), &self.text[self.between.1..]].concat();
        Self::from_vec(text)
    }

    /// Bytes that it holds in memory, about.
    pub fn weight(&self) -> usize {
        self.text.len()
            + 8 * (2 * self.env.capacity() + self.input_outputs.capacity())
            + 32 * self.inputs.capacity()
    }

    /// Its outputs, in the order of their names.
    pub fn outputs(&self) -> impl Iterator<Item = Output<'_>> {
        self.outputs.iter().map(|[name, path, algorithm, hash]| Output {
            name: name.of(&self.text),
            path: path.of(&self.text),
            algorithm: algorithm.of(&self.text),
            hash: hash.of(&self.text),
        })
    }

    /// Whether its content is known before it is built.
    pub fn is_fixed(&self) -> bool {
        self.outputs.len() == 1 && self.outputs().all(|o| o.kind() == OutputKind::Fixed)
    }

    /// Derivations that it needs, in the order of their paths.
    pub fn inputs(&self) -> impl Iterator<Item = Input<'_>> {
        (0..self.inputs.len()).filter_map(|i| self.input(i))
    }

    /// The path of each of `inputs()`, and nothing else: cheap.
    pub fn input_paths(&self) -> impl Iterator<Item = &str> {
        self.inputs.iter().map(|i| self.path(i.path))
    }

    /// One of `input_paths()`.
    pub fn input_path(&self, index: usize) -> Option<&str> {
        self.inputs.get(index).map(|i| self.path(i.path))
    }

    /// One of `inputs()`.
    pub fn input(&self, index: usize) -> Option<Input<'_>> {
        let InputSpan { path, outputs_end, dynamic } = *self.inputs.get(index)?;
        let start = index.checked_sub(1).and_then(|i| self.inputs.get(i)).map_or(0, |i| i.outputs_end);
        let outputs = self.input_outputs.get(start..outputs_end)?;
        Some(Input {
            path: self.path(path),
            outputs: outputs.iter().map(|s| s.of(&self.text)).collect(),
            dynamic: dynamic.map(|s| s.of(&self.text)),
        })
    }

    /// Store paths that it needs and that nothing builds (`inputSrcs`): their hash is their content's.
    pub fn sources(&self) -> impl Iterator<Item = &str> {
        self.sources.iter().map(|s| self.path(*s))
    }

    /// What it is built on: `x86_64-linux`, `builtin`, …
    pub fn platform(&self) -> Quoted<'_> {
        self.platform.of(&self.text)
    }

    /// The program that builds it.
    pub fn builder(&self) -> Quoted<'_> {
        self.builder.of(&self.text)
    }

    /// The builder's arguments.
    pub fn arguments(&self) -> impl Iterator<Item = Quoted<'_>> {
        self.arguments.iter().map(|s| s.of(&self.text))
    }

    /// The builder's environment, in the order of the keys. Structured attributes are JSON in `__json`.
    pub fn env(&self) -> impl Iterator<Item = (Quoted<'_>, Quoted<'_>)> {
        self.env.iter().map(|(k, v)| (k.of(&self.text), v.of(&self.text)))
    }

    /// One variable.
    pub fn variable(&self, key: &str) -> Option<Quoted<'_>> {
        self.env().find(|(k, _)| k.raw() == key.as_bytes()).map(|(_, v)| v)
    }

    /// A text attribute: from the environment, else from the structured attributes.
    pub fn attribute(&self, key: &str) -> Option<String> {
        if let Some(value) = self.variable(key) {
            return Some(value.text().into_owned());
        }
        let json: serde_json::Value = serde_json::from_slice(&self.variable("__json")?.bytes()).ok()?;
        json.get(key)?.as_str().map(str::to_owned)
    }

    fn path(&self, span: Span) -> &str {
        // Checked when it was parsed: a store path is ASCII.
        std::str::from_utf8(span.of(&self.text).raw()).unwrap_or_default()
    }
}

fn input(c: &mut Cursor<'_>, outputs: &mut Vec<Span>, dynamic: bool) -> Result<InputSpan, ParseError> {
    c.expect("(")?;
    let path = store_path(c)?;
    c.expect(",")?;
    let dynamic = c.input_outputs(outputs, dynamic)?;
    c.expect(")")?;
    Ok(InputSpan { path, outputs_end: outputs.len(), dynamic })
}

fn store_path(c: &mut Cursor<'_>) -> Result<Span, ParseError> {
    let error = c.error("a store path");
    let span = c.string()?;
    match std::str::from_utf8(c.quote(span).raw()) {
        Ok(text) if StorePath::is(text) => Ok(span),
        _ => Err(error),
    }
}
