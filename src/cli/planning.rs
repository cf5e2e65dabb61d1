//! What `plan`, `deploy` and `rollback` share: gathering, planning, showing, asking, executing.

use std::io::{IsTerminal, Write, stderr, stdin};
use std::path::Path;
use std::time::Duration;

use crate::app::App;
use crate::closure::system::diff::Given;
use crate::closure::system::{Actions, Comparison, SystemReading};
use crate::deploy::execute::Executor;
use crate::deploy::gather::{Tools, gather};
use crate::deploy::plan::Kind;
use crate::deploy::request::Reach;
use crate::deploy::{Asked, Plan, plan};
use crate::effects::nix::Nix;
use crate::effects::nix_cli::NixCli;
use crate::effects::system_tree::{self, LocalTree};
use crate::effects::target::Target;
use crate::effects::terminal;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::guard::Outcome;
use crate::model::HostName;
use crate::report::event::Event;
use crate::report::reporter::Form;
use crate::report::{plan_text, system_text};

/// Time between two attempts to reach a machine.
pub(super) const RETRY: Duration = Duration::from_millis(500);

/// A host whose plan is made, and the connection over which that was done.
pub(super) struct Planned {
    pub plan: Plan,
    pub target: Box<dyn Target>,
}

/// Plans every host; one that fails does not keep the others from being planned. Failures are shown.
pub(super) fn plan_all(app: &App, asked: Vec<Asked>) -> (Vec<Planned>, Vec<Exit>) {
    let (mut planned, mut failed) = (Vec::new(), Vec::new());
    for one in asked {
        let name = one.name.clone();
        match plan_one(app, one) {
            Ok(p) => planned.push(p),
            Err(failure) => {
                app.reporter.fail(Some(&name), &failure);
                failed.push(failure.exit);
            }
        }
    }
    (planned, failed)
}

fn plan_one(app: &App, asked: Asked) -> Result<Planned, Failure> {
    let name = asked.name.clone();
    let tell = |event| app.reporter.tell(Some(&name), event);
    let nix = NixCli::new(app.runner(&name), &tell);
    let connect = |reach: &Reach| app.target(&name, reach);
    let tools = Tools { nix: &nix, target: &connect, tell: &tell };
    let (request, facts, target) = gather(&tools, asked)?;
    let plan = plan(&request, &facts)?;
    app.remember(&name, &plan.reach)?;
    Ok(Planned { plan, target })
}

/// Shows plans: as text, or as events.
pub(super) fn show<'a>(app: &App, plans: impl IntoIterator<Item = &'a Plan>) -> Result<(), Failure> {
    let json = app.reporter.form() == Form::Json;
    let with_system = |plan: &'a Plan| Ok((plan, if json { None } else { system(plan)? }));
    let plans = plans.into_iter().map(with_system).collect::<Result<Vec<_>, Failure>>()?;
    for (plan, text) in plan_text::render_all(&plans, terminal::width()) {
        let value = serde_json::to_value(plan).map_err(|e| Failure::new(Exit::Internal, e.to_string()))?;
        app.reporter.tell(Some(&plan.name), Event::Plan { plan: value });
        app.reporter.print(&text);
    }
    Ok(())
}

/// What else changes in the system, where what runs is in the store here too; `nqd diff HOST FLAKE#HOST` asks the
/// machine itself.
fn system(plan: &Plan) -> Result<Option<String>, Failure> {
    if plan.kind != Kind::Switch {
        return Ok(None);
    }
    let masker = system_tree::masker().map_err(|e| Failure::new(Exit::Internal, e.to_string()))?;
    let read = |system| system_tree::read(&LocalTree::new(Path::new("/")), system, &masker);
    let (old, new) = (read(&plan.start.running)?, read(&plan.activate)?);
    if !matches!((&old, &new), (SystemReading::Facts(_), SystemReading::Facts(_))) {
        return Ok(None);
    }
    // What restarts the plan tells by itself, from the machine.
    let given = Given { actions: Some(Actions::default()), ..Given::default() };
    let mut compared = Comparison::of(&old, &new, given);
    if let Comparison::Compared(diff) = &mut compared {
        diff.forget_unknown();
        if diff.is_empty() {
            return Ok(None);
        }
    }
    let text = system_text::render(&compared, terminal::width().saturating_sub(2));
    Ok(Some(text.lines().map(|l| format!("  {l}")).collect::<Vec<_>>().join("\n")))
}

/// Asks whether to go on. Without a terminal there is nobody who could say yes.
pub(super) fn confirm(app: &App, plans: &[&Plan], yes: bool) -> Result<(), Failure> {
    let nothing = plans.iter().all(|p| p.kind == Kind::Nothing);
    if yes || nothing {
        return Ok(());
    }
    if !stdin().is_terminal() || !stderr().is_terminal() {
        let what = "nobody can be asked whether to deploy this: there is no terminal";
        return Err(Failure::refused(what).hint("--yes answers the question"));
    }
    app.reporter.pause();
    let names: Vec<&str> =
        plans.iter().filter(|p| p.kind != Kind::Nothing).map(|p| p.name.as_str()).collect();
    let io = |e: std::io::Error| Failure::refused(format!("the answer could not be read: {e}"));
    write!(stderr(), "Deploy {}? [y/N] ", names.join(", ")).and_then(|()| stderr().flush()).map_err(io)?;
    let answer = terminal::answer(&|| app.stopped()).map_err(io)?;
    match answer.as_deref().map(str::trim) {
        Some("y" | "Y" | "yes") => Ok(()),
        None => Err(Failure::refused("interrupted; nothing was changed")),
        _ => Err(Failure::refused("declined")),
    }
}

/// Executes plans one after another and shows how each ended.
pub(super) fn execute_all(app: &App, planned: Vec<Planned>, saved: bool, patience: Duration) -> Vec<Exit> {
    let one = |Planned { plan, target }| {
        let ended = if app.stopped() {
            Err(Failure::refused("interrupted; nothing was changed"))
        } else {
            execute(app, &plan, target.as_ref(), (saved, patience))
        };
        conclude(app, &plan.name, ended)
    };
    planned.into_iter().map(one).collect()
}

fn execute(
    app: &App,
    plan: &Plan,
    target: &dyn Target,
    (saved, patience): (bool, Duration),
) -> Result<Outcome, Failure> {
    let tell = |event| app.reporter.tell(Some(&plan.name), event);
    let nix = NixCli::new(app.runner(&plan.name), &tell);
    let interrupted = || app.interrupted();
    let executor = Executor {
        nix: &nix,
        target,
        tell: &tell,
        interrupted: &interrupted,
        saved,
        operator: &app.operator,
        patience,
        retry: RETRY,
    };
    let outcome = executor.execute(plan, &app.new_id()?)?;
    let here = plan.derivation.as_ref().filter(|_| matches!(outcome.exit, Exit::Ok | Exit::Degraded));
    // `nqd why` needs it next time. The deployment is over, whatever becomes of this.
    if let Some(Err(failure)) = here.map(|d| nix.keep(d, plan.name.as_str())) {
        tell(Event::Warning { text: format!("nqd why may not work next time: {failure}") });
    }
    if plan.kind == Kind::Nothing {
        tell(Event::Outcome { outcome: outcome.clone() });
    }
    Ok(outcome)
}

/// Shows the end of one host's transaction: the last line says what the machine runs, what it boots, and why.
pub(super) fn conclude(app: &App, name: &HostName, ended: Result<Outcome, Failure>) -> Exit {
    match ended {
        Ok(outcome) => {
            let colour = if outcome.exit == Exit::Ok { console::Color::Green } else { console::Color::Red };
            let summary = crate::model::text::printable(&outcome.summary(), false);
            app.reporter.print(&format!("{}: {summary}", console::style(name.as_str()).fg(colour).bold()));
            outcome.exit
        }
        Err(failure) => {
            app.reporter.fail(Some(name), &failure);
            failure.exit
        }
    }
}
