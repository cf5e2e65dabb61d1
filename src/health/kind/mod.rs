//! What a check looks at: one variant a kind, one file for the settings of each. Names and defaults are those of
//! docs/FORMATS.md.

pub mod container;
pub mod disk;
pub mod dns;
pub mod exec;
pub mod file;
pub mod http;
pub mod journal;
pub mod load;
pub mod mcp;
pub mod memory;
pub mod postgres;
pub mod tcp;
mod words;

use serde::{Deserialize, Serialize};

pub use container::Container;
pub use disk::Disk;
pub use dns::Dns;
pub use exec::Exec;
pub use file::{File, FileType};
pub use http::Http;
pub use journal::Journal;
pub use load::Load;
pub use mcp::Mcp;
pub use memory::Memory;
pub use postgres::Postgres;
pub use tcp::Tcp;

use crate::model::UnitName;

/// The probe of a check. In the manifest: `{"kind": "http", "url": …}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Kind {
    /// A systemd unit is as a unit of its type should be (DESIGN rule 9).
    Unit {
        /// With its suffix: `nginx.service`.
        unit: UnitName,
    },
    /// A GET request is answered as expected.
    Http(Http),
    /// A TCP connection is accepted.
    Tcp(Tcp),
    /// A TCP connection is not accepted.
    PortClosed(Tcp),
    /// A program exits with 0.
    Exec(Exec),
    /// A file is there, and as described.
    File(File),
    /// A file system has room.
    Disk(Disk),
    /// The processors are not overloaded.
    Load(Load),
    /// Memory is left.
    Memory(Memory),
    /// A name has an address.
    Dns(Dns),
    /// A pattern does not appear in the journal.
    Journal(Journal),
    /// A container runs.
    Container(Container),
    /// A PostgreSQL server answers, and its extensions can be used.
    Postgres(Postgres),
    /// An MCP server answers and lists its tools.
    Mcp(Mcp),
}

impl Kind {
    /// The word in the manifest.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Unit { .. } => "unit",
            Self::Http(_) => "http",
            Self::Tcp(_) => "tcp",
            Self::PortClosed(_) => "port-closed",
            Self::Exec(_) => "exec",
            Self::File(_) => "file",
            Self::Disk(_) => "disk",
            Self::Load(_) => "load",
            Self::Memory(_) => "memory",
            Self::Dns(_) => "dns",
            Self::Journal(_) => "journal",
            Self::Container(_) => "container",
            Self::Postgres(_) => "postgres",
            Self::Mcp(_) => "mcp",
        }
    }

    /// What is wrong with the settings, if anything.
    pub fn fault(&self) -> Option<String> {
        match self {
            Self::Unit { .. } => None,
            Self::Http(http) => http.fault(),
            Self::Tcp(tcp) | Self::PortClosed(tcp) => tcp.fault(),
            Self::Exec(exec) => exec.fault(),
            Self::File(file) => file.fault(),
            Self::Disk(disk) => disk.fault(),
            Self::Load(load) => load.fault(),
            Self::Memory(memory) => memory.fault(),
            Self::Dns(dns) => dns.fault(),
            Self::Journal(journal) => journal.fault(),
            Self::Container(container) => container.fault(),
            Self::Postgres(postgres) => postgres.fault(),
            Self::Mcp(mcp) => mcp.fault(),
        }
    }
}
