//! Where things lie on a target.

use std::path::{Path, PathBuf};

use crate::model::TxId;

/// What runs.
pub const RUNNING: &str = "/run/current-system";
/// What booted.
pub const BOOTED: &str = "/run/booted-system";
/// The system profile.
pub const PROFILE: &str = "/nix/var/nix/profiles/system";
/// Where generations lie.
pub const PROFILES: &str = "/nix/var/nix/profiles";
/// The switch script's own lock.
pub const SWITCH_LOCK: &str = "/run/nixos/switch-to-configuration.lock";
/// What must outlive a boot: it lies with the profiles, which outlive one even where the root is a tmpfs.
pub const STATE: &str = "/nix/var/nqd";
/// What must not outlive a boot.
pub const RUN: &str = "/run/nqd";
/// Where a running transaction can be asked for something.
pub const SOCKET: &str = "/run/nqd/ask.sock";
/// The guard that was used last: what an operator runs to ask how the machine is.
pub const GUARD: &str = "/nix/var/nqd/guard";
/// What is being copied: a file for each transaction that has not begun yet, with the boot in which it is copied and the
/// paths. Nix does not sync what it copies, so after a power cut valid paths may be empty.
pub const COPIES: &str = "/nix/var/nqd/copies";
/// Our garbage collector roots.
pub const ROOTS: &str = "/nix/var/nix/gcroots/nqd";
/// Garbage collector roots of systems that were proved. Not among those of transactions: old ones are removed there.
pub const PROVED: &str = "/nix/var/nix/gcroots/nqd-proved";
/// Where a boot loader's files may lie.
pub const BOOT_DIRS: [&str; 3] = ["/boot", "/efi", "/boot/efi"];
/// Where the firmware's variables lie, and the vendor id of the boot loader interface's.
pub const EFI_VARS: &str = "/sys/firmware/efi/efivars";
/// See `EFI_VARS`.
pub const LOADER_VENDOR: &str = "4a67b082-0a4c-41cf-b6c7-440b29bb8c4f";

/// A file of our lasting state.
pub fn state(name: &str) -> PathBuf {
    Path::new(STATE).join(name)
}

/// A file of a transaction that lasts.
pub fn of_transaction(id: &TxId, name: &str) -> PathBuf {
    Path::new(STATE).join("tx").join(id.as_str()).join(name)
}

/// A file of a transaction that goes with the boot.
pub fn of_run(id: &TxId, name: &str) -> PathBuf {
    Path::new(RUN).join(id.as_str()).join(name)
}

/// A garbage collector root of a transaction.
pub fn root(id: &TxId, name: &str) -> PathBuf {
    Path::new(ROOTS).join(format!("{id}-{name}"))
}

/// The systemd unit that runs a transaction.
pub fn guard_unit(id: &TxId) -> String {
    format!("nqd-transaction-{id}.service")
}

/// The systemd unit of a process, named by its starter's number, that finishes a transaction.
pub fn recovery_unit(id: &TxId, by: u32) -> String {
    format!("nqd-transaction-{id}-recovery-{by}.service")
}

/// The systemd unit, without suffix, of the dead man's timer.
pub fn dead_man_unit(id: &TxId) -> String {
    format!("nqd-deadman-{id}")
}

/// The start of the names of units that run switch scripts.
pub fn switch_unit(id: &TxId, n: u32) -> String {
    format!("nqd-switch-{id}-{n}.service")
}
