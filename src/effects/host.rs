//! A target as it is reached: here, or by SSH.

use std::time::Duration;

use super::gather::{self, Purpose, RemoteSystem};
use super::layout;
use super::runner::{Output, Stream};
use super::shell::{command, quote};
use super::target::{OnLine, RemoteStore, Target};
use super::transport::{Place, Transport};
use crate::closure::Closure;
use crate::closure::mask;
#[cfg(feature = "operator")]
use crate::closure::{mask::Masker, system::SystemReading};
use crate::deploy::facts::TargetFacts;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::guard::Spec;
use crate::guard::protocol::Reply;
use crate::model::{StorePath, TxId};

/// Statuses with which a guard's command has given an answer.
const ANSWERS: [i32; 8] = [0, 1, 2, 10, 22, 25, 30, 75];

/// A target.
pub struct Host {
    transport: Transport,
}

impl Host {
    /// Reached by `transport`.
    pub fn new(transport: Transport) -> Self {
        Self { transport }
    }

    fn text(&self, script: &str) -> Result<String, Failure> {
        text_of(&self.transport.run(script, &[0])?)
    }

    fn disconnect(&self) {
        // Whatever is left of it ends by itself, hours after its last use.
        self.transport.disconnect().unwrap_or(());
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.disconnect();
    }
}

impl Target for Host {
    fn connect(&self) -> Result<(), Failure> {
        self.transport.connect()
    }

    fn gather(&self, purpose: Purpose) -> Result<TargetFacts, Failure> {
        gather::read_gathered(&self.text(&gather::gather_script(purpose))?)
    }

    fn describe(&self, system: &StorePath, specialisation: Option<&str>) -> Result<RemoteSystem, Failure> {
        gather::read_described(&self.text(&gather::describe_script(system, specialisation))?)
    }

    fn closure(&self, system: &StorePath) -> Result<Closure, Failure> {
        super::path_infos::closure_of(system, &self.text(&super::path_infos::script(system))?)
    }

    #[cfg(feature = "operator")]
    fn system(&self, system: &StorePath, masker: &Masker) -> Result<SystemReading, Failure> {
        use super::system_tree::{RemoteTree, read};
        read(&RemoteTree::new(&self.transport), system, masker)
    }

    fn missing(&self, paths: &[StorePath]) -> Result<Vec<StorePath>, Failure> {
        let out = self.transport.run(&gather::missing_script(paths), &[0])?;
        let invalid =
            |l: &str| StorePath::parse(l.trim()).map_err(|e| Failure::new(Exit::Internal, e.to_string()));
        text_of(&out)?.lines().map(invalid).collect()
    }

    fn has(&self, path: &StorePath) -> Result<bool, Failure> {
        Ok(self.text(&gather::absent_script(std::slice::from_ref(path)))?.trim().is_empty())
    }

    fn dry_activate(&self, system: &StorePath) -> Result<Vec<String>, Failure> {
        let script =
            command([&system.join("bin/switch-to-configuration").display().to_string(), "dry-activate"]);
        let mut said = Vec::new();
        let ended = self.transport.run_with(&script, &[0], &mut |stream, line| {
            if stream == Stream::Err || line.starts_with("would ") {
                said.push(line.to_owned());
            }
        });
        // A failure ends with the last lines of standard error.
        ended.map_err(|f| Failure { what: mask::value("", &f.what).into_owned(), ..f })?;
        Ok(said)
    }

    fn protect(&self, id: &TxId, keep: &[StorePath], copied: &[StorePath]) -> Result<(), Failure> {
        let link = |(n, p): (usize, &StorePath)| {
            format!("ln -sfn {} {}\n", quote(p.as_str()), layout::root(id, &n.to_string()).display())
        };
        let links: String = keep.iter().enumerate().map(link).collect();
        let note = if copied.is_empty() { String::new() } else { gather::note_copy(id, copied) };
        self.transport.run(&format!("set -e\nmkdir -p {}\n{links}{note}", layout::ROOTS), &[0]).map(drop)
    }

    fn release(&self, id: &TxId) -> Result<(), Failure> {
        let script = format!("rm -f {} {}/{id}", layout::root(id, "*").display(), layout::COPIES);
        self.transport.run(&script, &[0]).map(drop)
    }

    fn begin(&self, guard: &StorePath, spec: &Spec, on_line: &mut OnLine<'_>) -> Result<(), Failure> {
        let spec = serde_json::to_string(spec).map_err(|e| Failure::new(Exit::Internal, e.to_string()))?;
        let guard = quote(guard.as_str());
        let script = format!(
            "g={guard}; [ -d $g ] && g=$g/bin/nqd-guard\nexec \"$g\" begin <<'nqd-end-of-spec'\n{spec}\nnqd-end-of-spec\n"
        );
        self.transport.run_with(&script, &ANSWERS, &mut lines(on_line)).map(drop)
    }

    fn follow(&self, id: Option<&TxId>, on_line: &mut OnLine<'_>) -> Result<(), Failure> {
        let id = id.map_or("", TxId::as_str);
        let script = format!("{}\nexec {} follow {id} < /dev/null", there_is_a_guard(), layout::GUARD);
        self.transport.follow_fresh(&script, &ANSWERS, &mut lines(on_line)).map(drop)
    }

    fn confirm(&self, id: &TxId, token: &str, time: Duration) -> Result<(), Failure> {
        // The target said it, and it becomes part of a script.
        if !token.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(Failure::new(Exit::Internal, "the target's confirmation token is none"));
        }
        let script = format!("exec {} confirm {id} <<'nqd-end'\n{token}\nnqd-end\n", layout::GUARD);
        granted(&self.transport.run_fresh(&script, time)?).map(drop)
    }

    fn cancel(&self, by: &str) -> Result<String, Failure> {
        let script =
            format!("{}\nexec {} cancel --by {} < /dev/null", there_is_a_guard(), layout::GUARD, quote(by));
        granted(&self.transport.run(&script, &ANSWERS)?)
    }

    fn withdraw(&self, id: &TxId, by: &str) -> Result<String, Failure> {
        let there = there_is_a_guard();
        let script = format!("{there}\nexec {} withdraw {id} --by {} < /dev/null", layout::GUARD, quote(by));
        granted(&self.transport.run(&script, &ANSWERS)?)
    }

    fn history(&self, limit: usize) -> Result<(Vec<String>, usize), Failure> {
        let script =
            format!("{}\nexec {} history --limit {limit} < /dev/null", there_is_a_guard(), layout::GUARD);
        let text = text_of(&self.transport.run(&script, &ANSWERS)?)?;
        match text.lines().next().map(serde_json::from_str) {
            Some(Ok(Reply::Refused(failure))) => Err(failure),
            Some(Ok(Reply::Following(None))) => Ok((Vec::new(), 0)),
            Some(Ok(Reply::History { torn })) => {
                Ok((text.lines().skip(1).map(str::to_owned).collect(), torn))
            }
            _ => {
                Err(Failure::new(Exit::Internal, format!("the guard's answer cannot be understood: {text}")))
            }
        }
    }

    fn unban(&self, system: Option<&StorePath>) -> Result<Vec<StorePath>, Failure> {
        let system = system.map_or_else(String::new, |s| quote(s.as_str()));
        let script = format!("{}\nexec {} unban {system} < /dev/null", there_is_a_guard(), layout::GUARD);
        let text = text_of(&self.transport.run(&script, &ANSWERS)?)?;
        match serde_json::from_str(&text) {
            Ok(Reply::Unbanned(systems)) => Ok(systems),
            Ok(Reply::Following(None)) => Ok(Vec::new()),
            Ok(Reply::Refused(failure)) => Err(failure),
            _ => {
                Err(Failure::new(Exit::Internal, format!("the guard's answer cannot be understood: {text}")))
            }
        }
    }

    fn health(&self, guard: Option<&StorePath>) -> Result<String, Failure> {
        let guard = guard.map_or_else(|| layout::GUARD.to_owned(), |g| quote(g.as_str()));
        let script = format!("g={guard}; [ -d $g ] && g=$g/bin/nqd-guard\nexec \"$g\" health < /dev/null");
        let text = text_of(&self.transport.run(&script, &ANSWERS)?)?;
        match serde_json::from_str(&text) {
            Ok(Reply::Refused(failure)) => Err(failure),
            _ => Ok(text),
        }
    }

    fn store(&self) -> Option<RemoteStore> {
        let Place::There { address, .. } = self.transport.place() else { return None };
        let ssh_options = self.transport.nix_ssh_options()?;
        Some(RemoteStore { address: address.clone(), ssh_options })
    }

    fn login(&self) -> String {
        self.transport.login()
    }

    fn name(&self) -> String {
        match self.transport.place() {
            Place::Here => "this machine".to_owned(),
            Place::There { address, .. } => address.to_string(),
        }
    }
}

/// A line of shell that ends kindly where there never was a transaction, and refuses where one can only be seen to have
/// been.
fn there_is_a_guard() -> String {
    let none = Reply::Following(None);
    let none = quote(&serde_json::to_string(&none).unwrap_or_default());
    let (guard, journal, gone) = (layout::GUARD, layout::state("journal"), gather::guard_is_gone());
    let journal = journal.display();
    format!(
        "[ -x {guard} ] || {{ [ ! -e {journal} ] || {{ printf '%s\\n' {gone}; exit 30; }}; printf '%s\\n' {none}; exit 0; }}"
    )
}

fn text_of(out: &Output) -> Result<String, Failure> {
    out.text().map(str::to_owned).map_err(|e| Failure::new(Exit::Internal, e.to_string()))
}

fn granted(out: &Output) -> Result<String, Failure> {
    match serde_json::from_str(&text_of(out)?) {
        Ok(Reply::Granted(text)) => Ok(text),
        Ok(Reply::Refused(failure)) => Err(failure),
        Ok(Reply::Following(None)) => {
            Err(Failure::refused("there has never been a transaction on this machine"))
        }
        Ok(_) | Err(_) => {
            let said = out.stderr.last().map_or("nothing", String::as_str);
            Err(Failure::new(
                Exit::Internal,
                format!("the guard's answer cannot be understood; it said: {said}"),
            ))
        }
    }
}

/// Hands on what comes on standard output. Listening ends when the guard does; a listener that has heard enough
/// simply hears no more.
fn lines<'a>(on_line: &'a mut OnLine<'_>) -> impl FnMut(Stream, &str) + 'a {
    let mut listening = true;
    move |stream, line| {
        if stream == Stream::Out && listening {
            listening = on_line(line);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::effects::runner::Runner;
    use crate::effects::transport::Escalate;

    #[test]
    fn a_token_cannot_add_words_to_a_script() {
        let here = Host::new(Transport::new(Runner::default(), Place::Here, Escalate::No, None, false));
        let id = TxId::new("2026-11-22T06:03:01Z", [1, 2, 3]);
        let failure = here.confirm(&id, "x\nnqd-end\nreboot\n", Duration::from_secs(5)).unwrap_err();
        assert!(failure.what.contains("token is none"), "{failure}");
    }
}
