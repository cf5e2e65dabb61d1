//! `postgres`: a PostgreSQL server answers, and what a database has of extensions can be used.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::words;

/// See the module.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Postgres {
    /// The absolute path of psql.
    pub program: PathBuf,
    /// Where the server's socket lies.
    #[serde(default = "socket_directory")]
    pub socket_directory: PathBuf,
    /// The port, which is part of the socket's name.
    #[serde(default = "port")]
    pub port: u16,
    /// Who asks, by the same name on the machine and in the server.
    #[serde(default = "postgres")]
    pub user: String,
    /// The database that is asked.
    #[serde(default = "postgres")]
    pub database: String,
    /// Extensions that the database must have, and whose libraries must load.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub extensions: Vec<String>,
}

fn socket_directory() -> PathBuf {
    PathBuf::from("/run/postgresql")
}
fn port() -> u16 {
    5432
}
fn postgres() -> String {
    "postgres".to_owned()
}

impl Postgres {
    pub(super) fn fault(&self) -> Option<String> {
        words::absolute("program", &self.program)
            .or_else(|| words::absolute("socketDirectory", &self.socket_directory))
            .or_else(|| words::port(self.port))
            .or_else(|| words::plain("user", &self.user))
            // psql takes a name with a `=` or `://` for a whole connection string.
            .or_else(|| words::plain("database", &self.database))
            .or_else(|| self.extensions.iter().find_map(|e| words::plain("extension", e)))
    }
}
