//! Takes events and shows them in the form that was asked for.

use std::io::{self, Write};
use std::sync::Mutex;

use super::event::{Event, Line, VERSION};
use super::human::Human;
use crate::effects::clock;
use crate::failure::Failure;
use crate::model::HostName;
use crate::model::text::{printable, printable_json, short};

/// How much is shown, and in which form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// For people; `0`: only what matters, `1`: every line of Nix and of switch scripts, `2`: every program run.
    Human(u8),
    /// Only what must be known at the end.
    Quiet,
    /// One event a line.
    Json,
}

/// Shows events.
pub struct Reporter {
    form: Form,
    events: bool,
    human: Mutex<Human>,
}

impl Reporter {
    /// In a form. Without `events`, JSON consists of results only.
    pub fn new(form: Form, events: bool) -> Self {
        Self { form, events, human: Mutex::new(Human::new(if let Form::Human(v) = form { v } else { 0 })) }
    }

    /// The form.
    pub fn form(&self) -> Form {
        self.form
    }

    /// Shows an event that concerns a host, or the whole run.
    pub fn tell(&self, host: Option<&HostName>, event: Event) {
        match self.form {
            Form::Json if !self.events => {}
            Form::Json => {
                let line = Line { v: VERSION, at: clock::wall(), host: host.cloned(), event };
                let text = serde_json::to_string(&line)
                    .unwrap_or_else(|e| format!("{{\"event\":\"warning\",\"text\":\"{e}\"}}"));
                print_json(&text);
            }
            Form::Quiet => {}
            Form::Human(_) => {
                if let Ok(mut human) = self.human.lock() {
                    human.show(host, &event);
                }
            }
        }
    }

    /// Ends all progress that is being shown, so that something else can be printed.
    pub fn pause(&self) {
        if let Ok(mut human) = self.human.lock() {
            human.clear();
        }
    }

    /// Shows a failure that concerns a host, or the whole run.
    pub fn fail(&self, host: Option<&HostName>, failure: &Failure) {
        self.pause();
        if self.form == Form::Json {
            let value = serde_json::json!({
                "v": VERSION, "at": clock::wall(), "host": host, "event": "failure",
                "exit": failure.exit.code(), "what": failure.what, "hint": failure.hint,
            });
            return print_json(&value.to_string());
        }
        let name = host.map_or_else(String::new, |h| format!("{h}: "));
        let what = printable(&short(failure.what.clone()), true);
        let label = console::style("error:").for_stderr().red().bold();
        let hint = failure.hint.as_ref().map_or_else(String::new, |hint| {
            format!("\n{} {}", console::style("hint:").for_stderr().cyan(), printable(hint, true))
        });
        eprint_line(&format!("{label} {name}{what}{hint}"));
    }

    /// Prints text that was asked for, such as a plan, on standard output; not in JSON, where events say it all.
    pub fn print(&self, text: &str) {
        if self.form != Form::Json {
            self.pause();
            print(text);
        }
    }
}

/// Writes a line of JSON to standard output, in which a target's words may stand.
pub fn print_json(line: &str) {
    print(&printable_json(line));
}

/// Writes a line to standard output. A reader that has gone away, as `head` does, is no fault of ours.
pub fn print(text: &str) {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}").and_then(|()| out.flush()).unwrap_or(());
}

fn eprint_line(text: &str) {
    writeln!(io::stderr().lock(), "{text}").unwrap_or(());
}
