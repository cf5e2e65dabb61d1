//! A store's own database, read and never written. Its tables are Nix's (`src/libstore/schema.sql`), unchanged since
//! 2.0; their version stands in a file beside it.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags, OptionalExtension, Statement};
use thiserror::Error;

use super::files;
use crate::closure::Graph;
use crate::model::StorePath;

/// The versions of the tables that are known to have what is read here.
const SCHEMAS: [&str; 1] = ["10"];

/// Why a store's database cannot be used. Whoever gets one of the first kind may ask Nix instead.
#[derive(Debug, Error)]
pub enum DbError {
    /// It cannot be opened or read: no such file, no right to, or a write-ahead log that would have to be replayed.
    #[error("the store's database {path} cannot be read: {why}")]
    Unreadable {
        /// Its file.
        path: PathBuf,
        /// What `SQLite` or the system says.
        why: String,
    },
    /// The path is not registered: a garbage collector may have taken it, or it lies in another store.
    #[error("{path} is not registered in the store {}", root.display())]
    Unregistered {
        /// The path.
        path: StorePath,
        /// Under what the store lies.
        root: PathBuf,
    },
    /// A row is not what Nix writes.
    #[error("the store's database is damaged: {0}")]
    Damaged(String),
}

/// The database of the store under a root: `/` for the system's own.
pub struct StoreDb {
    connection: Connection,
    root: PathBuf,
}

/// Where a store's database lies.
fn file(root: &Path) -> PathBuf {
    root.join("nix/var/nix/db/db.sqlite")
}

impl StoreDb {
    /// Opens it. All that is read later is of one moment.
    pub fn open(root: &Path) -> Result<Self, DbError> {
        let path = file(root);
        let unreadable = |why: String| DbError::Unreadable { path: path.clone(), why };
        let schema = files::read_text(&path.with_file_name("schema"), 64);
        let schema: Option<String> = schema.map_err(|e: io::Error| unreadable(e.to_string()))?;
        match schema.as_deref().map(str::trim) {
            Some(schema) if SCHEMAS.contains(&schema) => {}
            Some(other) => return Err(unreadable(format!("its tables are of version {other}"))),
            None => return Err(unreadable("it does not say which version its tables are of".to_owned())),
        }
        // Never `immutable`: that would not see what was registered last.
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let open = || {
            let connection = Connection::open_with_flags(&path, flags)?;
            connection.busy_timeout(std::time::Duration::from_secs(10))?;
            // One transaction: without it every query takes the locks anew, a hundred times the system calls.
            connection.execute_batch("BEGIN; SELECT 1 FROM ValidPaths LIMIT 1;")?;
            Ok(connection)
        };
        let connection = open().map_err(|e: rusqlite::Error| unreadable(e.to_string()))?;
        Ok(Self { connection, root: root.to_owned() })
    }

    /// The graph of everything that these paths need, and which node each of them is.
    pub fn graph(&self, roots: &[&StorePath]) -> Result<(Graph, Vec<u32>), DbError> {
        let mut walk = Walk::new(&self.connection).map_err(damaged)?;
        let mut numbers = Vec::new();
        for root in roots {
            let unregistered = || DbError::Unregistered { path: (*root).clone(), root: self.root.clone() };
            let id = self.id(root).map_err(damaged)?.ok_or_else(unregistered)?;
            numbers.push(walk.number(id));
        }
        walk.run()?;
        Ok((walk.graph, numbers))
    }

    fn id(&self, path: &StorePath) -> rusqlite::Result<Option<i64>> {
        let mut query = self.connection.prepare_cached("SELECT id FROM ValidPaths WHERE path = ?")?;
        query.query_row([path.as_str()], |row| row.get(0)).optional()
    }

    /// The derivations that a path may have been built by: the one that was noted, then all that have it as an output.
    pub fn derivers(&self, path: &StorePath) -> Result<Vec<StorePath>, DbError> {
        let derivers = || -> rusqlite::Result<Vec<String>> {
            let db = &self.connection;
            let mut noted = db.prepare_cached("SELECT deriver FROM ValidPaths WHERE path = ?")?;
            let noted: Option<Option<String>> =
                noted.query_row([path.as_str()], |row| row.get(0)).optional()?;
            let mut others = db.prepare_cached(
                "SELECT p.path FROM DerivationOutputs d JOIN ValidPaths p ON p.id = d.drv WHERE d.path = ?",
            )?;
            let others =
                others.query_map([path.as_str()], |row| row.get(0))?.collect::<Result<Vec<_>, _>>()?;
            Ok(noted.flatten().into_iter().chain(others).collect())
        };
        let texts = derivers().map_err(damaged)?;
        texts.iter().map(|t| StorePath::parse(t).map_err(damaged)).collect()
    }

    /// The noted deriver alone; faster than [`Self::derivers`].
    pub fn deriver(&self, path: &StorePath) -> Result<Option<StorePath>, DbError> {
        let noted = || -> rusqlite::Result<Option<Option<String>>> {
            let mut query =
                self.connection.prepare_cached("SELECT deriver FROM ValidPaths WHERE path = ?")?;
            query.query_row([path.as_str()], |row| row.get(0)).optional()
        };
        let text = noted().map_err(damaged)?.flatten();
        text.map(|t| StorePath::parse(&t).map_err(damaged)).transpose()
    }
}

fn damaged(e: impl std::fmt::Display) -> DbError {
    DbError::Damaged(e.to_string())
}

/// Breadth first over the references, by the database's own numbers.
struct Walk<'db> {
    references: Statement<'db>,
    info: Statement<'db>,
    numbers: HashMap<i64, u32>,
    queue: Vec<i64>,
    graph: Graph,
}

impl<'db> Walk<'db> {
    fn new(db: &'db Connection) -> rusqlite::Result<Self> {
        Ok(Self {
            references: db.prepare("SELECT reference FROM Refs WHERE referrer = ?")?,
            info: db.prepare("SELECT path, narSize FROM ValidPaths WHERE id = ?")?,
            numbers: HashMap::with_capacity(8192),
            queue: Vec::with_capacity(8192),
            graph: Graph::default(),
        })
    }

    fn number(&mut self, id: i64) -> u32 {
        let next = u32::try_from(self.queue.len()).unwrap_or(u32::MAX);
        let number = *self.numbers.entry(id).or_insert(next);
        if number == next {
            self.queue.push(id);
        }
        number
    }

    fn run(&mut self) -> Result<(), DbError> {
        let mut at = 0;
        while let Some(&id) = self.queue.get(at) {
            let (path, size) = self
                .info
                .query_row([id], |row| {
                    let path = row.get_ref(0)?.as_str()?;
                    Ok((StorePath::parse(path).map_err(|e| e.to_string()), row.get::<_, Option<i64>>(1)?))
                })
                .map_err(damaged)?;
            let references = self.referenced(id).map_err(damaged)?;
            let size = u64::try_from(size.unwrap_or(0)).map_err(damaged)?;
            self.graph.add(path.map_err(DbError::Damaged)?, size, references);
            at += 1;
        }
        Ok(())
    }

    fn referenced(&mut self, id: i64) -> rusqlite::Result<Vec<u32>> {
        let ids = {
            let mut rows = self.references.query([id])?;
            let mut ids = Vec::new();
            while let Some(row) = rows.next()? {
                ids.push(row.get::<_, i64>(0)?);
            }
            ids
        };
        Ok(ids.into_iter().map(|id| self.number(id)).collect())
    }
}
