//! What changed in a derivation itself.

use serde::Serialize;

use super::difference::Difference;

/// One thing that changed, besides the paths of inputs that are there on both sides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Change {
    /// Another version (from `version`, else from the name).
    Version {
        /// Before; none if it said none.
        old: Option<String>,
        /// After.
        new: Option<String>,
    },
    /// Another package name.
    Name {
        /// Before.
        old: String,
        /// After.
        new: String,
    },
    /// A download (fixed output) has another content, or a file that was copied into the store has.
    Source {
        /// Before: its name, with what tells the two apart (revision, URL or hash) if the names do not.
        old: String,
        /// After.
        new: String,
    },
    /// A derivation or a file that only the new one needs.
    InputAdded(Part),
    /// A derivation or a file that only the old one needs.
    InputRemoved(Part),
    /// Of an input that is there on both sides, other outputs are used.
    InputOutputs {
        /// The input's name.
        name: String,
        /// Outputs that only the old one uses.
        removed: Vec<String>,
        /// Outputs that only the new one uses.
        added: Vec<String>,
    },
    /// A variable of the builder's environment, or a structured attribute (`env.X` for what lies in `env`).
    Attribute {
        /// Its key.
        key: String,
        /// What differs in it. Store hashes are left out.
        difference: Difference,
    },
    /// The program that builds it.
    Builder {
        /// What differs in it.
        difference: Difference,
    },
    /// The builder's arguments.
    Arguments {
        /// What differs in them.
        difference: Difference,
    },
    /// What it is built on.
    Platform {
        /// Before: `x86_64-linux`.
        old: String,
        /// After.
        new: String,
    },
    /// Its outputs, or what decides their paths: `out`, `dev (fixed)`.
    Outputs {
        /// Before.
        old: Vec<String>,
        /// After.
        new: Vec<String>,
    },
    /// The `.drv` file is not there any more: what changed in it, and below it, is not known.
    Absent {
        /// The old one is gone.
        old: bool,
        /// The new one is gone.
        new: bool,
    },
    /// The two differ, but in nothing that is compared (which of two inputs of one name is used where, say).
    Unexplained,
}

/// An input that is there on one side only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Part {
    /// Its name, version included: `fix-build.patch`, `zlib-1.3`.
    pub name: String,
    /// Attributes that hold it: `patches`, `buildInputs`.
    pub attributes: Vec<String>,
}
