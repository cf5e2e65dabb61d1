//! `nqd why`.

use std::path::PathBuf;

use super::sides::{self, From, Operand, Sides};
use super::usage;
use crate::app::App;
use crate::closure::comparison::Side;
use crate::closure::why::{self, Cause, Ways, Why, explain};
use crate::closure::{Closure, Member, name};
use crate::deploy::gather::staged;
use crate::derivation::Derivation;
use crate::effects::derivers::{self, Derivations, Makers};
use crate::effects::gather::Purpose;
use crate::effects::operand::Local;
use crate::effects::{closures, terminal};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::model::StorePath;
use crate::model::text::count;
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
    side: Side,
    /// Under what its store lies.
    root: PathBuf,
    /// Whether its output is in that store.
    built: bool,
    /// How that was found out, if not as usual.
    note: Option<String>,
}

/// What is printed as JSON: the answer, and what was compared.
#[derive(serde::Serialize)]
struct Shown<'a, T> {
    compared: [&'a Side; 2],
    /// Of a package's answer, which has none itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    notes: Option<&'a [String]>,
    /// What the chains of a package's answer lead to.
    #[serde(skip_serializing_if = "Option::is_none")]
    roots: Option<&'a [Cause]>,
    #[serde(flatten)]
    answer: &'a T,
}

impl Args {
    pub(super) fn run(self, app: &App) -> Result<Exit, Failure> {
        let [a, b] = self.sides.operands(app)?;
        let both = [&self.derive(a, app)?, &self.derive(b, app)?];
        let stores = both.map(|d| Derivations::of(&d.root));
        let [old, new] = both.map(|d| &d.derivation);
        let mut why = explain(old, new, |path| read(path, &stores))?;
        why.notes.extend(both.iter().filter_map(|d| d.note.clone()));
        why.notes.extend(resolved(&stores));
        why.notes.dedup();
        let same = match &self.package {
            Some(package) => self.show_package(package, &mut why, both, app)?,
            None => self.show(&why, both, app)?,
        };
        Ok(if self.exit_code && !same { Exit::Differs } else { Exit::Ok })
    }

    fn layout(&self) -> Layout {
        let layout = Layout { width: terminal::width(), ..Layout::default() };
        if self.all { Layout { most: usize::MAX, ..layout } } else { layout }
    }

    /// Shows all of it; whether nothing differs.
    fn show(&self, why: &Why, both: [&Derived; 2], app: &App) -> Result<bool, Failure> {
        let layout = self.layout();
        let answer = Shown { compared: both.map(|d| &d.side), notes: None, roots: None, answer: why };
        let text =
            if self.markdown { why_text::markdown(why, layout) } else { why_text::render(why, layout) };
        self.print(&answer, &text, app)?;
        Ok(why.is_empty())
    }

    /// Shows what concerns one package; whether it does not differ.
    fn show_package(
        &self,
        package: &str,
        why: &mut Why,
        both: [&Derived; 2],
        app: &App,
    ) -> Result<bool, Failure> {
        let mut beneath = why.beneath(package);
        if both.iter().all(|d| d.built) {
            // What is rebuilt may have been needed to build only, until now.
            let (ways, notes) = built_ways(package, both, app)?;
            beneath.found(ways);
            why.notes.extend(notes);
        } else if beneath.differing == 0 {
            beneath.found(Ways::of(derived_ways(package, both)?));
        }
        let layout = self.layout();
        let text = if self.markdown {
            why_text::markdown_beneath(why, &beneath, layout)
        } else {
            let text = why_text::render_beneath(why, &beneath, layout);
            [text].into_iter().chain(why_text::notes(why, layout.width)).collect::<Vec<_>>().join("\n")
        };
        let compared = both.map(|d| &d.side);
        let (notes, roots) = (Some(&*why.notes), Some(&*why.roots));
        self.print(&Shown { compared, notes, roots, answer: &beneath }, &text, app)?;
        Ok(beneath.is_empty())
    }

    /// As JSON, or as text with the two that were compared above it.
    fn print(&self, shown: &Shown<'_, impl serde::Serialize>, text: &str, app: &App) -> Result<(), Failure> {
        if app.reporter.form() == Form::Json {
            let json =
                serde_json::to_string(shown).map_err(|e| Failure::new(Exit::Internal, e.to_string()))?;
            print(&json);
            return Ok(());
        }
        let sides = shown.compared;
        let above = if self.markdown { why_text::markdown_sides(sides) } else { why_text::sides(sides) };
        app.reporter.print(&format!("{above}\n{text}"));
        Ok(())
    }

    /// The derivation of what a person named.
    fn derive(&self, operand: Operand, app: &App) -> Result<Derived, Failure> {
        match operand {
            Operand::Flake(host) => self.evaluated(&host, app),
            Operand::Local(local) => deriver(local, app),
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
        let side = Side { named: host.shown(), path: evaluation.toplevel };
        Ok(Derived { derivation: evaluation.derivation, side, root: "/".into(), built: false, note: None })
    }

    /// Of what a host runs: as the record of its deployment says, or as the store here knows.
    fn deployed(&self, word: &str, app: &App) -> Result<Derived, Failure> {
        app.ask_password(self.sides.place.ask_sudo_password && terminal::is_there())?;
        let (name, place, escalate) = app.find(Some(word), &self.sides.place).map_err(usage)?;
        let facts = app.reach(&name, &place, escalate)?.gather(Purpose::Status)?;
        let (path, root) = (facts.triple.running, PathBuf::from("/"));
        let record = facts.status.and_then(|s| s.record).filter(|r| r.candidate == path);
        let noted = record.and_then(|r| r.spec.origin.derivation);
        let noted = noted.map(|d| StorePath::parse(&d)).transpose();
        let noted = noted.map_err(|e| Failure::new(Exit::Internal, e.to_string()))?;
        let found = format!("what {name} runs");
        match noted {
            Some(noted) => first_there(&[noted], Side { named: found, path }, root),
            None => deriver(Local { path, root, found }, app),
        }
    }
}

/// The derivation that made a path, if its file is still here.
fn deriver(local: Local, app: &App) -> Result<Derived, Failure> {
    let Local { path, root, found } = local;
    let Makers { derivations, registered, note } = derivers::makers(&root, &path, &app.here()?)?;
    let derived = first_there(&derivations, Side { named: found, path }, root)?;
    Ok(Derived { built: registered, note, ..derived })
}

/// The first of these derivations whose file is here.
fn first_there(derivations: &[StorePath], side: Side, root: PathBuf) -> Result<Derived, Failure> {
    for derivation in derivations {
        if closures::derivation(&root, derivation)?.is_some() {
            return Ok(Derived { derivation: derivation.clone(), side, root, built: false, note: None });
        }
    }
    let path = side.path.short();
    let what = match derivations.first() {
        Some(noted) => format!("{} is not here any more: the derivation of {path}", noted.short()),
        None => format!("which derivation made {path} is not known here: it was copied"),
    };
    Err(Failure::refused(what).hint("nqd diff needs no derivations; nqd why works on FLAKE#HOST and on what nqd deploy deployed from here"))
}

/// A derivation of either store.
fn read(path: &StorePath, stores: &[Derivations<'_>; 2]) -> Result<Option<Derivation>, Failure> {
    let [old, new] = stores;
    match old.read(path)? {
        None => new.read(path),
        found => Ok(found),
    }
}

/// Where Nix wrote derivations anew, what they say is compared with what others say as well as it can be.
fn resolved(stores: &[Derivations<'_>; 2]) -> Option<String> {
    let all: usize = stores.iter().map(Derivations::resolved).sum();
    (all > 0).then(|| {
        format!(
            "{} resolved when their content-addressed inputs were built; their inputs are those that made the files \
             they name",
            count(all, "derivation")
        )
    })
}

/// Who pulls a package in, by the derivations of each side.
fn derived_ways(package: &str, both: [&Derived; 2]) -> Result<[Option<Vec<String>>; 2], Failure> {
    let [old, new] = both.map(|d| {
        let store = Derivations::of(&d.root);
        why::way(&d.derivation, package, |path| store.read(path))
    });
    Ok([old?, new?])
}

/// The same, as the built systems tell.
fn built_ways(package: &str, both: [&Derived; 2], app: &App) -> Result<(Ways, Vec<String>), Failure> {
    let [a, b] = both.map(|d| sides::Found { side: d.side.clone(), from: From::Store(d.root.clone()) });
    let ([old, new], notes) = sides::closures([&a, &b], app)?;
    let lacks = |closure: &Closure, other: &Closure| way(closure, package, |path| other.get(path).is_none());
    let ways = Ways {
        lost: lacks(&old, &new),
        come: lacks(&new, &old),
        there: way(&new, package, |_| true).or_else(|| way(&old, package, |_| true)),
    };
    Ok((ways, notes))
}

/// The shortest way from a system to those paths of a package that are asked for.
fn way(closure: &Closure, package: &str, wanted: impl Fn(&StorePath) -> bool) -> Option<Vec<String>> {
    let is = |m: &&Member| {
        m.package.as_ref().is_some_and(|p| p.name == package) || name::split(m.path.name()).0 == package
    };
    let found = closure.members.iter().filter(is).filter(|m| wanted(&m.path));
    let shortest = found.map(|m| closure.way_to(&m.path)).min_by_key(Vec::len)?;
    Some(shortest.iter().map(|p| p.name().to_owned()).collect())
}
