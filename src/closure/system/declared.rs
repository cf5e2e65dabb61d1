//! What our NixOS module declares about a system in `etc/nqd/system.json` (docs/FORMATS.md): what its files do not say.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::facts::Known;
use crate::model::text;

/// The version that is read.
const VERSION: u64 = 1;

/// The file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Declared {
    /// `networking.hostName`.
    pub host_name: Known<String>,
    /// Nix's name of the platform.
    pub system: Known<String>,
    /// The firewall; `None` inside is a firewall that is off.
    pub firewall: Known<Option<Firewall>>,
}

/// The ports that the firewall leaves open.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Firewall {
    /// On every interface.
    #[serde(flatten)]
    pub everywhere: Ports,
    /// In addition, on these.
    #[serde(default)]
    pub interfaces: BTreeMap<String, Ports>,
}

/// Open ports.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ports {
    /// TCP.
    #[serde(default)]
    pub tcp: BTreeSet<u16>,
    /// UDP.
    #[serde(default)]
    pub udp: BTreeSet<u16>,
    /// TCP, both ends included.
    #[serde(default)]
    pub tcp_ranges: BTreeSet<Range>,
    /// UDP, both ends included.
    #[serde(default)]
    pub udp_ranges: BTreeSet<Range>,
}

/// Several ports, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Range {
    /// The first.
    pub from: u16,
    /// The last.
    pub to: u16,
}

impl Declared {
    /// Reads the file; the error says why it says nothing.
    pub fn parse(json: &str) -> Result<Self, String> {
        let file: Value =
            serde_json::from_str(json).map_err(|e| format!("etc/nqd/system.json is no JSON: {e}"))?;
        let version = file.get("version").and_then(Value::as_u64);
        if version != Some(VERSION) {
            let found = version.map_or("none".to_owned(), |v| v.to_string());
            return Err(format!("etc/nqd/system.json has version {found}, and this nqd reads {VERSION}"));
        }
        Ok(Self {
            host_name: field(&file, "hostName")?,
            system: field(&file, "system")?,
            // Null is a firewall that is off; absent is not.
            firewall: field(&file, "firewall")?,
        })
    }
}

fn field<T: serde::de::DeserializeOwned>(file: &Value, name: &str) -> Result<Known<T>, String> {
    let Some(value) = file.get(name) else {
        return Ok(Known::NotKnown(format!("etc/nqd/system.json has no `{name}`")));
    };
    // What is wrong may be quoted, and be as long as the file.
    let wrong = |e: serde_json::Error| text::short(format!("`{name}` in etc/nqd/system.json: {e}"));
    let value = T::deserialize(value).map_err(wrong)?;
    Ok(Known::Known(value))
}

impl Firewall {
    /// Each opening as people write it: `tcp 80`, `udp 60000-61000`, `tcp 22 on wg0`.
    pub fn openings(&self) -> BTreeSet<String> {
        let everywhere = self.everywhere.words();
        let on =
            self.interfaces.iter().flat_map(|(name, p)| p.words().map(move |w| format!("{w} on {name}")));
        everywhere.chain(on).collect()
    }
}

impl Ports {
    fn words(&self) -> impl Iterator<Item = String> {
        let one = |kind: &'static str| move |p: &u16| format!("{kind} {p}");
        let many = |kind: &'static str| move |r: &Range| format!("{kind} {}-{}", r.from, r.to);
        let tcp = self.tcp.iter().map(one("tcp")).chain(self.tcp_ranges.iter().map(many("tcp")));
        tcp.chain(self.udp.iter().map(one("udp"))).chain(self.udp_ranges.iter().map(many("udp")))
    }
}
