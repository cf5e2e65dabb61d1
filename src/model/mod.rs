//! The words of the domain, each with a constructor that refuses what is not one.

pub mod address;
pub mod boot_default;
pub mod boot_proof;
pub mod described;
pub mod generation;
pub mod host_name;
pub mod store_path;
pub mod system;
pub mod text;
pub mod time;
pub mod triple;
pub mod tx_id;
pub mod unit_name;

pub use address::Address;
pub use boot_default::BootDefault;
pub use described::{Described, InstalledGuard};
pub use generation::Generation;
pub use host_name::HostName;
pub use store_path::StorePath;
pub use system::System;
pub use time::{BootId, BootTime, Seconds};
pub use triple::Triple;
pub use tx_id::TxId;
pub use unit_name::UnitName;

/// Implements the conversions of a newtype over `String` whose `parse` validates.
macro_rules! string_newtype {
    ($name:ident, $error:ty) => {
        impl $name {
            /// The text as it was parsed.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl std::str::FromStr for $name {
            type Err = $error;
            fn from_str(s: &str) -> Result<Self, Self::Err> {
                Self::parse(s)
            }
        }
        impl TryFrom<String> for $name {
            type Error = $error;
            fn try_from(s: String) -> Result<Self, Self::Error> {
                Self::parse(&s)
            }
        }
        impl From<$name> for String {
            fn from(v: $name) -> Self {
                v.as_str().to_owned()
            }
        }
    };
}
pub(crate) use string_newtype;
