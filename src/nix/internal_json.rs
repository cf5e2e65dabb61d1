//! Nix's `--log-format internal-json`: lines of `@nix ` and an object. Numbers of activities and results are those of
//! `src/libutil/logging.hh`. New ones appear with new versions: what is not known is ignored, never an error.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::model::text::without_colour;

const ACTIVITY_COPY_PATH: u64 = 100;
const ACTIVITY_FILE_TRANSFER: u64 = 101;
const ACTIVITY_COPY_PATHS: u64 = 103;
const ACTIVITY_BUILDS: u64 = 104;
const ACTIVITY_BUILD: u64 = 105;
const RESULT_BUILD_LOG_LINE: u64 = 101;
const RESULT_PROGRESS: u64 = 105;
const RESULT_POST_BUILD_LOG_LINE: u64 = 107;
/// Lines of a builder's log that are kept for when it fails.
const LOG: usize = 25;
/// Activities that are remembered at a time; the oldest make room.
const MOST: usize = 65_536;
/// Characters of an activity's text that are.
const TEXT: usize = 200;

/// One line, parsed.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(tag = "action", rename_all = "lowercase")]
enum Action {
    Start {
        id: u64,
        #[serde(rename = "type")]
        kind: u64,
        #[serde(default)]
        text: String,
    },
    Stop {
        id: u64,
    },
    Result {
        id: u64,
        #[serde(rename = "type")]
        kind: u64,
        #[serde(default)]
        fields: Vec<serde_json::Value>,
    },
    Msg {
        level: u64,
        msg: String,
    },
    #[serde(other)]
    Other,
}

/// What a line means to somebody who watches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// Nothing.
    Nothing,
    /// The counters have changed.
    Progress,
    /// A line that a builder printed.
    BuildLog(String),
    /// A message: a line that is not in this format, or one of at most level 1 (error, warning).
    Message(String),
}

/// How far Nix is.
#[derive(Debug, Clone, Default)]
pub struct Watch {
    activities: BTreeMap<u64, (u64, String)>,
    counters: BTreeMap<u64, (u64, u64, u64)>,
    bytes_of_ended: u64,
    log: Vec<String>,
    messages: Vec<String>,
}

impl Watch {
    /// Takes a line of standard error.
    pub fn line(&mut self, line: &str) -> Told {
        let Some(json) = line.strip_prefix("@nix ") else {
            return self.message(line);
        };
        match serde_json::from_str(json) {
            Ok(Action::Start { id, kind, text }) => {
                if self.activities.len() >= MOST
                    && let Some((oldest, _)) = self.activities.pop_first()
                {
                    self.counters.remove(&oldest);
                }
                self.activities.insert(id, (kind, without_colour(&text).chars().take(TEXT).collect()));
                if kind == ACTIVITY_BUILD { Told::Progress } else { Told::Nothing }
            }
            Ok(Action::Stop { id }) => {
                self.activities.remove(&id);
                if let Some((ACTIVITY_COPY_PATH | ACTIVITY_FILE_TRANSFER, done, _)) = self.counters.get(&id) {
                    self.bytes_of_ended = self.bytes_of_ended.saturating_add(*done);
                    self.counters.remove(&id);
                }
                Told::Nothing
            }
            Ok(Action::Result { id, kind: RESULT_PROGRESS, fields }) => self.progress(id, &fields),
            Ok(Action::Result {
                kind: RESULT_BUILD_LOG_LINE | RESULT_POST_BUILD_LOG_LINE, fields, ..
            }) => {
                let line = fields.first().and_then(|f| f.as_str()).unwrap_or_default();
                self.keep_log(line);
                Told::BuildLog(line.to_owned())
            }
            Ok(Action::Msg { level: 0 | 1, msg }) => self.message(&msg),
            Ok(_) => Told::Nothing,
            // A line that only looks like the format is a message like any other.
            Err(_) => self.message(line),
        }
    }

    fn progress(&mut self, id: u64, fields: &[serde_json::Value]) -> Told {
        let number = |i: usize| fields.get(i).and_then(serde_json::Value::as_u64).unwrap_or(0);
        let Some((kind, _)) = self.activities.get(&id) else { return Told::Nothing };
        self.counters.insert(id, (*kind, number(0), number(1)));
        Told::Progress
    }

    fn message(&mut self, text: &str) -> Told {
        let text = without_colour(text);
        self.messages.extend(text.lines().map(str::to_owned));
        let excess = self.messages.len().saturating_sub(400);
        self.messages.drain(..excess);
        Told::Message(text)
    }

    fn keep_log(&mut self, line: &str) {
        if self.log.len() >= LOG {
            self.log.remove(0);
        }
        self.log.push(without_colour(line));
    }

    /// How many activities are remembered, and numbers of how many.
    pub fn remembered(&self) -> (usize, usize) {
        (self.activities.len(), self.counters.len())
    }

    /// Derivations built, and to be built.
    pub fn builds(&self) -> (u64, u64) {
        self.sum(ACTIVITY_BUILDS)
    }

    /// Store paths copied, and to be copied.
    pub fn paths(&self) -> (u64, u64) {
        self.sum(ACTIVITY_COPY_PATHS)
    }

    /// Bytes copied so far.
    pub fn bytes(&self) -> u64 {
        self.bytes_of_ended.saturating_add(self.sum(ACTIVITY_COPY_PATH).0)
    }

    /// What is being built or copied, in Nix's words.
    pub fn doing(&self) -> Option<&str> {
        let work = |kind: u64| kind == ACTIVITY_BUILD || kind == ACTIVITY_COPY_PATH;
        self.activities
            .values()
            .rfind(|(kind, text)| work(*kind) && !text.is_empty())
            .map(|(_, text)| text.as_str())
    }

    /// Everything that was said, for finding the cause of a failure.
    pub fn messages(&self) -> &[String] {
        &self.messages
    }

    /// The last lines that a builder printed.
    pub fn build_log(&self) -> &[String] {
        &self.log
    }

    fn sum(&self, kind: u64) -> (u64, u64) {
        let of_kind = self.counters.values().filter(|(k, ..)| *k == kind);
        of_kind
            .fold((0_u64, 0_u64), |(done, all), (_, d, a)| (done.saturating_add(*d), all.saturating_add(*a)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What Nix 2.8 printed for one build, shortened.
    const BUILD: &str = r#"@nix {"action":"start","id":93321049407489,"level":0,"text":"","type":104}
@nix {"action":"result","fields":[0,1,0,0],"id":93321049407489,"type":105}
@nix {"action":"start","fields":["/nix/store/x.drv","",1,1],"id":93321049407492,"level":3,"text":"building '/nix/store/x.drv'","type":105}
@nix {"action":"result","fields":["one"],"id":93321049407492,"type":101}
@nix {"action":"msg","level":0,"msg":"\u001b[31;1merror:\u001b[0m no"}
@nix {"action":"result","fields":[1,1,0,0],"id":93321049407489,"type":105}
@nix {"action":"frobnicate","id":1}
@nix {"action":"start","id":7,"type":9999,"text":"new"}
@nix {broken"#;

    #[test]
    fn a_build_is_counted() {
        let mut watch = Watch::default();
        let told: Vec<Told> = BUILD.lines().map(|l| watch.line(l)).collect();
        assert_eq!(watch.builds(), (1, 1));
        assert_eq!(watch.doing(), Some("building '/nix/store/x.drv'"));
        assert_eq!(watch.build_log(), ["one"]);
        assert_eq!(told[3], Told::BuildLog("one".into()));
        assert_eq!(watch.messages()[0], "error: no");
        assert!(matches!(&told[8], Told::Message(m) if m.contains("broken")));
    }

    #[test]
    fn copied_bytes_add_up() {
        let mut watch = Watch::default();
        for line in [
            r#"@nix {"action":"start","id":1,"level":3,"text":"copying","type":100,"fields":["/nix/store/a","",""]}"#,
            r#"@nix {"action":"result","fields":[100,500,0,0],"id":1,"type":105}"#,
            r#"@nix {"action":"result","fields":[500,500,0,0],"id":1,"type":105}"#,
            r#"@nix {"action":"stop","id":1}"#,
            r#"@nix {"action":"start","id":2,"level":3,"text":"copying","type":100}"#,
            r#"@nix {"action":"result","fields":[20,90,0,0],"id":2,"type":105}"#,
        ] {
            watch.line(line);
        }
        assert_eq!(watch.bytes(), 520);
    }

    proptest! {
        #[test]
        fn any_line_is_taken_without_panic(line in ".*", id in any::<u64>(), n in any::<i64>()) {
            let mut watch = Watch::default();
            watch.line(&line);
            watch.line(&format!("@nix {line}"));
            watch.line(&format!(r#"@nix {{"action":"result","id":{id},"type":105,"fields":[{n},"x"]}}"#));
        }
    }
}
