//! Building checks while others are still evaluated.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use super::{Became, Checked, Found};
use crate::effects::clock;
use crate::failure::Failure;
use crate::model::StorePath;

/// Takes a check that was evaluated.
pub type Hand<'a> = dyn Fn(Found) + Sync + 'a;

/// What checks are evaluated and built with.
pub struct Works<'a> {
    /// Evaluates all checks and hands each over as soon as it is there. An error is about those of which it said
    /// nothing.
    pub evaluate: &'a (dyn Fn(&Hand<'_>) -> Result<(), Failure> + Sync),
    /// Builds one.
    pub build: &'a (dyn Fn(&str, &StorePath) -> Became + Sync),
    /// How many are built at once.
    pub jobs: usize,
    /// Whether somebody has asked us to stop.
    pub stopped: &'a (dyn Fn() -> bool + Sync),
}

/// A check that waits for its builder.
type Waiting = (String, StorePath);

/// Runs the checks of these names; `told` hears of each when it is over. One that fails keeps no other from being run,
/// and of each name something is known in the end: what the evaluation did not speak of was not evaluated.
pub fn run(names: &[String], works: &Works<'_>, told: &mut dyn FnMut(&Checked)) -> Vec<Checked> {
    let (to_builders, waiting) = channel::<Waiting>();
    let (results, over) = channel::<Checked>();
    let (waiting, mut checked) = (Mutex::new(waiting), BTreeMap::new());
    let ended = thread::scope(|scope| {
        for _ in 0..works.jobs.max(1) {
            let (waiting, results) = (&waiting, results.clone());
            scope.spawn(move || build_all(works, waiting, &results));
        }
        let evaluation = scope.spawn(move || evaluate(works, &to_builders, &results));
        for one in over {
            told(&one);
            checked.insert(one.name.clone(), one);
        }
        evaluation.join().unwrap_or_else(|_| Some("a thread of our own has panicked".to_owned()))
    });
    let seen: BTreeSet<String> = checked.keys().cloned().collect();
    for name in names.iter().filter(|n| !seen.contains(*n)) {
        let one = without(name, missing(ended.as_deref(), (works.stopped)()));
        told(&one);
        checked.insert(name.clone(), one);
    }
    checked.into_values().collect()
}

/// Hands what is evaluated to the builders; why the evaluation ended before its end, if it did.
fn evaluate(works: &Works<'_>, to_builders: &Sender<Waiting>, results: &Sender<Checked>) -> Option<String> {
    // Nobody listens any more only once everything is over.
    let hand_over = |(name, made): Found| match made {
        Ok(derivation) => to_builders.send((name, derivation)).unwrap_or(()),
        Err(why) => results.send(without(&name, Became::NotEvaluated { why })).unwrap_or(()),
    };
    (works.evaluate)(&hand_over).err().map(|failure| failure.to_string())
}

fn build_all(works: &Works<'_>, waiting: &Mutex<Receiver<Waiting>>, results: &Sender<Checked>) {
    // The lock is held while waiting: who comes next waits for it instead.
    let next = || waiting.lock().ok()?.recv().ok();
    while let Some((name, derivation)) = next() {
        let started = clock::start();
        let became = if (works.stopped)() {
            Became::NotRun { why: "interrupted".to_owned() }
        } else {
            (works.build)(&name, &derivation)
        };
        let time = started.elapsed();
        results.send(Checked { name, derivation: Some(derivation), became, time }).unwrap_or(());
    }
}

fn without(name: &str, became: Became) -> Checked {
    Checked { name: name.to_owned(), derivation: None, became, time: Duration::ZERO }
}

/// What is said of a check that the evaluation did not speak of.
fn missing(ended: Option<&str>, stopped: bool) -> Became {
    match ended {
        _ if stopped => Became::NotRun { why: "interrupted".to_owned() },
        Some(why) => Became::NotEvaluated { why: why.to_owned() },
        None => Became::NotEvaluated { why: "the evaluator ended without a word about it".to_owned() },
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

    use super::*;
    use crate::exit::Exit;

    fn drv() -> StorePath {
        StorePath::parse("/nix/store/vakjsx50nwzqhr3axzyw5c2b7k3fwy1p-a.drv").unwrap()
    }

    fn names(all: &[&str]) -> Vec<String> {
        all.iter().map(|n| (*n).to_owned()).collect()
    }

    fn words(checked: &[Checked]) -> String {
        let word = |c: &Checked| match &c.became {
            Became::Passed => format!("{} passed", c.name),
            Became::Failed { why, .. } => format!("{} failed: {why}", c.name),
            Became::NotEvaluated { why } => format!("{} not evaluated: {why}", c.name),
            Became::NotRun { why } => format!("{} not run: {why}", c.name),
        };
        checked.iter().map(word).collect::<Vec<_>>().join("; ")
    }

    fn build(name: &str, _: &StorePath) -> Became {
        if name == "bad" { Became::Failed { why: "no".into(), log: Vec::new() } } else { Became::Passed }
    }

    #[test]
    fn one_that_fails_hides_no_other() {
        let evaluate = |found: &Hand<'_>| {
            found(("broken".into(), Err("undefined variable".into())));
            found(("bad".into(), Ok(drv())));
            found(("good".into(), Ok(drv())));
            Ok(())
        };
        let works = Works { evaluate: &evaluate, build: &build, jobs: 2, stopped: &|| false };
        let mut told = 0;
        let checked = run(&names(&["bad", "broken", "good"]), &works, &mut |_| told += 1);
        assert_eq!(words(&checked), "bad failed: no; broken not evaluated: undefined variable; good passed");
        assert_eq!(told, 3);
    }

    #[test]
    fn what_an_evaluator_does_not_speak_of_was_not_evaluated() {
        let silent = |found: &Hand<'_>| {
            found(("a".into(), Ok(drv())));
            Ok(())
        };
        let works = Works { evaluate: &silent, build: &build, jobs: 1, stopped: &|| false };
        let checked = run(&names(&["a", "b"]), &works, &mut |_| {});
        assert_eq!(words(&checked), "a passed; b not evaluated: the evaluator ended without a word about it");
        let dies = |found: &Hand<'_>| {
            found(("a".into(), Ok(drv())));
            Err(Failure::new(Exit::Evaluation, "killed by signal 9").hint("less memory"))
        };
        let works = Works { evaluate: &dies, ..works };
        let checked = run(&names(&["a", "b"]), &works, &mut |_| {});
        assert_eq!(words(&checked), "a passed; b not evaluated: killed by signal 9\nhint: less memory");
    }

    #[test]
    fn builds_begin_before_the_evaluation_ends() {
        let (sender, answer) = channel();
        let (sender, answer) = (Mutex::new(sender), Mutex::new(answer));
        let evaluate = |found: &Hand<'_>| {
            found(("first".into(), Ok(drv())));
            // Only a builder at work meanwhile can answer.
            answer.lock().unwrap().recv_timeout(Duration::from_secs(20)).unwrap();
            Ok(())
        };
        let build = |_: &str, _: &StorePath| {
            sender.lock().unwrap().send(()).unwrap();
            Became::Passed
        };
        let works = Works { evaluate: &evaluate, build: &build, jobs: 1, stopped: &|| false };
        assert_eq!(words(&run(&names(&["first"]), &works, &mut |_| {})), "first passed");
    }

    #[test]
    fn after_ctrl_c_nothing_more_is_begun() {
        let (stopped, builds) = (AtomicBool::new(false), AtomicUsize::new(0));
        let evaluate = |found: &Hand<'_>| {
            for name in ["a", "b", "c"] {
                found((name.into(), Ok(drv())));
            }
            Ok(())
        };
        let build = |_: &str, _: &StorePath| {
            builds.fetch_add(1, Ordering::Relaxed);
            stopped.store(true, Ordering::Relaxed);
            Became::Passed
        };
        let works = Works {
            evaluate: &evaluate,
            build: &build,
            jobs: 1,
            stopped: &|| stopped.load(Ordering::Relaxed),
        };
        let checked = run(&names(&["a", "b", "c", "d"]), &works, &mut |_| {});
        assert_eq!(
            words(&checked),
            "a passed; b not run: interrupted; c not run: interrupted; d not run: interrupted"
        );
        assert_eq!(builds.load(Ordering::Relaxed), 1);
    }
}
