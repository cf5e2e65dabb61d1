//! What systemd says of a unit, and whether that is as it should be (DESIGN rule 9).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::ProbeResult;
use crate::model::UnitName;

/// Every loaded unit by name.
pub type Units = BTreeMap<UnitName, UnitState>;

/// The properties asked of `systemctl show`, in one list for both the call and the parser.
pub const PROPERTIES: &str = "Id,LoadState,ActiveState,SubState,Result,Type,NRestarts,InvocationID,\
ExecMainStatus,ConditionResult,ConditionTimestampMonotonic,UnitFileState,TriggeredBy";

/// The state of one unit. Field names are systemd's properties; see systemctl(1) and org.freedesktop.systemd1(5).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UnitState {
    /// `loaded`, `not-found`…
    pub load: String,
    /// `active`, `inactive`, `failed`, `activating`…
    pub active: String,
    /// `running`, `exited`, `auto-restart`…
    pub sub: String,
    /// `success`, `exit-code`, `start-limit-hit`…
    pub result: String,
    /// A service's `Type`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Automatic restarts so far, of a service that was asked for them.
    pub restarts: Option<u32>,
    /// One for each start.
    pub invocation: String,
    /// Exit status of the last main process; 0 while one runs.
    pub main_status: i32,
    /// Whether the last start's conditions held.
    pub condition: bool,
    /// Whether they were ever looked at. A start that they prevent gets no invocation id.
    #[serde(default)]
    pub condition_seen: bool,
    /// `static` units and those that something else starts may rest.
    pub rests: bool,
}

impl UnitState {
    /// Failed, or being restarted after a failure, as switch-to-configuration too sees it.
    pub fn trouble(&self) -> Option<Trouble> {
        if self.active == "failed" {
            return Some(Trouble::Failed);
        }
        (self.sub.starts_with("auto-restart") && self.main_status != 0).then_some(Trouble::Restarting)
    }

    /// What an explicit check of this unit says.
    pub fn probe(&self, name: &UnitName) -> ProbeResult {
        let state = format!("{} ({})", self.active, self.sub);
        if self.load == "not-found" {
            return ProbeResult::fail("there is no such unit");
        }
        match (self.active.as_str(), self.trouble()) {
            (_, Some(_)) => ProbeResult::fail(format!("{state}, result {}", self.result)),
            ("active", _) => self.active(name, &state),
            ("inactive", _) => self.inactive(name, &state),
            _ => ProbeResult::pending(state),
        }
    }

    fn active(&self, name: &UnitName, state: &str) -> ProbeResult {
        let watched = name.suffix() == "service" && self.sub == "running";
        let pass = ProbeResult::pass(state);
        if watched {
            pass.with_fingerprint(format!("{} {}", self.invocation, self.restarts.unwrap_or(0)))
        } else {
            pass
        }
    }

    fn inactive(&self, name: &UnitName, state: &str) -> ProbeResult {
        let may_rest = self.rests || self.kind == "oneshot";
        if !self.condition && self.condition_seen {
            ProbeResult::pass(format!("{state}: skipped, a condition does not hold"))
        } else if name.suffix() == "service" && may_rest && self.result == "success" {
            ProbeResult::pass(format!("{state} with success"))
        } else {
            ProbeResult::fail(format!("{state}, result {}", self.result))
        }
    }
}

/// In which way a unit is in trouble.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// It stays as it is.
    Failed,
    /// systemd starts it again; it may come up yet.
    Restarting,
}

/// Parses `systemctl show '*' --property=…`: blocks of `Key=Value` with a blank line between two. Units whose names
/// are none (systemd lists some devices so) are left out, as they can be in no check and in no unit file.
pub fn parse_show(text: &str) -> Units {
    text.split("\n\n").filter_map(parse_block).collect()
}

/// Parses `systemctl list-units --plain --no-legend --full`: name, load, active and sub state, description.
pub fn parse_list(text: &str) -> Units {
    let unit = |line: &str| {
        let mut words = line.split_whitespace().map(str::to_owned);
        let name = UnitName::parse(&words.next()?).ok()?;
        let (load, active, sub) = (words.next()?, words.next()?, words.next()?);
        Some((name, UnitState { load, active, sub, ..UnitState::default() }))
    };
    text.lines().filter_map(unit).collect()
}

fn parse_block(block: &str) -> Option<(UnitName, UnitState)> {
    let mut name = None;
    let mut unit = UnitState::default();
    for (key, value) in block.lines().filter_map(|l| l.split_once('=')) {
        match key {
            "Id" => name = UnitName::parse(value).ok(),
            "LoadState" => value.clone_into(&mut unit.load),
            "ActiveState" => value.clone_into(&mut unit.active),
            "SubState" => value.clone_into(&mut unit.sub),
            "Result" => value.clone_into(&mut unit.result),
            "Type" => value.clone_into(&mut unit.kind),
            "NRestarts" => unit.restarts = value.parse().ok(),
            "InvocationID" => value.clone_into(&mut unit.invocation),
            "ExecMainStatus" => unit.main_status = value.parse().unwrap_or(0),
            "ConditionTimestampMonotonic" => unit.condition_seen = value != "0",
            "ConditionResult" => unit.condition = value == "yes",
            "UnitFileState" => unit.rests |= value == "static" || value == "indirect",
            "TriggeredBy" => unit.rests |= !value.is_empty(),
            _ => {}
        }
    }
    name.map(|n| (n, unit))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::ProbeStatus;

    fn unit(active: &str, sub: &str) -> UnitState {
        UnitState {
            load: "loaded".into(),
            active: active.into(),
            sub: sub.into(),
            result: "success".into(),
            kind: "simple".into(),
            condition: true,
            invocation: "1".into(),
            ..UnitState::default()
        }
    }

    #[test]
    fn explicit_checks_of_every_kind_of_unit() {
        use ProbeStatus::{Fail, Pass, Pending};
        let oneshot = |s| UnitState { kind: "oneshot".into(), ..s };
        let failed = |s| UnitState { result: "exit-code".into(), main_status: 1, ..s };
        let rows = [
            ("a.service", unit("active", "running"), Pass),
            ("a.service", unit("active", "exited"), Pass),
            ("a.service", unit("activating", "start"), Pending),
            ("a.service", unit("reloading", "reload"), Pending),
            ("a.service", unit("inactive", "dead"), Fail),
            ("a.service", UnitState { rests: true, ..unit("inactive", "dead") }, Pass),
            ("a.service", failed(UnitState { rests: true, ..unit("inactive", "dead") }), Fail),
            (
                "a.service",
                UnitState {
                    condition: false,
                    condition_seen: true,
                    invocation: String::new(),
                    ..unit("inactive", "dead")
                },
                Pass,
            ),
            ("a.service", oneshot(unit("inactive", "dead")), Pass),
            ("a.service", oneshot(failed(unit("failed", "failed"))), Fail),
            ("a.service", failed(unit("activating", "auto-restart")), Fail),
            ("a.service", unit("activating", "auto-restart"), Pending),
            ("a.timer", unit("active", "waiting"), Pass),
            ("a.timer", unit("inactive", "dead"), Fail),
            ("a.timer", UnitState { rests: true, ..unit("inactive", "dead") }, Fail),
            ("a.socket", unit("active", "listening"), Pass),
            ("a.service", UnitState { load: "not-found".into(), ..unit("inactive", "dead") }, Fail),
        ];
        for (name, state, expected) in rows {
            let got = state.probe(&UnitName::parse(name).unwrap());
            assert_eq!(got.status, expected, "{name} {state:?}: {got:?}");
        }
    }

    #[test]
    fn parses_the_list_of_units() {
        let text = "dbus.service loaded active running D-Bus System Message Bus\nx\ngone.mount not-found inactive dead gone.mount\n";
        let units = parse_list(text);
        assert_eq!(units.len(), 2);
        let dbus = &units[&UnitName::parse("dbus.service").unwrap()];
        assert_eq!((dbus.active.as_str(), dbus.sub.as_str(), dbus.restarts), ("active", "running", None));
    }

    #[test]
    fn parses_what_systemctl_prints() {
        let text = "Type=notify\nResult=success\nNRestarts=2\nExecMainStatus=0\nId=dbus.service\nLoadState=loaded\n\
            ActiveState=active\nSubState=running\nUnitFileState=static\nConditionResult=yes\nInvocationID=abc\n\
            TriggeredBy=dbus.socket\n\nId=-.mount\nActiveState=active\nSubState=mounted\n";
        let units = parse_show(text);
        assert_eq!(units.len(), 2);
        let dbus = &units[&UnitName::parse("dbus.service").unwrap()];
        assert_eq!((dbus.restarts.unwrap(), dbus.rests, dbus.active.as_str()), (2, true, "active"));
    }
}
