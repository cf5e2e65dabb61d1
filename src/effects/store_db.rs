//! A store's own database, read and never written. Its tables are Nix's (`src/libstore/schema.sql`), unchanged since
//! 2.0; their version stands in a file beside it.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::Duration;

use rusqlite::types::Value;
use rusqlite::vtab::array::{Array, load_module};
use rusqlite::{Connection, OpenFlags, OptionalExtension, Row};
use thiserror::Error;

use super::files;
use crate::closure::{Graph, Node};
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
    /// Reads paths while the other reads references: most of the time goes into copying pages.
    second: Connection,
    root: PathBuf,
}

/// Where a store's database lies.
fn file(root: &Path) -> PathBuf {
    root.join("nix/var/nix/db/db.sqlite")
}

/// How often it is tried to find a moment in which nothing is written.
const ATTEMPTS: usize = 100;

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
        let open = || Ok([connect(&path)?, connect(&path)?]);
        let [connection, second] = open().map_err(|e: rusqlite::Error| unreadable(e.to_string()))?;
        for _ in 0..ATTEMPTS {
            if at_once(&connection, &second).map_err(|e| unreadable(e.to_string()))? {
                return Ok(Self { connection, second, root: root.to_owned() });
            }
        }
        Err(unreadable("it is being written to all the time".to_owned()))
    }

    /// The graph of everything that these paths need, and which node each of them is.
    pub fn graph(&mut self, roots: &[&StorePath]) -> Result<(Graph, Vec<u32>), DbError> {
        let mut ids = Vec::new();
        for root in roots {
            let unregistered = || DbError::Unregistered { path: (*root).clone(), root: self.root.clone() };
            ids.push(self.id(root).map_err(damaged)?.ok_or_else(unregistered)?);
        }
        let mut walk = Walk::default();
        let numbers = ids.into_iter().map(|id| walk.number(id)).collect();
        let (connection, second) = (&self.connection, &mut self.second);
        let (sender, levels) = mpsc::channel();
        let nodes = thread::scope(|scope| {
            let reader = scope.spawn(move || nodes(second, &levels));
            let walked = walk.run(connection, &sender);
            drop(sender);
            let nodes = reader.join().map_err(|_| damaged("reading it panicked"))??;
            walked.map_err(damaged).map(|()| nodes)
        })?;
        Ok((walk.graph(nodes)?, numbers))
    }

    fn id(&self, path: &StorePath) -> rusqlite::Result<Option<i64>> {
        let mut query = self.connection.prepare("SELECT id FROM ValidPaths WHERE path = ?")?;
        query.query_row([path.as_str()], |row| row.get(0)).optional()
    }

    /// Whether a path is registered.
    pub fn has(&self, path: &StorePath) -> Result<bool, DbError> {
        Ok(self.id(path).map_err(damaged)?.is_some())
    }

    /// All derivations that may have made a path: the one that was noted, then those that have it as an output.
    pub fn makers(&self, path: &StorePath) -> Result<Vec<StorePath>, DbError> {
        let noted = || -> rusqlite::Result<Option<Option<String>>> {
            let mut query = self.connection.prepare("SELECT deriver FROM ValidPaths WHERE path = ?")?;
            query.query_row([path.as_str()], |row| row.get(0)).optional()
        };
        let noted = noted().map_err(damaged)?.flatten().filter(|d| !d.is_empty());
        let noted = noted.map(|t| StorePath::parse(&t).map_err(damaged)).transpose()?;
        Ok(noted.into_iter().chain(self.derivers(&[path])?.into_iter().flatten()).collect())
    }

    /// The derivations that have these paths as outputs; what was noted when they were built is not among them.
    pub fn derivers(&self, paths: &[&StorePath]) -> Result<Vec<Vec<StorePath>>, DbError> {
        let query = "SELECT d.path, p.path FROM rarray(?) w CROSS JOIN DerivationOutputs d ON d.path = w.value \
            CROSS JOIN ValidPaths p ON p.id = d.drv";
        let wanted: Array = Rc::new(paths.iter().map(|p| Value::Text(p.to_string())).collect());
        let mut query = self.connection.prepare(query).map_err(damaged)?;
        let mut rows = query.query([wanted]).map_err(damaged)?;
        let mut found = vec![Vec::new(); paths.len()];
        let mut at = 0;
        while let Some(row) = rows.next().map_err(damaged)? {
            let [path, maker] = [0, 1].map(|n| row.get_ref(n).map_err(damaged)?.as_str().map_err(damaged));
            let (path, maker) = (path?, maker?);
            // They come in the order in which they were asked for.
            while paths.get(at).is_some_and(|p| p.as_str() != path) {
                at += 1;
            }
            found
                .get_mut(at)
                .ok_or_else(|| damaged("an answer that was not asked for"))?
                .push(StorePath::parse(maker).map_err(damaged)?);
        }
        Ok(found)
    }
}

fn damaged(e: impl std::fmt::Display) -> DbError {
    DbError::Damaged(e.to_string())
}

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    // Never `immutable`: that would not see what was registered last.
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(Duration::from_secs(10))?;
    // KiB of pages. They are read in order: keeping more costs more than reading a few of them again.
    connection.pragma_update(None, "cache_size", -640)?;
    load_module(&connection)?;
    Ok(connection)
}

/// Begins a transaction on both, without which every query would take the locks anew. Whether both see the same:
/// nothing was written between the first's look before the second began, and its own beginning.
fn at_once(first: &Connection, second: &Connection) -> rusqlite::Result<bool> {
    const BEGIN: &str = "BEGIN; SELECT 1 FROM ValidPaths LIMIT 1;";
    let version = || first.pragma_query_value(None, "data_version", |row| row.get::<_, i64>(0));
    let before = version()?;
    second.execute_batch(BEGIN)?;
    first.execute_batch(BEGIN)?;
    if version()? == before {
        return Ok(true);
    }
    first.execute_batch("ROLLBACK")?;
    second.execute_batch("ROLLBACK")?;
    Ok(false)
}

/// The database's numbers of rows, spread by one multiplication: they are counted up, nobody chooses them.
#[derive(Default)]
struct ById(u64);

impl Hasher for ById {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_i64(i64::from(*byte));
        }
    }

    fn write_i64(&mut self, id: i64) {
        self.0 = (self.0 ^ id.cast_unsigned()).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}

/// Breadth first over the references, by the database's own numbers, a whole level at a time: what lies side by side
/// in the database is read side by side.
#[derive(Default)]
struct Walk {
    numbers: HashMap<i64, u32, BuildHasherDefault<ById>>,
    ids: Vec<i64>,
    references: Vec<Vec<u32>>,
}

impl Walk {
    fn number(&mut self, id: i64) -> u32 {
        let next = u32::try_from(self.ids.len()).unwrap_or(u32::MAX);
        let number = *self.numbers.entry(id).or_insert(next);
        if number == next {
            self.ids.push(id);
        }
        number
    }

    /// Hands on each level before what it refers to is read.
    fn run(&mut self, db: &Connection, levels: &Sender<Vec<i64>>) -> rusqlite::Result<()> {
        const QUERY: &str =
            "SELECT r.referrer, r.reference FROM rarray(?) w CROSS JOIN Refs r ON r.referrer = w.value";
        let mut query = db.prepare(QUERY)?;
        let mut done = 0;
        while done < self.ids.len() {
            let mut level = self.ids.split_at(done).1.to_vec();
            done = self.ids.len();
            level.sort_unstable();
            let wanted = array(&level);
            // The other thread stops listening only if it fails, and then that is what is reported.
            levels.send(level).unwrap_or(());
            self.references.resize_with(done, Vec::new);
            let mut rows = query.query([wanted])?;
            // One referrer after another.
            let (mut from, mut list) = (None, Vec::new());
            while let Some(row) = rows.next()? {
                let referrer = row.get_ref(0)?.as_i64()?;
                if from != Some(referrer) {
                    self.refers(from.replace(referrer), &mut list);
                }
                list.push(self.number(row.get_ref(1)?.as_i64()?));
            }
            self.refers(from, &mut list);
        }
        Ok(())
    }

    /// Notes to what a path refers, and empties the list.
    fn refers(&mut self, from: Option<i64>, list: &mut Vec<u32>) {
        let place = from.and_then(|id| self.numbers.get(&id)).map(|n| *n as usize);
        if let Some(references) = place.and_then(|at| self.references.get_mut(at)) {
            references.extend_from_slice(list);
        }
        list.clear();
    }

    fn graph(mut self, found: Vec<(i64, Node)>) -> Result<Graph, DbError> {
        let mut nodes: Vec<Option<Node>> = vec![None; self.ids.len()];
        for (id, node) in found {
            if let Some(place) = self.numbers.get(&id).and_then(|n| nodes.get_mut(*n as usize)) {
                *place = Some(node);
            }
        }
        let nodes: Option<Vec<Node>> = nodes.into_iter().collect();
        let nodes = nodes.ok_or_else(|| damaged("it refers to a path that it does not have"))?;
        self.references.resize_with(nodes.len(), Vec::new);
        Ok(Graph { nodes, references: self.references })
    }
}

/// What the database says of each path, by its number.
fn nodes(db: &mut Connection, levels: &Receiver<Vec<i64>>) -> Result<Vec<(i64, Node)>, DbError> {
    let query = "SELECT id, path, narSize, deriver FROM rarray(?) w CROSS JOIN ValidPaths ON id = w.value";
    let mut query = db.prepare(query).map_err(damaged)?;
    let mut found = Vec::with_capacity(4096);
    for level in levels {
        let mut rows = query.query([array(&level)]).map_err(damaged)?;
        while let Some(row) = rows.next().map_err(damaged)? {
            found.push(node(row)?);
        }
    }
    Ok(found)
}

fn node(row: &Row<'_>) -> Result<(i64, Node), DbError> {
    let parse = |text: &str| StorePath::parse(text).map_err(damaged);
    let read = || -> rusqlite::Result<_> {
        let [id, path, size, deriver] = [row.get_ref(0)?, row.get_ref(1)?, row.get_ref(2)?, row.get_ref(3)?];
        Ok((id.as_i64()?, path.as_str()?, size.as_i64_or_null()?, deriver.as_str_or_null()?))
    };
    let (id, path, size, deriver) = read().map_err(damaged)?;
    let nar_size = u64::try_from(size.unwrap_or(0)).map_err(damaged)?;
    let deriver = deriver.filter(|d| !d.is_empty()).map(parse).transpose()?;
    Ok((id, Node { path: parse(path)?, nar_size, deriver }))
}

/// Numbers for a query.
fn array(ids: &[i64]) -> Array {
    Rc::new(ids.iter().copied().map(Value::Integer).collect())
}
