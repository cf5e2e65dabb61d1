//! The id of a transaction.

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// `YYYYMMDD-HHMMSS-xxxxxx`: UTC time and six random hexadecimal digits. Fit for unit and file names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TxId(String);

/// Why a text is not a transaction's id.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0:?} is not the id of a transaction (20261122-060301-a1b2c3)")]
pub struct TxIdError(String);

impl TxId {
    /// Makes an id from an RFC 3339 time in UTC and three random bytes.
    pub fn new(rfc3339: &str, random: [u8; 3]) -> Self {
        let digits: String =
            rfc3339.chars().filter(char::is_ascii_digit).chain("0".chars().cycle()).take(14).collect();
        let (date, time) = digits.split_at(8);
        let [a, b, c] = random;
        Self(format!("{date}-{time}-{a:02x}{b:02x}{c:02x}"))
    }

    /// Parses an id.
    pub fn parse(text: &str) -> Result<Self, TxIdError> {
        let mut parts = text.split('-');
        let mut part = |len: usize| {
            parts.next().is_some_and(|p| {
                p.len() == len && p.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
            })
        };
        if part(8) && part(6) && part(6) && parts.next().is_none() {
            Ok(Self(text.to_owned()))
        } else {
            Err(TxIdError(text.chars().take(80).collect()))
        }
    }
}

super::string_newtype!(TxId, TxIdError);

#[cfg(test)]
mod tests {
    use super::TxId;

    #[test]
    fn what_is_made_parses() {
        let id = TxId::new("2026-11-22T06:03:01Z", [0xa1, 2, 0xff]);
        assert_eq!(id.as_str(), "20261122-060301-a102ff");
        assert_eq!(TxId::parse(id.as_str()).unwrap(), id);
    }

    #[test]
    fn refuses_paths() {
        for bad in
            ["", "../../../etc", "20261122-060301", "20261122-060301-a102ff-x", "2026112x-060301-a102ff"]
        {
            assert!(TxId::parse(bad).is_err(), "{bad:?} was taken");
        }
    }
}
