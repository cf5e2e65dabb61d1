//! `mcp`: a server of the Model Context Protocol answers and lists its tools. None is ever called.
//!
//! Streamable HTTP as of the specification's 2025-06-18: every message is a POST; an answer is JSON, or a stream of
//! server-sent events that holds it.

use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::fs::OFlags;
use serde_json::{Value, json};
use ureq::http::Response;
use ureq::{Agent, Body};

use super::http;
use crate::effects::{clock, files};
use crate::health::ProbeResult;
use crate::health::kind::Mcp;

/// The version of the protocol that we ask for. Servers answer with the one that they speak.
const PROTOCOL: &str = "2025-06-18";
/// Bytes of an answer that are read.
const ANSWER: u64 = 4 << 20;
/// Bytes of a token.
const TOKEN: u64 = 4 << 10;
/// Pages of a list of tools.
const PAGES: usize = 64;

/// A conversation with a server.
struct Session<'a> {
    agent: Agent,
    url: &'a str,
    token: Option<String>,
    id: Option<String>,
    version: Option<String>,
    started: Instant,
    time: Duration,
}

pub(super) fn probe(mcp: &Mcp, time: Duration) -> ProbeResult {
    let token = mcp.token_file.as_deref().map(token).transpose();
    let made = token.and_then(|token| http::agent(&mcp.url, true, time).map(|agent| (agent, token)));
    let (agent, token) = match made {
        Ok(both) => both,
        Err(why) => return ProbeResult::unknown(why),
    };
    let started = clock::start();
    let mut session = Session { agent, url: &mcp.url, token, id: None, version: None, started, time };
    let answer = session.examine(&mcp.tools);
    session.end();
    match answer {
        Ok(said) => ProbeResult::pass(format!("{}: {said}", mcp.url)),
        Err(why) => ProbeResult::fail(format!("{}: {why}", mcp.url)),
    }
}

/// The token in a file. A link at its end is not followed: whoever could put one there would choose what we send.
fn token(path: &Path) -> Result<String, String> {
    let odd = |why: &dyn std::fmt::Display| format!("the token in {}: {why}", path.display());
    // Neither a FIFO nor a device may hold us up.
    let nonblock = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or(0);
    let mut options = std::fs::File::options();
    let file = options.read(true).custom_flags(files::no_follow() | nonblock).open(path);
    let file = file.map_err(|e| odd(&e))?;
    if !file.metadata().map_err(|e| odd(&e))?.is_file() {
        return Err(odd(&"it is no regular file"));
    }
    let mut text = String::new();
    file.take(TOKEN + 1).read_to_string(&mut text).map_err(|e| odd(&e))?;
    let token = text.trim();
    if text.len() as u64 > TOKEN || token.is_empty() || !token.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(odd(&"it must be one word of at most 4 KiB"));
    }
    Ok(token.to_owned())
}

impl Session<'_> {
    /// Initializes, and looks for tools among those that are listed.
    fn examine(&mut self, wanted: &[String]) -> Result<String, String> {
        let client = json!({ "name": "nixos-quick-deploy", "version": env!("CARGO_PKG_VERSION") });
        let hello = json!({ "protocolVersion": PROTOCOL, "capabilities": {}, "clientInfo": client });
        let result = self.ask(1, "initialize", &hello)?;
        let version = result["protocolVersion"].as_str().ok_or("initialize names no protocolVersion")?;
        self.version = Some(version.to_owned());
        let response = self.post(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }))?;
        let status = response.status();
        if !status.is_success() {
            return Err(format!("notifications/initialized: http {}", status.as_u16()));
        }
        let tools = self.tools()?;
        match wanted.iter().find(|name| !tools.contains(name)) {
            Some(missing) => Err(format!("no tool {missing:?} among {}", tools.len())),
            None => {
                let server = result["serverInfo"]["name"].as_str().unwrap_or("a server without a name");
                Ok(format!("{server}, {} tools", tools.len()))
            }
        }
    }

    fn tools(&mut self) -> Result<Vec<String>, String> {
        let (mut names, mut cursor) = (Vec::new(), None::<String>);
        for page in 0..PAGES {
            let params = cursor.map_or_else(|| json!({}), |c| json!({ "cursor": c }));
            let result = self.ask(2 + page, "tools/list", &params)?;
            let tools = result["tools"].as_array().ok_or("tools/list has no list of tools")?;
            let name = |tool: &Value| tool["name"].as_str().map(str::to_owned);
            names.extend(tools.iter().filter_map(name));
            match result["nextCursor"].as_str() {
                Some(next) => cursor = Some(next.to_owned()),
                None => return Ok(names),
            }
        }
        Err(format!("the list of tools has more than {PAGES} pages"))
    }

    /// The result of a request; its error is ours.
    fn ask(&mut self, id: usize, method: &str, params: &Value) -> Result<Value, String> {
        let said = |why: &dyn std::fmt::Display| format!("{method}: {why}");
        let request = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params });
        let mut response = self.post(&request).map_err(|e| said(&e))?;
        if response.status() != 200 {
            return Err(said(&format!("http {}", response.status().as_u16())));
        }
        if let Some(session) = response.headers().get("mcp-session-id").and_then(|v| v.to_str().ok()) {
            self.id = Some(session.to_owned());
        }
        let kind = response.headers().get("content-type").and_then(|v| v.to_str().ok()).unwrap_or_default();
        let events = kind.to_ascii_lowercase().starts_with("text/event-stream");
        let body = response.body_mut().as_reader().take(ANSWER);
        let answer = if events { of_events(BufReader::new(body), id) } else { of_json(body) };
        let mut answer = answer.map_err(|e| said(&e))?;
        if answer["id"] != json!(id) {
            return Err(said(&"the answer is to another question"));
        }
        if let Some(error) = answer.get("error") {
            return Err(said(&error["message"].as_str().unwrap_or("an error without a message")));
        }
        answer.get_mut("result").map(Value::take).ok_or_else(|| said(&"an answer without a result"))
    }

    fn post(&self, message: &Value) -> Result<Response<Body>, String> {
        let mut request = self
            .agent
            .post(self.url)
            .header("Content-Type", "application/json")
            .header("Accept", "application/json, text/event-stream");
        for (name, value) in self.headers() {
            request = request.header(name, value);
        }
        let request = request.config().timeout_global(Some(self.left()?)).build();
        request.send(message.to_string()).map_err(|e| e.to_string())
    }

    fn headers(&self) -> Vec<(&'static str, String)> {
        let token = self.token.as_ref().map(|t| ("Authorization", format!("Bearer {t}")));
        let id = self.id.clone().map(|id| ("Mcp-Session-Id", id));
        let version = self.version.clone().map(|v| ("MCP-Protocol-Version", v));
        [token, id, version].into_iter().flatten().collect()
    }

    fn left(&self) -> Result<Duration, String> {
        let left = self.time.saturating_sub(self.started.elapsed());
        if left.is_zero() { Err(format!("not done within {} s", self.time.as_secs_f32())) } else { Ok(left) }
    }

    /// Lets go of the session, so that probes do not fill the server's memory. A server need not support it (405), and
    /// how it goes says nothing about health.
    fn end(&self) {
        let (Some(_), Ok(left)) = (&self.id, self.left()) else { return };
        let mut request = self.agent.delete(self.url);
        for (name, value) in self.headers() {
            request = request.header(name, value);
        }
        drop(request.config().timeout_global(Some(left)).build().call());
    }
}

fn of_json(mut body: impl Read) -> Result<Value, String> {
    let mut bytes = Vec::new();
    body.read_to_end(&mut bytes).map_err(|e| e.to_string())?;
    serde_json::from_slice(&bytes).map_err(|e| format!("the answer is not JSON: {e}"))
}

/// The message with this id among a stream of events. What else comes there (logs, progress) does not matter.
fn of_events(body: impl BufRead, id: usize) -> Result<Value, String> {
    let mut data = String::new();
    let end = [Ok(String::new())];
    for line in body.lines().chain(end) {
        let line = line.map_err(|e: io::Error| e.to_string())?;
        if let Some(more) = line.strip_prefix("data:") {
            data.push_str(more);
            data.push('\n');
        } else if line.is_empty() && !data.is_empty() {
            let message: Value =
                serde_json::from_str(&data).map_err(|e| format!("an event is not JSON: {e}"))?;
            if message["id"] == json!(id) {
                return Ok(message);
            }
            data.clear();
        }
    }
    Err("the stream ended without an answer".to_owned())
}

#[cfg(test)]
mod tests;
