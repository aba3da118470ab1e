//! What the cache remembers of an artifact besides its bytes.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::key::Provenance;
use crate::stage::{PastRun, TableShape};

/// What it took to make an artifact.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Cost {
    /// Wall time, seconds.
    pub seconds: f64,
    /// CPU time of all threads of the process, seconds.
    pub cpu_seconds: f64,
    /// Peak resident memory of the process meanwhile; absent where the system cannot tell.
    pub peak_rss_bytes: Option<u64>,
    /// The stage's own figures that differ from run to run ([`crate::stage::Output::notes`]).
    #[serde(default)]
    pub notes: Map<String, Value>,
    /// Each input with the shape of its tables, in the order of the kind; forecasts compare with it.
    #[serde(default)]
    pub inputs: Vec<(String, Option<TableShape>)>,
    /// Shape of the tables in the artifact.
    #[serde(default)]
    pub output: Option<TableShape>,
    /// Threads of the process; 0 if that was not recorded.
    #[serde(default)]
    pub n_threads: usize,
}

/// One stored artifact.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The key under which it is stored. Not recomputed from `provenance`: reading JSON may move a
    /// number by its last bit.
    pub key: String,
    /// What it was made from.
    pub provenance: Provenance,
    /// BLAKE3 digest of its bytes, hexadecimal.
    pub digest: String,
    /// Its size.
    pub bytes: u64,
    /// What it took to make it.
    pub cost: Cost,
    /// When it was made, UTC, RFC 3339.
    pub created: String,
}

impl Record {
    /// What it tells forecasts.
    pub(super) fn past_run(self) -> PastRun {
        PastRun {
            kind: self.provenance.kind,
            version: self.provenance.version,
            params: self.provenance.params,
            inputs: self.cost.inputs,
            output: self.cost.output,
            n_threads: self.cost.n_threads,
            seconds: self.cost.seconds,
            peak_rss_bytes: self.cost.peak_rss_bytes,
            created: self.created,
        }
    }
}

/// What a stage of a pipeline was when it was last resolved; `plan` compares with it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LastRun {
    /// Its key.
    pub key: String,
    /// What it was made from.
    pub provenance: Provenance,
    /// Digest of its artifact.
    pub digest: String,
    /// False if the stage asked to be run again every time.
    pub reusable: bool,
}
