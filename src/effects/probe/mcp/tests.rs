use std::fs;
use std::io::Write;
use std::net::TcpListener;
use std::os::unix::fs::symlink;
use std::sync::{Arc, Mutex};
use std::thread;

use super::*;
use crate::health::ProbeStatus::{Fail, Pass, Unknown};

/// One request, as a server sees it: its head in lower case, and the message.
struct Asked {
    head: String,
    message: Value,
}

/// What a server says: status, more of the head, and the body.
type Said = (u16, &'static str, String);
/// How it answers one kind of message.
type Says = fn(&Asked) -> Said;

const JSON: &str = "Content-Type: application/json\r\n";
const EVENTS: &str = "Content-Type: text/event-stream\r\n";
const SESSION: &str = "Content-Type: application/json\r\nMcp-Session-Id: s-1\r\n";

/// A server, and what it was asked.
fn server(answer: impl Fn(&Asked) -> Said + Send + 'static) -> (String, Arc<Mutex<Vec<Asked>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/mcp", listener.local_addr().unwrap());
    let all = Arc::new(Mutex::new(Vec::new()));
    let seen = all.clone();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = BufReader::new(stream.unwrap());
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") {
                assert!(stream.read_line(&mut head).unwrap() > 0, "cut short: {head}");
            }
            let head = head.to_ascii_lowercase();
            let of_length = |l: &str| l.strip_prefix("content-length: ")?.parse().ok();
            let mut body = vec![0; head.lines().find_map(of_length).unwrap_or(0)];
            stream.read_exact(&mut body).unwrap();
            let asked = Asked { head, message: serde_json::from_slice(&body).unwrap_or_default() };
            let (status, more, said) = answer(&asked);
            let length = said.len();
            let text = format!(
                "HTTP/1.1 {status} x\r\n{more}Content-Length: {length}\r\nConnection: close\r\n\r\n{said}"
            );
            seen.lock().unwrap().push(asked);
            // Who gives up does not hear the end.
            stream.get_mut().write_all(text.as_bytes()).unwrap_or(());
        }
    });
    (url, all)
}

fn result(asked: &Asked, result: &Value) -> String {
    json!({ "jsonrpc": "2.0", "id": asked.message["id"], "result": result }).to_string()
}

/// A server as it should be, with two pages of tools.
fn good(asked: &Asked) -> Said {
    match asked.message["method"].as_str() {
        Some("initialize") => (
            200,
            SESSION,
            result(asked, &json!({ "protocolVersion": "2025-03-26", "serverInfo": { "name": "notes" } })),
        ),
        Some("notifications/initialized") => (202, "", String::new()),
        Some("tools/list") if asked.message["params"]["cursor"] == "p2" => {
            (200, JSON, result(asked, &json!({ "tools": [{ "name": "write" }] })))
        }
        Some("tools/list") => {
            (200, JSON, result(asked, &json!({ "tools": [{ "name": "search" }], "nextCursor": "p2" })))
        }
        _ => (200, "", String::new()),
    }
}

fn mcp(url: &str, tools: &[&str]) -> Mcp {
    Mcp { url: url.to_owned(), tools: tools.iter().map(|t| (*t).to_owned()).collect(), token_file: None }
}

fn of(answer: impl Fn(&Asked) -> Said + Send + 'static) -> ProbeResult {
    probe(&mcp(&server(answer).0, &["search"]), Duration::from_secs(2))
}

#[test]
fn a_session_from_its_beginning_to_its_end() {
    let (url, seen) = server(good);
    let answer = probe(&mcp(&url, &["write", "search"]), Duration::from_secs(2));
    assert_eq!((answer.status, answer.message), (Pass, format!("{url}: notes, 2 tools")));
    let seen = std::mem::take(&mut *seen.lock().unwrap());
    let words: Vec<String> = seen
        .iter()
        .map(|a| {
            format!("{} {}", a.head.split(' ').next().unwrap(), a.message["method"].as_str().unwrap_or("-"))
        })
        .collect();
    assert_eq!(
        words,
        [
            "post initialize",
            "post notifications/initialized",
            "post tools/list",
            "post tools/list",
            "delete -"
        ]
    );
    assert!(!seen[0].head.contains("mcp-session-id") && !seen[0].head.contains("mcp-protocol-version"));
    for later in &seen[1..] {
        assert!(later.head.contains("mcp-session-id: s-1\r\n"), "{}", later.head);
        assert!(later.head.contains("mcp-protocol-version: 2025-03-26\r\n"), "{}", later.head);
    }
    assert!(seen[1].message.get("id").is_none(), "a notification has none");
    assert!(seen.iter().all(|a| !a.message.to_string().contains("tools/call")));
    assert_eq!(
        probe(&mcp(&url, &["fly"]), Duration::from_secs(2)).message,
        format!("{url}: no tool \"fly\" among 2")
    );
}

#[test]
fn an_answer_may_be_an_event_among_others() {
    let events = |asked: &Asked| {
        let (status, head, said) = good(asked);
        let log = r#"{"jsonrpc":"2.0","method":"notifications/message","params":{}}"#;
        let text = format!(": hello\r\nevent: message\r\ndata: {log}\r\n\r\nid: 7\r\ndata: {said}\r\n\r\n");
        if head == JSON { (status, EVENTS, text) } else { (status, head, said) }
    };
    assert_eq!(of(events).status, Pass);
    let other = |asked: &Asked| match good(asked) {
        (200, JSON, said) => (200, EVENTS, format!("data: {}\n\n", said.replace("\"id\":2", "\"id\":9"))),
        said => said,
    };
    let answer = of(other);
    assert_eq!(answer.status, Fail);
    assert!(answer.message.contains("tools/list: the stream ended without an answer"), "{}", answer.message);
}

#[test]
fn what_is_not_a_working_server_fails() {
    let at = |method: &'static str, said: Says| {
        of(move |asked| if asked.message["method"] == method { said(asked) } else { good(asked) })
    };
    let rows: [(&str, Says, &str); 9] = [
        ("initialize", |_| (500, "", String::new()), "initialize: http 500"),
        ("initialize", |_| (401, "", String::new()), "initialize: http 401"),
        ("initialize", |_| (302, "Location: http://localhost:1/\r\n", String::new()), "http 302"),
        ("initialize", |_| (200, "Content-Type: text/html\r\n", "<html>".into()), "not JSON"),
        ("initialize", |a| (200, JSON, result(a, &json!({}))), "no protocolVersion"),
        ("notifications/initialized", |_| (400, "", String::new()), "http 400"),
        ("tools/list", |a| (200, JSON, result(a, &json!({}))), "no list of tools"),
        (
            "tools/list",
            |a| {
                (200, JSON, json!({ "id": a.message["id"], "error": { "message": "not today" } }).to_string())
            },
            "tools/list: not today",
        ),
        ("tools/list", |a| (200, JSON, result(a, &json!({ "tools": [], "nextCursor": "x" }))), "64 pages"),
    ];
    for (method, said, says) in rows {
        let got = at(method, said);
        assert_eq!(got.status, Fail, "{says}");
        assert!(got.message.contains(says), "{says}: {}", got.message);
    }
}

#[test]
fn one_that_does_not_answer_fails_within_the_time() {
    let started = clock::start();
    let (url, _) = server(|_| {
        clock::sleep(Duration::from_secs(4));
        (200, "", String::new())
    });
    assert_eq!(probe(&mcp(&url, &[]), Duration::from_millis(300)).status, Fail);
    assert!(started.elapsed() < Duration::from_secs(3));
    assert_eq!(probe(&mcp("http://127.0.0.1:1/mcp", &[]), Duration::from_secs(1)).status, Fail);
}

#[test]
fn the_token_is_sent_and_never_told() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("token");
    fs::write(&file, "s3cret\n").unwrap();
    let guarded = |asked: &Asked| {
        if asked.head.contains("authorization: bearer s3cret\r\n") {
            good(asked)
        } else {
            (401, "", String::new())
        }
    };
    let with = |url: String, path: &Path| {
        probe(&Mcp { token_file: Some(path.to_owned()), ..mcp(&url, &[]) }, Duration::from_secs(2))
    };
    assert_eq!(with(server(guarded).0, &file).status, Pass);
    assert_eq!(of(guarded).status, Fail, "without it");
    let link = dir.path().join("link");
    symlink(&file, &link).unwrap();
    let rows: [(&str, &[u8]); 4] =
        [("empty", b"\n"), ("two", b"s3cret s3cret"), ("line", b"s3cret\r\nX: 1"), ("long", &[b'x'; 4097])];
    let mut paths = vec![link, dir.path().to_owned(), dir.path().join("none")];
    for (name, text) in rows {
        fs::write(dir.path().join(name), text).unwrap();
        paths.push(dir.path().join(name));
    }
    for path in paths {
        let got = with(server(guarded).0, &path);
        assert_eq!(got.status, Unknown, "{}", path.display());
        assert!(!got.message.contains("s3cret"), "{}", got.message);
    }
}
