//! `mcp`, against a server made with the official Python SDK. `NQD_TEST_MCP_PYTHON` names a Python that has
//! version 1 or 2 of it; scripts/test makes one, of the versions in tests/probes/mcp.txt.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nqd::health::ProbeStatus::{Fail, Pass};
use serde_json::json;

use crate::{Row, probe};

const PYTHON: &str = "NQD_TEST_MCP_PYTHON";

pub fn rows() -> Vec<Row> {
    let missing =
        std::env::var_os(PYTHON).is_none().then(|| format!("{PYTHON} names no Python with the SDK"));
    vec![("mcp_against_the_official_sdk", sdk, missing)]
}

/// Two tools; calling either ends the server.
const SERVER: &str = r#"
import os, socket, sys, uvicorn

options = dict(json_response=sys.argv[1] == "json", stateless_http=sys.argv[2] == "stateless")
try:  # the SDK's version 2
    from mcp.server.mcpserver import MCPServer
    server = MCPServer("notes")
    app = lambda: server.streamable_http_app(**options)
except ImportError:
    from mcp.server.fastmcp import FastMCP
    server = FastMCP("notes", **options)
    app = server.streamable_http_app

@server.tool()
def search(text: str) -> str:
    os._exit(9)

@server.tool()
def write(text: str) -> str:
    os._exit(9)

listener = socket.socket()
listener.bind(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
uvicorn.Server(uvicorn.Config(app(), log_level="warning")).run(sockets=[listener])
"#;

struct Server(Child, String);

impl Server {
    fn start(answers: &str, sessions: &str) -> Self {
        let python = std::env::var_os(PYTHON).unwrap();
        let mut command = Command::new(python);
        command.args(["-c", SERVER, answers, sessions]).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Self(child, format!("http://127.0.0.1:{}/mcp", line.trim()))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

fn sdk() {
    for (answers, sessions) in [("json", "stateful"), ("events", "stateful"), ("events", "stateless")] {
        let mut server = Server::start(answers, sessions);
        let kind = |tools: &[&str]| json!({ "kind": "mcp", "url": server.1, "tools": tools });
        let started = Instant::now();
        let mut got = probe(&kind(&["search", "write"]), 5.0);
        // It has said its port before it answers there.
        while got.status != Pass && started.elapsed() < Duration::from_secs(10) {
            got = probe(&kind(&["search", "write"]), 5.0);
        }
        assert_eq!(got.status, Pass, "{answers}, {sessions}: {}", got.message);
        assert!(got.message.ends_with("notes, 2 tools"), "{}", got.message);
        let got = probe(&kind(&["fly"]), 5.0);
        assert_eq!(got.status, Fail, "{}", got.message);
        let url = server.1.replace("/mcp", "/nothing");
        let got = probe(&json!({ "kind": "mcp", "url": url }), 5.0);
        assert!(got.status == Fail && got.message.contains("http 404"), "{}", got.message);
        assert!(server.0.try_wait().unwrap().is_none(), "a tool was called");
    }
}
