//! How a host's virtual machine was, for people.

use super::health_text;
use crate::exit::Exit;
use crate::gate::Trial;
use crate::model::text::printable;

/// The checks, what was not tried, the console's end unless all was well, and in the last line what it comes to.
pub fn render(trial: &Trial) -> String {
    let examined = trial.examination.iter().map(health_text::render);
    let replaced = trial.replaced.iter().flatten().map(|what| format!("  not as on the machine: {what}"));
    let console = trial.console_end.iter().map(|l| format!("  | {}", printable(l, false)));
    let head = (!trial.console_end.is_empty()).then(|| "the last lines of its console:".to_owned());
    let kept = trial.console.as_ref().map(|file| format!("its console: {file}"));
    let colour = match trial.verdict {
        Exit::Ok => console::Color::Green,
        Exit::Degraded => console::Color::Yellow,
        _ => console::Color::Red,
    };
    let name = console::style(trial.host.as_str()).fg(colour).bold();
    let last = format!("{name}: {} ({:.1} s)", printable(&trial.summary(), true), trial.seconds);
    examined
        .chain(replaced)
        .chain(head)
        .chain(console)
        .chain(kept)
        .chain([last])
        .collect::<Vec<_>>()
        .join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::VERSION;
    use crate::health::examination::Examination;
    use crate::health::{CheckReport, Level, Standing};
    use crate::model::{HostName, StorePath};

    fn trial() -> Trial {
        let check = |name: &str, standing, message: &str| CheckReport {
            name: name.into(),
            level: Level::Required,
            baseline: None,
            standing,
            message: message.into(),
        };
        let examination = Examination {
            v: 1,
            at: "2026-11-22T06:03:01Z".into(),
            host: "web".into(),
            system: StorePath::parse("/nix/store/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-nixos-system-web-1")
                .unwrap(),
            verdict: Exit::Unhealthy,
            checks: vec![
                check("a", Standing::Passing, "ok"),
                check("site", Standing::Failing, "http 500 \x1b[2J"),
            ],
        };
        Trial {
            v: VERSION,
            host: HostName::parse("web").unwrap(),
            vm: "/nix/store/x".into(),
            verdict: Exit::Unhealthy,
            why: None,
            examination: Some(examination),
            replaced: Some(vec!["disks: the VM's own, not those of /".into()]),
            seconds: 12.34,
            console: Some("/home/a/.local/state/nqd/vm/web.log".into()),
            console_end: vec!["web.service: failed".into()],
        }
    }

    #[test]
    fn unhealthy() {
        console::set_colors_enabled(false);
        insta::assert_snapshot!(render(&trial()), @r"
        web: unhealthy; runs aaaaaaa-nixos-system-web-1
          pass    a: ok
          FAIL    site: http 500 \u{1b}[2J
          not as on the machine: disks: the VM's own, not those of /
        the last lines of its console:
          | web.service: failed
        its console: /home/a/.local/state/nqd/vm/web.log
        web: not healthy in its VM: check site http 500 \u{1b}[2J (12.3 s)
        ");
    }

    #[test]
    fn nothing_known() {
        console::set_colors_enabled(false);
        let unknown = Trial {
            verdict: Exit::Inconclusive,
            why: Some("it wrote no record within its time".into()),
            examination: None,
            replaced: None,
            console: None,
            console_end: Vec::new(),
            ..trial()
        };
        insta::assert_snapshot!(render(&unknown), @"web: nothing is known from its VM: it wrote no record within its time (12.3 s)");
    }
}
