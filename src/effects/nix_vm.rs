//! A host's virtual machine by Nix's command line.

use super::nix_cli::{NixCli, text_of};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::gate::replaced::{EVALUATE, Evaluated};
use crate::nix::FlakeHost;
use crate::report::event::Stage;

impl NixCli<'_> {
    /// Evaluates a host for its VM, once.
    pub fn evaluate_vm(&self, host: &FlakeHost, args: &[String]) -> Result<Evaluated, Failure> {
        let doing = format!("evaluating the VM of {}", host.shown());
        let cmd = Self::nix(&["eval", "--json", "--apply", EVALUATE]).args(args).arg(host.installable());
        let out = self.watched(&cmd, (Stage::Evaluate, Exit::Evaluation), &doing)?;
        serde_json::from_str(text_of(&out)?).map_err(|e| {
            Failure::new(Exit::Evaluation, format!("{doing}: this is no NixOS configuration: {e}"))
        })
    }
}
