//! What a check looks at: one variant a kind, with the settings that its probe needs.

use std::path::PathBuf;

use regex_lite::Regex;
use serde::{Deserialize, Serialize};

use crate::model::UnitName;

/// The probe of a check. In the manifest: `{"kind": "http", "url": …}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum Kind {
    /// A systemd unit is as a unit of its type should be (DESIGN rule 9).
    Unit {
        /// With its suffix: `nginx.service`.
        unit: UnitName,
    },
    /// A GET request is answered as expected. Redirects are answers, not followed.
    Http {
        /// `http://` or `https://`.
        url: String,
        /// Accepted statuses.
        #[serde(default = "ok_status")]
        expect_status: Vec<u16>,
        /// A regular expression that must match somewhere in the first 64 KiB of the body.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        body_regex: Option<String>,
        /// Whether the certificate must be valid for the name, by the target's own list of authorities.
        #[serde(default = "yes")]
        verify_tls: bool,
    },
    /// A TCP connection is accepted.
    Tcp {
        /// Name or address.
        host: String,
        /// Port.
        port: u16,
    },
    /// A program exits with 0. It runs in a cgroup of its own, as a user that exists only for it.
    Exec {
        /// The program's absolute path and its arguments; no shell is involved.
        command: Vec<String>,
        /// Run as this user instead.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        user: Option<String>,
        /// Memory it may use.
        #[serde(default = "exec_memory")]
        memory_max_bytes: u64,
    },
    /// A file is there, and as described.
    File {
        /// Absolute.
        path: PathBuf,
        /// What it must be.
        #[serde(default)]
        is: FileType,
        /// A regular expression that must match somewhere in the first 64 KiB.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        content_regex: Option<String>,
        /// It must have been changed within so many seconds.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        max_age_seconds: Option<u64>,
    },
    /// A file system has room.
    Disk {
        /// A path on it.
        path: PathBuf,
        /// Largest part of the blocks in use, as `df` counts.
        #[serde(default = "disk_percent")]
        max_used_percent: u8,
        /// Largest part of the inodes in use; file systems without inodes pass.
        #[serde(default = "disk_percent")]
        max_inodes_percent: u8,
    },
}

/// What a [`Kind::File`] must be, links followed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FileType {
    /// Anything that exists.
    #[default]
    Any,
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A socket.
    Socket,
}

fn ok_status() -> Vec<u16> {
    vec![200]
}
fn yes() -> bool {
    true
}
fn exec_memory() -> u64 {
    256 << 20
}
fn disk_percent() -> u8 {
    90
}

impl Kind {
    /// The word in the manifest.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Unit { .. } => "unit",
            Self::Http { .. } => "http",
            Self::Tcp { .. } => "tcp",
            Self::Exec { .. } => "exec",
            Self::File { .. } => "file",
            Self::Disk { .. } => "disk",
        }
    }

    /// What is wrong with the settings, if anything.
    pub fn fault(&self) -> Option<String> {
        match self {
            Self::Unit { .. } => None,
            Self::Http { url, expect_status, body_regex, .. } => {
                let scheme = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://"));
                if scheme.is_none_or(|rest| rest.is_empty() || rest.starts_with('/'))
                    || url.contains(char::is_whitespace)
                {
                    return Some(format!("url {url:?} is not http://… or https://…"));
                }
                if expect_status.is_empty() || expect_status.iter().any(|s| !(100..600).contains(s)) {
                    return Some("expectStatus must hold statuses from 100 to 599".to_owned());
                }
                regex_fault("bodyRegex", body_regex.as_deref())
            }
            Self::Tcp { host, port } => {
                if host.is_empty() || host.contains(char::is_whitespace) {
                    Some(format!("host {host:?} is not a name or an address"))
                } else {
                    (*port == 0).then(|| "port must not be 0".to_owned())
                }
            }
            Self::Exec { command, .. } => match command.first() {
                Some(program) if program.starts_with('/') => None,
                _ => Some("command must start with an absolute path".to_owned()),
            },
            Self::File { path, content_regex, .. } => {
                absolute(path).or_else(|| regex_fault("contentRegex", content_regex.as_deref()))
            }
            Self::Disk { path, max_used_percent, max_inodes_percent } => absolute(path).or_else(|| {
                (*max_used_percent > 100 || *max_inodes_percent > 100)
                    .then(|| "a percentage is at most 100".to_owned())
            }),
        }
    }
}

fn absolute(path: &std::path::Path) -> Option<String> {
    (!path.is_absolute()).then(|| format!("path {} is not absolute", path.display()))
}

fn regex_fault(field: &str, regex: Option<&str>) -> Option<String> {
    regex.and_then(|r| Regex::new(r).err()).map(|e| format!("{field} is not a regular expression: {e}"))
}
