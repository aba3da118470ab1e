//! Results of stages, stored by content: computed once, shared by every pipeline and process.
//!
//! ```text
//! .pipeline/v2/objects/DIGEST               one artifact, named by its BLAKE3 digest
//!              keys/KEY.json                what made which object, and at what cost
//!              last/PIPELINE/STAGE.json     what a stage was last time: `plan` says what changed
//!              bench/LEARNER.json           fits of the newest bench, from which costs are foretold
//!              locks/KEY                    held while a process makes the artifact of a key
//!              scratch/KEY/                 checkpoints of a stage that has not finished
//!              tmp/                         files being written; renamed into place when whole
//! ```
//!
//! Nothing is ever changed in place: a reader sees a whole file or none, whatever is killed when.
//! A damaged entry is a miss, never an error. Another layout gets another version directory, so
//! two versions of the program can share one cache directory.

mod error;
mod key;
mod lock;
mod record;
mod store;
#[cfg(test)]
mod tests;

pub use error::CacheError;
pub use key::{InputProvenance, Provenance};
pub use lock::KeyLock;
pub use record::{Cost, LastRun, Record};
pub use store::{Lookup, Store};
