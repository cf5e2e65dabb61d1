//! Progress for people: a line for each stage, on a terminal a moving one.

use std::collections::{BTreeMap, VecDeque};
use std::io::{IsTerminal, Write, stderr};
use std::time::{Duration, Instant};

use console::style;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::event::{Event, Stage, Unit};
use crate::effects::clock;
use crate::guard::{Outcome, Reason};
use crate::health::{CheckReport, Standing};
use crate::model::HostName;
use crate::model::text::{bytes, printable};

/// Lines of what scripts say that are kept for a failure.
const SAID: usize = 20;

/// Shows events on standard error.
pub struct Human {
    verbosity: u8,
    moving: Option<MultiProgress>,
    /// Where lines go if nothing moves.
    sink: Box<dyn Write + Send>,
    running: BTreeMap<Stage, (Instant, ProgressBar)>,
    /// What Nix and switch scripts said since the last stage began: shown if it fails, and not asked for before.
    said: VecDeque<String>,
}

impl Human {
    /// `verbosity`: see [`super::reporter::Form::Human`].
    pub fn new(verbosity: u8) -> Self {
        let moving = stderr().is_terminal().then(MultiProgress::new);
        Self { verbosity, moving, sink: Box::new(stderr()), running: BTreeMap::new(), said: VecDeque::new() }
    }

    /// The same, writing to somewhere else.
    #[cfg(test)]
    pub(super) fn to(verbosity: u8, sink: Box<dyn Write + Send>) -> Self {
        Self { verbosity, moving: None, sink, running: BTreeMap::new(), said: VecDeque::new() }
    }

    /// Shows an event.
    pub fn show(&mut self, host: Option<&HostName>, event: &Event) {
        let name = host.map_or_else(String::new, |h| format!("{h}: "));
        match event {
            Event::StageStarted { stage } => self.start(&name, *stage),
            Event::Progress { stage, done, expected, unit, what } => {
                self.progress(*stage, (*done, *expected, *unit), what.as_deref());
            }
            Event::StageFinished { stage, millis } => self.finish(&name, *stage, *millis),
            Event::Notice { text } => self.line(&format!("{name}{}", printable(text, false))),
            Event::Warning { text } => {
                let label = style("warning:").for_stderr().yellow().bold();
                self.line(&format!("{label} {name}{}", printable(text, false)));
            }
            Event::Output { line } if self.verbosity > 0 => {
                self.line(&format!("{name}{}", style(printable(line, false)).for_stderr().dim()));
            }
            // What the way back says does not tell why it was taken.
            Event::Output { .. } if self.running.contains_key(&Stage::RollBack) => {}
            Event::Output { line } => {
                self.said.push_back(line.clone());
                let more = self.said.len().saturating_sub(SAID);
                self.said.drain(..more);
            }
            Event::Ran { command, from, to } if self.verbosity > 1 => {
                let time = seconds(Duration::from_millis(to.saturating_sub(*from)));
                self.line(&format!(
                    "{name}{}",
                    style(format!("ran ({time}) {}", printable(command, false))).for_stderr().dim()
                ));
            }
            Event::Check { report } => self.check(&name, report),
            Event::Outcome { outcome } => {
                self.clear();
                self.what_a_script_said(&name, outcome);
                self.notes(&name, outcome);
            }
            Event::Evidence { evidence } => {
                if let Some(log) = &evidence.log {
                    self.line(&format!("{name}the last lines of {}:", log.unit));
                    log.lines.iter().for_each(|l| self.line(&format!("  {}", printable(l, false))));
                }
            }
            Event::State { .. } | Event::Armed { .. } | Event::Plan { .. } | Event::Ran { .. } => {}
        }
    }

    fn start(&mut self, name: &str, stage: Stage) {
        // The guard's stages end when the next one begins.
        let over: Vec<Stage> = self.running.keys().copied().filter(|s| guards(*s) && guards(stage)).collect();
        for old in over {
            if let Some((started, _)) = self.running.get(&old) {
                let millis = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
                self.finish(name, old, millis);
            }
        }
        if stage != Stage::RollBack {
            self.said.clear();
        }
        let bar = match &self.moving {
            Some(moving) => moving.add(ProgressBar::new_spinner()),
            None => {
                self.line(&format!("{name}{} …", stage.doing()));
                ProgressBar::hidden()
            }
        };
        let template = "{spinner:.cyan} {prefix} {msg} [{elapsed}]";
        bar.set_style(
            ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner()),
        );
        bar.set_prefix(format!("{name}{}", stage.doing()));
        bar.enable_steady_tick(Duration::from_millis(120));
        self.running.insert(stage, (clock::start(), bar));
    }

    fn progress(&mut self, stage: Stage, (done, expected, unit): (u64, u64, Unit), what: Option<&str>) {
        if let Some((_, bar)) = self.running.get(&stage) {
            bar.set_message(progress_text((done, expected, unit), what));
        }
    }

    fn finish(&mut self, name: &str, stage: Stage, millis: u64) {
        if let Some((_, bar)) = self.running.remove(&stage) {
            bar.finish_and_clear();
            let done = style("done").for_stderr().green();
            self.line(&format!(
                "{name}{} {done} in {}",
                stage.doing(),
                seconds(Duration::from_millis(millis))
            ));
        }
    }

    fn check(&mut self, name: &str, report: &CheckReport) {
        let (word, colour) = match report.standing {
            Standing::Passing => ("passes", console::Color::Green),
            Standing::Failing => ("fails", console::Color::Red),
            Standing::Unknown => ("cannot be probed", console::Color::Red),
            Standing::Skipped => ("is skipped", console::Color::Yellow),
            Standing::Pending => return,
        };
        let word = style(word).for_stderr().fg(colour);
        let details = printable(&report.details(), false);
        let check = printable(&report.name, false);
        self.line(&format!("{name}check {check} {word} {details}"));
    }

    /// Where a script failed, its last words.
    fn what_a_script_said(&mut self, name: &str, outcome: &Outcome) {
        let script = matches!(
            outcome.reason,
            Some(Reason::SwitchFailed { .. } | Reason::ActivationFailed { .. } | Reason::BootLoader { .. })
        );
        if script && !self.said.is_empty() {
            self.line(&format!("{name}the last that the switch scripts said:"));
            for line in std::mem::take(&mut self.said) {
                self.line(&format!("  {}", printable(&line, false)));
            }
        }
    }

    fn notes(&mut self, name: &str, outcome: &Outcome) {
        for note in &outcome.notes {
            self.line(&format!("{name}note: {}", printable(note, false)));
        }
    }

    /// Ends all moving lines.
    pub fn clear(&mut self) {
        for (_, (_, bar)) in std::mem::take(&mut self.running) {
            bar.finish_and_clear();
        }
    }

    fn line(&mut self, text: &str) {
        match &self.moving {
            // A terminal that has gone away has nobody to tell.
            Some(moving) => moving.println(text).unwrap_or(()),
            None => writeln!(self.sink, "{text}").unwrap_or(()),
        }
    }
}

/// "3/10 built, building hello".
pub(super) fn progress_text((done, expected, unit): (u64, u64, Unit), what: Option<&str>) -> String {
    let counted = match unit {
        Unit::Builds => format!("{done}/{expected} built"),
        Unit::Paths => format!("{done}/{expected} paths"),
        Unit::Checks => format!("{done}/{expected} checks"),
        Unit::Bytes => format!("{} of {}", bytes(done), bytes(expected)),
    };
    let what = what.map(|w| printable(w, false).chars().take(60).collect::<String>());
    what.map_or(counted.clone(), |w| format!("{counted}, {w}"))
}

fn guards(stage: Stage) -> bool {
    matches!(stage, Stage::Start | Stage::Activate | Stage::Prove | Stage::Commit | Stage::RollBack)
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f32())
}
