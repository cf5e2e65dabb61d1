//! Derivations that were read, for as long as there is room.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::rc::Rc;

use crate::derivation::Derivation;
use crate::model::StorePath;

/// Gives a derivation, or none if its file is not there any more.
pub(super) type Read<'r, E> = &'r mut dyn FnMut(&StorePath) -> Result<Option<Derivation>, E>;

/// How much is remembered, in bytes.
const ROOM: usize = 16 << 20;

/// Reads each derivation once, or again if others took its place since.
pub(super) struct Shelf<'r, E> {
    read: Read<'r, E>,
    there: HashMap<StorePath, Rc<Derivation>>,
    order: VecDeque<StorePath>,
    weight: usize,
    absent: BTreeSet<StorePath>,
}

impl<'r, E> Shelf<'r, E> {
    pub(super) fn new(read: Read<'r, E>) -> Self {
        Self { read, there: HashMap::new(), order: VecDeque::new(), weight: 0, absent: BTreeSet::new() }
    }

    /// The derivation of a path, if its file is there.
    pub(super) fn read(&mut self, path: &StorePath) -> Result<Option<Rc<Derivation>>, E> {
        if let Some(drv) = self.there.get(path) {
            return Ok(Some(Rc::clone(drv)));
        }
        if self.absent.contains(path) {
            return Ok(None);
        }
        let Some(drv) = (self.read)(path)? else {
            self.absent.insert(path.clone());
            return Ok(None);
        };
        let drv = Rc::new(drv);
        self.weight += drv.weight();
        self.order.push_back(path.clone());
        self.there.insert(path.clone(), Rc::clone(&drv));
        while self.weight > ROOM
            && let Some(first) = self.order.pop_front()
        {
            self.weight -= self.there.remove(&first).map_or(0, |d| d.weight());
        }
        Ok(Some(drv))
    }

    /// What was asked for and is not there.
    pub(super) fn absent(self) -> Vec<StorePath> {
        self.absent.into_iter().collect()
    }
}
