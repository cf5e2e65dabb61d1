//! `nqd diff`.

use std::path::Path;

use clap::ValueEnum;

use super::flags::Place;
use super::sides::{self, Found, Sides};
use super::usage;
use crate::app::App;
use crate::closure::ClosureDiff;
use crate::closure::comparison::{Comparison, Side, VERSION};
use crate::closure::mask::Masker;
use crate::closure::system::diff::Given;
use crate::closure::system::{self, Actions, SystemReading, dry_activate};
use crate::deploy::request::Reach;
use crate::effects::target::Target;
use crate::effects::this_machine::read_journal;
use crate::effects::transport::Escalate;
use crate::effects::{clock, env, operand, terminal};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::model::StorePath;
use crate::report::diff_text;
use crate::report::packages_text::{Sort, View};
use crate::report::reporter::{Form, print};

/// Shows what differs between two systems: packages, versions, sizes, units, files, users, ports.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  nqd diff                         what runs here, and ./result or the system profile
  nqd diff 41 42                   two generations of the system profile
  nqd diff web .#web               what the host web runs, and what the flake says: it is built first
  nqd diff before.json             a snapshot (nqd snapshot), and what runs here, the other way round
  nqd diff --history 5             what the last five generations changed
  nqd diff a b --markdown          for a pull request
  nqd diff a b --exit-code         0: the same, 11: they differ

As root, and where the old one runs here, the new one's switch script is asked what it would restart (dry-activate),
and likewise on a host that has the new one already; elsewhere that is derived from the unit files.")]
pub(super) struct Args {
    /// Show what each of the last N generations of the system profile changed
    #[arg(long, value_name = "N", num_args = 0..=1, default_missing_value = "10", conflicts_with = "words")]
    history: Option<usize>,
    /// In which order packages are listed
    #[arg(long, value_enum, default_value_t = By::Kind)]
    sort: By,
    /// List every path, however small
    #[arg(long)]
    all: bool,
    /// Print a table for a pull request
    #[arg(long)]
    markdown: bool,
    /// Exit with 11 if the two differ
    #[arg(long)]
    exit_code: bool,
    #[command(flatten)]
    sides: Sides,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum By {
    /// By name
    Name,
    /// What grows or shrinks most first
    Size,
    /// Upgrades, downgrades, other changes, what is added, what is removed
    Kind,
}

impl Args {
    pub(super) fn run(self, app: &App) -> Result<Exit, Failure> {
        let comparisons = match self.history {
            Some(n) => history(n, app)?,
            None => vec![self.compare(app)?],
        };
        self.show(&comparisons, app)?;
        let differ = comparisons.iter().any(|c| !c.is_empty());
        Ok(if self.exit_code && differ { Exit::Differs } else { Exit::Ok })
    }

    fn compare(&self, app: &App) -> Result<Comparison, Failure> {
        let [a, b] = self.sides.operands(app)?;
        let (old, new) = (self.sides.find(a, app)?, self.sides.find(b, app)?);
        compare(&old, &new, true, app)
    }

    fn show(&self, comparisons: &[Comparison], app: &App) -> Result<(), Failure> {
        if app.reporter.form() == Form::Json {
            let json = if self.history.is_some() {
                serde_json::to_string(comparisons)
            } else {
                serde_json::to_string(&comparisons.first())
            };
            print(&json.map_err(|e| Failure::new(Exit::Internal, e.to_string()))?);
            return Ok(());
        }
        let sort = match self.sort {
            By::Name => Sort::Name,
            By::Size => Sort::Size,
            By::Kind => Sort::Kind,
        };
        let view = View { width: terminal::width(), sort, all: self.all };
        let text = |c: &Comparison| {
            if self.markdown { diff_text::markdown(c, sort) } else { diff_text::render(c, &view) }
        };
        app.reporter.print(&comparisons.iter().map(text).collect::<Vec<_>>().join("\n\n"));
        Ok(())
    }
}

/// Reads the two and compares them. With `ask`, the new system may be asked what its switch would do.
fn compare(old: &Found, new: &Found, ask: bool, app: &App) -> Result<Comparison, Failure> {
    let ([a, b], mut notes) = sides::closures([old, new], app)?;
    let masker = sides::masker()?;
    let systems = [sides::system(old, &masker)?, sides::system(new, &masker)?];
    let both = systems.iter().all(|s| matches!(s, SystemReading::Facts(_)));
    let actions = if ask && both { dry_activate(old, new, &masker, (app, &mut notes))? } else { None };
    let given = Given { glibc: [&a, &b].map(|c| c.version_of("glibc")), actions };
    let system = system::Comparison::of(&systems[0], &systems[1], given);
    let packages = ClosureDiff::between(&a, &b);
    Ok(Comparison { version: VERSION, old: old.side.clone(), new: new.side.clone(), packages, system, notes })
}

/// What the new system's own switch script would do to units, where it can be asked: the old one runs here, the new
/// one is here, we are root, and no transaction runs, whose switch would find the lock taken. Of another machine, where
/// that has the new one too.
fn dry_activate(
    old: &Found,
    new: &Found,
    masker: &Masker,
    (app, notes): (&App, &mut Vec<String>),
) -> Result<Option<Actions>, Failure> {
    if let sides::From::Machine(target) = &old.from {
        let differ = old.side.path != new.side.path;
        return Ok(if differ { ask(&**target, &new.side.path, masker, notes) } else { None });
    }
    let here = |f: &Found| matches!(&f.from, sides::From::Store(root) if root == Path::new("/"));
    let runs = || Ok::<_, Failure>(operand::running()?.is_some_and(|r| r.path == old.side.path));
    if !(env::is_root() && here(old) && here(new) && runs()?) || old.side.path == new.side.path {
        return Ok(None);
    }
    if read_journal()?.is_some_and(|record| !record.ended()) {
        notes.push("a transaction is running: dry-activate was not asked what restarts".to_owned());
        return Ok(None);
    }
    let (name, _, _) = app.find(None, &Place::here())?;
    let target = app.target(&name, &Reach { address: None, escalate: Escalate::default() })?;
    Ok(ask(&*target, &new.side.path, masker, notes))
}

/// Asks a machine, if it has the new system; else says why it was not asked.
fn ask(target: &dyn Target, new: &StorePath, masker: &Masker, notes: &mut Vec<String>) -> Option<Actions> {
    let has = target.has(new);
    let said = has.and_then(|has| if has { target.dry_activate(new).map(Some) } else { Ok(None) });
    match said {
        Ok(Some(lines)) => Some(dry_activate::parse(&lines, masker)),
        Ok(None) => {
            notes.push(
                "dry-activate was not asked what restarts: the machine has not got the new system yet"
                    .to_owned(),
            );
            None
        }
        Err(failure) => {
            let why = masker.mask(&failure.what).text;
            notes.push(format!("dry-activate could not be asked what restarts: {why}"));
            None
        }
    }
}

/// What each of the last generations changed, the newest last.
fn history(n: usize, app: &App) -> Result<Vec<Comparison>, Failure> {
    if n == 0 {
        return Err(usage("--history 0 would show nothing"));
    }
    let last = operand::generations(n.saturating_add(1))?;
    if last.len() < 2 {
        return Err(usage("the system profile has fewer than two generations"));
    }
    let found: Vec<Found> = last
        .iter()
        .map(|(local, time)| Found {
            side: Side {
                named: format!("{}, {}", local.found, clock::rfc3339(*time)),
                path: local.path.clone(),
            },
            from: sides::From::Store(local.root.clone()),
        })
        .collect();
    let one = |pair: &[Found]| {
        let [old, new] = pair else { return Err(Failure::new(Exit::Internal, "two at a time")) };
        compare(old, new, false, app)
    };
    found.windows(2).map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::effects::fake_machine::{self, System};
    use crate::effects::fake_operator::{FakeTarget, World};

    #[test]
    fn a_machine_is_asked_what_restarts_if_it_has_the_new_system() {
        let target = FakeTarget(World::new(System::good(), System::good()));
        let (masker, mut notes) = (Masker::new([7; 32]), Vec::new());
        let actions = ask(&target, &fake_machine::path('a'), &masker, &mut notes).unwrap();
        assert!(actions.restart.contains("web.service") && notes.is_empty(), "{actions:?} {notes:?}");
        assert!(!format!("{actions:?}").contains("hunter2"), "{actions:?}");
        assert_eq!(ask(&target, &fake_machine::path('b'), &masker, &mut notes), None);
        assert!(notes.len() == 1 && notes[0].contains("has not got the new system"), "{notes:?}");
    }
}
