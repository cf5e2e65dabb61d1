//! A Nix system: processor and kernel, `x86_64-linux`.

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The platform a toplevel is for, as its file `system` says.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct System(String);

/// Why a text is not a system.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0:?} is not a Linux system such as x86_64-linux")]
pub struct SystemError(String);

impl System {
    /// Parses `<cpu>-linux`.
    pub fn parse(text: &str) -> Result<Self, SystemError> {
        let text = text.trim_end_matches('\n');
        let cpu = text.strip_suffix("-linux").unwrap_or_default();
        if !cpu.is_empty() && cpu.len() < 32 && cpu.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
            Ok(Self(text.to_owned()))
        } else {
            Err(SystemError(text.chars().take(80).collect()))
        }
    }

    /// The system an ELF file runs on, from the first 20 bytes of it; `None` for what is no ELF file we know.
    pub fn of_elf(head: &[u8]) -> Option<Self> {
        let magic = head.get(..4)? == b"\x7fELF";
        let little = *head.get(5)? == 1;
        let machine = u16::from_le_bytes([*head.get(18)?, *head.get(19)?]);
        // Numbers: elf(5), e_machine.
        let cpu = match machine {
            62 => "x86_64",
            183 => "aarch64",
            243 => "riscv64",
            3 => "i686",
            _ => return None,
        };
        (magic && little).then(|| Self(format!("{cpu}-linux")))
    }
}

super::string_newtype!(System, SystemError);

#[cfg(test)]
mod tests {
    use super::System;

    #[test]
    fn parses_with_the_trailing_newline_nixos_may_leave() {
        assert_eq!(System::parse("x86_64-linux\n").unwrap().as_str(), "x86_64-linux");
        for bad in ["", "linux", "-linux", "x86_64-darwin", "a b-linux"] {
            assert!(System::parse(bad).is_err(), "{bad:?} was taken");
        }
    }

    #[test]
    fn reads_elf_headers() {
        let mut head = *b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x03\0\x3e\0";
        assert_eq!(System::of_elf(&head).unwrap().as_str(), "x86_64-linux");
        head[18] = 183;
        assert_eq!(System::of_elf(&head).unwrap().as_str(), "aarch64-linux");
        assert_eq!(System::of_elf(b"#!/bin/sh\n"), None);
    }
}
