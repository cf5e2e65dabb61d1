//! What `switch-to-configuration dry-activate` prints (nixpkgs, switch-to-configuration-ng, `do_system_switch`; the Perl
//! one before 25.11 says the same).

use super::actions::{Actions, Source};
use crate::closure::mask::Masker;

/// What is said before a list of units.
const LISTS: [(&str, Slot); 5] = [
    ("would stop the following units: ", |a| &mut a.stop),
    ("would NOT stop the following changed units: ", |a| &mut a.left_alone),
    ("would reload the following units: ", |a| &mut a.reload),
    ("would restart the following units: ", |a| &mut a.restart),
    ("would start the following units: ", |a| &mut a.start),
];

type Slot = fn(&mut Actions) -> &mut std::collections::BTreeSet<String>;

/// Reads its lines. What activation scripts say in between is kept, masked.
pub fn parse<S: AsRef<str>>(lines: &[S], masker: &Masker) -> Actions {
    let mut actions = Actions { source: Source::DryActivate, ..Actions::default() };
    for line in lines.iter().map(|l| l.as_ref().trim_end()) {
        let list = LISTS.iter().find_map(|(says, slot)| Some((line.strip_prefix(says)?, slot)));
        match (line, list) {
            (_, Some((units, slot))) => {
                slot(&mut actions).extend(units.split(", ").filter(|u| !u.is_empty()).map(str::to_owned));
            }
            ("would restart systemd", _) => actions.reexec = true,
            ("" | "would activate the configuration...", _) => {}
            _ => actions.said.push(masker.mask(line).text),
        }
    }
    actions.joined()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_nixos_prints() {
        let said = [
            "would stop the following units: a.service, gone.service, x.socket",
            "would NOT stop the following changed units: display-manager.service",
            "would activate the configuration...",
            "would stop swap device: /dev/sda2",
            "would make user token=abcdefgh",
            "would restart systemd",
            "would reload the following units: dbus.service",
            "would restart the following units: sshd.service",
            "would start the following units: a.service, x.socket, new.timer",
        ];
        let actions = parse(&said, &Masker::new([0; 32]));
        insta::assert_json_snapshot!(actions, @r#"
{
  "source": "dry-activate",
  "stop": [
    "gone.service"
  ],
  "restart": [
    "a.service",
    "sshd.service",
    "x.socket"
  ],
  "reload": [
    "dbus.service"
  ],
  "start": [
    "new.timer"
  ],
  "leftAlone": [
    "display-manager.service"
  ],
  "reexec": true,
  "said": [
    "would stop swap device: /dev/sda2",
    "would make user token=‹masked›"
  ]
}
"#);
        assert!(parse::<&str>(&[], &Masker::new([0; 32])).is_empty());
    }
}
