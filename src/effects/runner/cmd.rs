//! A program to run, and how.

use std::ffi::OsString;
use std::time::Duration;

/// How much one program may print before it is stopped.
const OUTPUT_LIMIT: usize = 512 << 20;

/// A program to run.
#[derive(Debug, Clone)]
pub struct Cmd {
    pub(super) argv: Vec<OsString>,
    pub(super) env: Vec<(&'static str, OsString)>,
    pub(super) clear_env: bool,
    pub(super) stdin: Vec<u8>,
    pub(super) timeout: Option<Duration>,
    pub(super) accept: Vec<i32>,
    pub(super) own_group: bool,
    pub(super) output_limit: usize,
}

impl Cmd {
    /// A program by its name or path. Exit status 0 counts as success, nothing else.
    pub fn new(program: impl Into<OsString>) -> Self {
        Self {
            argv: vec![program.into()],
            env: Vec::new(),
            clear_env: false,
            stdin: Vec::new(),
            timeout: None,
            accept: vec![0],
            own_group: false,
            output_limit: OUTPUT_LIMIT,
        }
    }

    /// Adds one argument.
    #[must_use]
    pub fn arg(mut self, arg: impl Into<OsString>) -> Self {
        self.argv.push(arg.into());
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<I: IntoIterator<Item: Into<OsString>>>(mut self, args: I) -> Self {
        self.argv.extend(args.into_iter().map(Into::into));
        self
    }

    /// Sets a variable.
    #[must_use]
    pub fn env(mut self, name: &'static str, value: impl Into<OsString>) -> Self {
        self.env.push((name, value.into()));
        self
    }

    /// Starts from an empty environment.
    #[must_use]
    pub fn clear_env(mut self) -> Self {
        self.clear_env = true;
        self
    }

    /// What the program reads. It may hold secrets and is never logged. Without it, standard input is empty.
    #[must_use]
    pub fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = bytes.into();
        self
    }

    /// Kills the program after this long.
    #[must_use]
    pub fn timeout(mut self, time: Duration) -> Self {
        self.timeout = Some(time);
        self
    }

    /// Exit statuses that are answers, not failures.
    #[must_use]
    pub fn accept(mut self, statuses: &[i32]) -> Self {
        self.accept = statuses.to_vec();
        self
    }

    /// Runs it in its own process group: a Ctrl-C at the terminal does not reach it, and a time-out kills its
    /// children too.
    #[must_use]
    pub fn own_group(mut self) -> Self {
        self.own_group = true;
        self
    }

    /// Kills the program when it has printed this many bytes.
    #[must_use]
    pub fn output_limit(mut self, bytes: usize) -> Self {
        self.output_limit = bytes;
        self
    }

    /// The command line, for people: arguments with blanks are quoted.
    pub fn display(&self) -> String {
        let word = |a: &OsString| {
            let s = a.to_string_lossy();
            if s.is_empty() || s.contains([' ', '\n', '"', '\'']) { format!("{s:?}") } else { s.into_owned() }
        };
        self.argv.iter().map(word).collect::<Vec<_>>().join(" ")
    }

    /// The arguments as text, for snapshots of what would be run.
    pub fn argv(&self) -> Vec<String> {
        self.argv.iter().map(|a| a.to_string_lossy().into_owned()).collect()
    }

    /// What is fed to it, for snapshots.
    pub fn stdin_text(&self) -> String {
        String::from_utf8_lossy(&self.stdin).into_owned()
    }
}
