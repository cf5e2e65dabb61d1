//! `nqd why`.

use std::path::PathBuf;

use super::sides::{self, From, Operand, Sides};
use super::usage;
use crate::app::App;
use crate::closure::why::{Why, explain};
use crate::closure::{Closure, name};
use crate::deploy::gather::staged;
use crate::derivation::Derivation;
use crate::effects::gather::Purpose;
use crate::effects::operand::Local;
use crate::effects::store_db::StoreDb;
use crate::effects::{closures, terminal};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::model::StorePath;
use crate::model::text::printable;
use crate::nix::FlakeHost;
use crate::report::event::Stage;
use crate::report::reporter::{Form, print};
use crate::report::why_text::{self, Layout};

/// Shows why two systems differ: what was changed by somebody, and how much is rebuilt because of it. A flake's host is
/// evaluated, not built.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  nqd why web .#web                what would be rebuilt on the host web, and why
  nqd why 41 42                    between two generations of the system profile
  nqd why 41 42 --package firefox  why this one is rebuilt, or who pulled it in
  nqd why a b --markdown           for a pull request

The derivations of both must still be here. nqd deploy keeps those of what it deploys; keep-derivations = true in
nix.conf keeps those of every generation.")]
pub(super) struct Args {
    #[command(flatten)]
    sides: Sides,
    /// Only what concerns this package
    #[arg(long, value_name = "NAME")]
    package: Option<String>,
    /// Print a list for a pull request
    #[arg(long)]
    markdown: bool,
    /// List every root cause
    #[arg(long)]
    all: bool,
    /// Exit with 11 if anything is rebuilt
    #[arg(long)]
    exit_code: bool,
}

/// A side's derivation.
struct Derived {
    derivation: StorePath,
    /// Under what its store lies.
    root: PathBuf,
    /// Its output, where that is in the store.
    built: Option<sides::Found>,
}

impl Args {
    pub(super) fn run(self, app: &App) -> Result<Exit, Failure> {
        let [a, b] = self.sides.operands(app)?;
        let (old, new) = (self.derive(a, app)?, self.derive(b, app)?);
        let roots = [&old.root, &new.root];
        let why = explain(&old.derivation, &new.derivation, |path| read(path, roots))?;
        match &self.package {
            Some(package) => self.show_package(package, &why, [&old, &new], app)?,
            None => self.show(&why, app)?,
        }
        Ok(if self.exit_code && !why.is_empty() { Exit::Differs } else { Exit::Ok })
    }

    fn layout(&self) -> Layout {
        let layout = Layout { width: terminal::width(), ..Layout::default() };
        if self.all { Layout { most: usize::MAX, ..layout } } else { layout }
    }

    fn show(&self, why: &Why, app: &App) -> Result<(), Failure> {
        if app.reporter.form() == Form::Json {
            return json(why);
        }
        let layout = self.layout();
        let text =
            if self.markdown { why_text::markdown(why, layout) } else { why_text::render(why, layout) };
        app.reporter.print(&text);
        Ok(())
    }

    fn show_package(&self, package: &str, why: &Why, sides: [&Derived; 2], app: &App) -> Result<(), Failure> {
        let beneath = why.beneath(package);
        if app.reporter.form() == Form::Json {
            return json(&beneath);
        }
        let text = if beneath.differing > 0 {
            why_text::render_beneath(why, &beneath, self.layout())
        } else {
            ways(package, sides, app)?
        };
        app.reporter.print(&text);
        Ok(())
    }

    /// The derivation of what a person named.
    fn derive(&self, operand: Operand, app: &App) -> Result<Derived, Failure> {
        match operand {
            Operand::Flake(host) => self.evaluated(&host, app),
            Operand::Local(local) => deriver(local),
            Operand::Host(word) => self.deployed(&word, app),
            Operand::Snapshot(file) => {
                Err(usage(format!("{} is a snapshot: it holds no derivations", file.display()))
                    .hint("nqd diff compares snapshots; nqd why needs the systems themselves, or FLAKE#HOST"))
            }
        }
    }

    fn evaluated(&self, host: &FlakeHost, app: &App) -> Result<Derived, Failure> {
        let tell = |event| app.reporter.tell(Some(&host.host), event);
        let evaluation = staged(&tell, Stage::Evaluate, || self.sides.evaluate(host, app))?;
        Ok(Derived { derivation: evaluation.derivation, root: "/".into(), built: None })
    }

    /// Of what a host runs: as the record of its deployment says, or as the store here knows.
    fn deployed(&self, word: &str, app: &App) -> Result<Derived, Failure> {
        let (name, place, escalate) = app.find(Some(word), &self.sides.place).map_err(usage)?;
        let facts = app.reach(&name, &place, escalate)?.gather(Purpose::Status)?;
        let running = facts.triple.running;
        let record = facts.status.and_then(|s| s.record).filter(|r| r.candidate == running);
        let noted = record.and_then(|r| r.spec.origin.derivation);
        let derivation = noted.map(|d| StorePath::parse(&d)).transpose();
        let derivation = derivation.map_err(|e| Failure::new(Exit::Internal, e.to_string()))?;
        match derivation {
            Some(derivation) => Ok(Derived { derivation, root: "/".into(), built: None }),
            None => deriver(Local { path: running, root: "/".into(), found: format!("what {name} runs") }),
        }
    }
}

fn json(value: &impl serde::Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string(value).map_err(|e| Failure::new(Exit::Internal, e.to_string()))?;
    print(&text);
    Ok(())
}

/// The derivation that made a path, if its file is still here.
fn deriver(local: Local) -> Result<Derived, Failure> {
    let Local { path, root, found } = local;
    let refused = |e: crate::effects::store_db::DbError| Failure::refused(e.to_string());
    let derivers = StoreDb::open(&root).and_then(|db| db.makers(&path)).map_err(refused)?;
    for derivation in &derivers {
        if closures::derivation(&root, derivation)?.is_some() {
            let side = crate::closure::comparison::Side { named: found, path };
            let built = Some(sides::Found { side, from: From::Store(root.clone()) });
            return Ok(Derived { derivation: derivation.clone(), root, built });
        }
    }
    let what = match derivers.first() {
        Some(noted) => format!("{} is not here any more: the derivation of {}", noted.short(), path.short()),
        None => format!("which derivation made {} is not known here: it was copied", path.short()),
    };
    Err(Failure::refused(what).hint("nqd diff needs no derivations; nqd why works on FLAKE#HOST and on what nqd deploy deployed from here"))
}

/// A derivation of either store.
fn read(path: &StorePath, roots: [&PathBuf; 2]) -> Result<Option<Derivation>, Failure> {
    let [old, new] = roots;
    match closures::derivation(old, path)? {
        None if old != new => closures::derivation(new, path),
        found => Ok(found),
    }
}

/// Who pulls in what only one of the two has.
fn ways(package: &str, [old, new]: [&Derived; 2], app: &App) -> Result<String, Failure> {
    let (Some(a), Some(b)) = (&old.built, &new.built) else {
        let name = printable(package, false);
        return Ok(format!(
            "{name} is not rebuilt. Who pulls it in is known once both are built: nqd diff builds them"
        ));
    };
    let ([a, b], _) = sides::closures([a, b], app)?;
    Ok(match (way(&a, package), way(&b, package)) {
        (None, None) => format!("{} is in neither", printable(package, false)),
        (None, Some(way)) => format!("added: {way}"),
        (Some(way), None) => format!("removed; it was there by: {way}"),
        (Some(_), Some(way)) => format!("not rebuilt; it is there by: {way}"),
    })
}

/// The shortest way from a system to a package.
fn way(closure: &Closure, package: &str) -> Option<String> {
    let is = |m: &&crate::closure::Member| {
        m.package.as_ref().is_some_and(|p| p.name == package) || name::split(m.path.name()).0 == package
    };
    let ways = closure.members.iter().filter(is).map(|m| closure.way_to(&m.path));
    let shortest = ways.min_by_key(Vec::len)?;
    Some(shortest.iter().map(|p| printable(p.name(), false)).collect::<Vec<_>>().join(" → "))
}
