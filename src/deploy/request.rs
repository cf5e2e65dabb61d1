//! What is asked for. [`Asked`] is what the command line said; [`Request`] is that with the configuration's own
//! wishes and the defaults filled in: nothing is left open.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::facts::DeployOptions;
use crate::effects::nix::BuildOn;
use crate::effects::transport::Escalate;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::guard::Options;
use crate::model::{Address, HostName, Seconds, StorePath};
use crate::nix::FlakeHost;

/// What the command line said about one host.
#[derive(Debug, Clone, PartialEq)]
pub struct Asked {
    /// How the host is called.
    pub name: HostName,
    /// What is to run there.
    pub source: Source,
    /// Where it is, if that was said.
    pub place: Option<PlaceArg>,
    /// How to become root there, if that was said.
    pub escalate: Option<Escalate>,
    /// Where to build, if that was said.
    pub build_on: Option<BuildOn>,
    /// How long the operator has to confirm, if that was said.
    pub confirm: Option<Confirm>,
    /// The rest needs no configuration.
    pub settings: Settings,
}

/// `--target-host` or `--local`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PlaceArg {
    /// This machine.
    Here,
    /// There.
    There(Address),
}

/// `--confirm-timeout` or `--no-confirm`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Confirm {
    /// Within so long.
    Within(Seconds),
    /// Nobody needs to.
    No,
}

/// What is the same for every host and no configuration can say.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Settings {
    /// Arguments for Nix, from after `--`.
    pub nix_args: Vec<String>,
    /// The specialisation to activate.
    pub specialisation: Option<String>,
    /// Whether the target fetches what it can from its own substituters.
    pub substitute_on_destination: bool,
    /// Copy before showing the plan, so that it can say what the switch would do.
    pub copy_first: bool,
    /// Deploy although the host names differ.
    pub allow_host_mismatch: bool,
    /// A guard for the target, instead of our own.
    pub guard: Option<PathBuf>,
    /// How the transaction is to be run, but for its confirmation.
    pub options: Options,
    /// `user@machine` of whoever asks.
    pub operator: String,
}

/// What is to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A host of a flake, to be evaluated and built.
    Flake(FlakeHost),
    /// A system that is, or was, in a store.
    Path(StorePath),
    /// A generation of the target's system profile.
    Generation(u64),
    /// The newest generation before the current one that names another system.
    Earlier,
}

/// How a target is reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Reach {
    /// Where; `None` is this machine.
    pub address: Option<Address>,
    /// How to become root there.
    pub escalate: Escalate,
}

/// One host to deploy, with everything decided.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// How the host is called.
    pub name: HostName,
    /// What is to run there.
    pub source: Source,
    /// How it is reached.
    pub reach: Reach,
    /// Where it is built.
    pub build_on: BuildOn,
    /// Everything else; the transaction's options are complete.
    pub settings: Settings,
}

impl Asked {
    /// Where the target is, if no configuration is needed to know it.
    pub fn early_reach(&self) -> Option<Reach> {
        let configurable = matches!(self.source, Source::Flake(_));
        let decided = self.place.is_some() && (self.escalate.is_some() || !configurable);
        (decided || !configurable).then(|| self.reach(&DeployOptions::default()).ok()).flatten()
    }

    /// Decides everything: flags, then the host's own configuration, then defaults.
    pub fn resolve(self, config: Option<&DeployOptions>) -> Result<Request, Failure> {
        let none = DeployOptions::default();
        let config = config.unwrap_or(&none);
        let reach = self.reach(config)?;
        let build_on = match (&self.build_on, &config.build_on) {
            (Some(flag), _) => flag.clone(),
            (None, Some(text)) => parse_build_on(text).map_err(|e| wrong("buildOn", &e))?,
            (None, None) => BuildOn::default(),
        };
        let mut settings = self.settings;
        settings.options.confirm = match (self.confirm, config.confirm_timeout) {
            // Nobody can be cut off from the machine that they sit at.
            _ if reach.address.is_none() => None,
            (Some(Confirm::No), _) => None,
            (Some(Confirm::Within(time)), _) => Some(time),
            (None, Some(seconds)) => {
                Some(Seconds::try_from(seconds).map_err(|e| wrong("confirmTimeout", &e))?)
            }
            (None, None) => Options::default().confirm,
        };
        Ok(Request { name: self.name, source: self.source, reach, build_on, settings })
    }

    fn reach(&self, config: &DeployOptions) -> Result<Reach, Failure> {
        let escalate = match (self.escalate, &config.escalate) {
            (Some(flag), _) => flag,
            (None, Some(word)) => parse_escalate(word)
                .ok_or_else(|| wrong("escalate", &format!("{word:?} is none of sudo, doas, run0")))?,
            (None, None) if config.sudo => Escalate::Sudo,
            (None, None) => Escalate::No,
        };
        let address = match &self.place {
            Some(PlaceArg::Here) => None,
            Some(PlaceArg::There(address)) => Some(address.clone()),
            None => {
                let host = config.target_host.as_deref().unwrap_or(self.name.as_str());
                let address = Address::parse(host).map_err(|e| wrong("targetHost", &e))?;
                let user = address.user.clone().or_else(|| config.target_user.clone());
                Some(Address { user, port: address.port.or(config.port), ..address })
            }
        };
        Ok(Reach { address, escalate })
    }
}

fn wrong(option: &str, why: &dyn std::fmt::Display) -> Failure {
    Failure::new(Exit::Evaluation, format!("quickDeploy.deploy.{option}: {why}"))
}

/// `none`, `sudo`, `doas` or `run0`.
pub fn parse_escalate(word: &str) -> Option<Escalate> {
    match word {
        "none" => Some(Escalate::No),
        "sudo" => Some(Escalate::Sudo),
        "doas" => Some(Escalate::Doas),
        "run0" => Some(Escalate::Run0),
        _ => None,
    }
}

/// `local`, `target` or `ssh://…`.
pub fn parse_build_on(word: &str) -> Result<BuildOn, String> {
    match word {
        "local" => Ok(BuildOn::Local),
        "target" => Ok(BuildOn::Target),
        url if url.starts_with("ssh://") || url.starts_with("ssh-ng://") => {
            Address::parse(url).map(|_| BuildOn::Builder(url.to_owned())).map_err(|e| e.to_string())
        }
        other => Err(format!("{other:?} is none of local, target, ssh://HOST")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nix::FlakeRef;

    fn asked() -> Asked {
        let flake = FlakeHost { flake: FlakeRef::parse(".").unwrap(), host: HostName::parse("web").unwrap() };
        Asked {
            name: flake.host.clone(),
            source: Source::Flake(flake),
            place: None,
            escalate: None,
            build_on: None,
            confirm: None,
            settings: Settings::default(),
        }
    }

    #[test]
    fn defaults_then_configuration_then_flags() {
        let r = asked().resolve(None).unwrap();
        assert_eq!(r.reach.address.unwrap().to_string(), "web");
        assert_eq!((r.build_on, r.settings.options.confirm), (BuildOn::Local, Some(Seconds::whole(60))));
        let config = DeployOptions {
            target_host: Some("web.example".into()),
            target_user: Some("deploy".into()),
            port: Some(2222),
            sudo: true,
            build_on: Some("target".into()),
            confirm_timeout: Some(90.0),
            ..DeployOptions::default()
        };
        let r = asked().resolve(Some(&config)).unwrap();
        assert_eq!(r.reach.address.as_ref().unwrap().to_string(), "deploy@web.example:2222");
        assert_eq!((r.reach.escalate, r.build_on), (Escalate::Sudo, BuildOn::Target));
        assert_eq!(r.settings.options.confirm, Some(Seconds::whole(90)));
        let flags = Asked {
            place: Some(PlaceArg::There(Address::parse("root@other").unwrap())),
            escalate: Some(Escalate::No),
            build_on: Some(BuildOn::Local),
            confirm: Some(Confirm::No),
            ..asked()
        };
        let r = flags.resolve(Some(&config)).unwrap();
        assert_eq!(r.reach.address.unwrap().to_string(), "root@other");
        assert_eq!(
            (r.reach.escalate, r.build_on, r.settings.options.confirm),
            (Escalate::No, BuildOn::Local, None)
        );
    }

    #[test]
    fn this_machine_needs_no_confirmation() {
        let r = Asked { place: Some(PlaceArg::Here), ..asked() }.resolve(None).unwrap();
        assert_eq!((r.reach.address, r.settings.options.confirm), (None, None));
    }

    #[test]
    fn the_target_is_known_early_only_if_no_configuration_can_change_it() {
        assert!(asked().early_reach().is_none());
        let there = Some(PlaceArg::There(Address::parse("root@web").unwrap()));
        assert!(Asked { place: there.clone(), ..asked() }.early_reach().is_none(), "sudo may be configured");
        assert!(Asked { place: there, escalate: Some(Escalate::No), ..asked() }.early_reach().is_some());
        assert!(Asked { source: Source::Earlier, ..asked() }.early_reach().is_some());
    }

    #[test]
    fn wrong_options_are_named() {
        let config = DeployOptions { escalate: Some("su".into()), ..DeployOptions::default() };
        assert!(asked().resolve(Some(&config)).unwrap_err().what.contains("quickDeploy.deploy.escalate"));
        assert!(parse_build_on("ssh://-oProxyCommand=x").is_err() && parse_build_on("elsewhere").is_err());
    }
}
