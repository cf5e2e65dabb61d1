//! `http`: a GET request is answered as expected. Redirects are answers, not followed.

use serde::{Deserialize, Serialize};

use super::words;

/// See the module.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Http {
    /// `http://` or `https://`.
    pub url: String,
    /// Accepted statuses.
    #[serde(default = "ok_status")]
    pub expect_status: Vec<u16>,
    /// A regular expression that must match somewhere in the first 64 KiB of the body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body_regex: Option<String>,
    /// Whether the certificate must be valid for the name, by the target's own list of authorities.
    #[serde(default = "yes")]
    pub verify_tls: bool,
}

fn ok_status() -> Vec<u16> {
    vec![200]
}
fn yes() -> bool {
    true
}

impl Http {
    pub(super) fn fault(&self) -> Option<String> {
        if self.expect_status.is_empty() || self.expect_status.iter().any(|s| !(100..600).contains(s)) {
            return Some("expectStatus must hold statuses from 100 to 599".to_owned());
        }
        words::url(&self.url).or_else(|| words::regex("bodyRegex", self.body_regex.as_deref()))
    }
}
