//! What `nqd test` and `nqd deploy --vm-test` share: a host's VM is evaluated, built, booted and listened to.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::app::App;
use crate::deploy::gather::staged;
use crate::effects::nix::{BuildOn, Nix};
use crate::effects::nix_cli::NixCli;
use crate::effects::scratch::Disks;
use crate::effects::vm::{Booted, Vm, Watcher, console};
use crate::effects::{clock, env, files};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::gate::{self, Said, Trial, VERSION, read};
use crate::model::{HostName, StorePath};
use crate::nix::FlakeHost;
use crate::report::event::{Event, Stage};

/// Lines of the console that are shown of a VM that is not healthy.
const CONSOLE: usize = 25;
/// Bytes of the console that are kept.
const CONSOLE_LIMIT: u64 = 64 << 20;

/// How a VM is tried.
#[derive(Debug, Clone)]
pub(super) struct How {
    /// From its start to its record.
    pub time: Duration,
    /// Whether its disk, console and record stay where they are.
    pub keep: bool,
    /// Where its console's log goes, instead of the usual place.
    pub console: Option<PathBuf>,
}

/// A VM that is built.
pub(super) struct Built {
    pub host: HostName,
    pub vm: PathBuf,
    pub replaced: Option<Vec<String>>,
    /// The derivation of the host's own system, as it was evaluated.
    pub derivation: Option<StorePath>,
}

/// Evaluates and builds a host's VM. A host whose VM would tell nothing is refused.
pub(super) fn build(app: &App, host: &FlakeHost, args: &[String]) -> Result<Built, Failure> {
    let tell = |event| app.reporter.tell(Some(&host.host), event);
    let nix = NixCli::new(app.runner(&host.host), &tell);
    let evaluated = staged(&tell, Stage::Evaluate, || nix.evaluate_vm(host, args))?;
    if !evaluated.enabled {
        let what = format!("{host} has no nqd-guard in it, so its VM could not say how it is");
        return Err(Failure::refused(what)
            .hint("import nixosModules.default into its configuration and set quickDeploy.enable = true"));
    }
    let internal = |e: crate::model::store_path::StorePathError| Failure::new(Exit::Internal, e.to_string());
    let Some(vm) = evaluated.vm.as_deref().map(StorePath::parse).transpose().map_err(internal)? else {
        return Err(Failure::refused(format!("{host} has no config.system.build.vm")));
    };
    let built =
        staged(&tell, Stage::Build, || nix.build(&vm, &BuildOn::Local, args, &format!("{}-vm", host.host)))?;
    Ok(Built {
        host: host.host.clone(),
        vm: built.as_path().to_owned(),
        replaced: Some(evaluated.replaced()),
        derivation: evaluated.toplevel.as_deref().map(StorePath::parse).transpose().map_err(internal)?,
    })
}

/// Boots a VM and says how it is.
pub(super) fn try_it(app: &App, built: Built, how: &How) -> Result<Trial, Failure> {
    let cannot = |e: std::io::Error| Failure::refused(format!("the VM cannot be run: {e}"));
    let vm = Vm::open(&built.vm).map_err(|e| {
        let what = format!("{} is no VM: {e}", built.vm.display());
        Failure::refused(what).hint("config.system.build.vm makes one")
    })?;
    let mut disks = Disks::new().map_err(cannot)?;
    if how.keep {
        disks.keep();
        let text = format!("its disk, console and record are kept in {}", disks.path().display());
        app.reporter.tell(Some(&built.host), Event::Notice { text });
    }
    let started = clock::start();
    let tell = |event| app.reporter.tell(Some(&built.host), event);
    let booted = staged(&tell, Stage::Test, || {
        let watcher = Watcher {
            observer: Some(app.observer(&built.host)),
            console: &|line| tell(Event::Output { line: gate::console::line(line) }),
            stopped: &|| app.stopped(),
        };
        vm.boot(&disks, how.time, &watcher).map_err(cannot)
    })?;
    let seconds = started.elapsed().as_secs_f64();
    let console = Console::save(app, &built.host, disks.path(), how)?;
    let Booted::Said(said) = booted else {
        return Err(Failure::refused("interrupted: the VM was killed, nothing is known"));
    };
    Ok(judge(built, &vm, &said, seconds, console))
}

fn judge(built: Built, vm: &Vm, said: &Said, seconds: f64, console: Console) -> Trial {
    let (verdict, examination, why) = match read(said, vm.system()) {
        Ok(examination) => (examination.verdict, Some(examination), None),
        Err(why) => {
            let by_hand = format!("{why}\nby hand: {}", vm.program().display());
            let why = if matches!(said, Said::Ended { .. }) { by_hand } else { why };
            (Exit::Inconclusive, None, Some(why))
        }
    };
    let console_end = if verdict == Exit::Ok { Vec::new() } else { console.end };
    Trial {
        v: VERSION,
        host: built.host,
        vm: built.vm.display().to_string(),
        verdict,
        why,
        examination,
        replaced: built.replaced,
        seconds: (seconds * 10.0).round() / 10.0,
        console: console.file.map(|f| f.display().to_string()),
        console_end,
    }
}

/// What a VM's console said.
struct Console {
    /// Where all of it is.
    file: Option<PathBuf>,
    /// Its last lines.
    end: Vec<String>,
}

impl Console {
    /// Saves it where it was asked for, else in the home there is, if there is one.
    fn save(app: &App, host: &HostName, disks: &Path, how: &How) -> Result<Self, Failure> {
        let usual = || env::state_dir().map(|dir| dir.join("vm").join(format!("{host}.log")));
        let file = how.console.clone().or_else(usual);
        let log = files::read_bytes(&console(disks), CONSOLE_LIMIT);
        let log = log.map_err(|e| Failure::refused(format!("the VM's console: {e}")))?.unwrap_or_default();
        let end = gate::console::end(&log, CONSOLE);
        let saved = file.as_ref().map(|file| {
            file.parent().map_or(Ok(()), files::make_dirs)?;
            files::write_durable(file, &log, 0o600)
        });
        match (saved, &how.console) {
            (Some(Err(e)), Some(_)) => {
                Err(Failure::refused(format!("the VM's console cannot be saved: {e}")))
            }
            // Nobody asked for it: the verdict is worth more.
            (Some(Err(e)), None) => {
                let text = format!("the VM's console is not saved: {e}");
                app.reporter.tell(Some(host), Event::Warning { text });
                Ok(Self { file: None, end })
            }
            _ => Ok(Self { file, end }),
        }
    }
}
