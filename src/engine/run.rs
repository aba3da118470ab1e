//! Resolves every stage: restored from the cache, or run and stored.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;

use super::observer::{Observer, StageProgress};
use super::{EngineError, Force, known, provenance};
use crate::cache::{Cost, KeyLock, LastRun, Lookup, Provenance, Record, Store};
use crate::config::{Pipeline, StageSpec};
use crate::data::{Sources, TensorFileError};
use crate::meter::Meter;
use crate::stage::{Artifact, Context, Inputs};

/// How to run.
#[derive(Clone, Debug, Default)]
pub struct RunOptions {
    /// Where stages look for data sets.
    pub sources: Sources,
    /// Stages that run although they are cached.
    pub force: Force,
}

/// Whether a stage ran.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It ran in this run.
    Ran,
    /// Its artifact was in the cache.
    Cached,
}

/// What became of one stage.
#[derive(Clone, Debug, PartialEq)]
pub struct StageJournal {
    /// Name in the pipeline file.
    pub id: String,
    /// Title for people.
    pub title: Option<String>,
    /// Kind.
    pub kind: &'static str,
    /// Ran or restored.
    pub status: Status,
    /// Cost of the run that made the artifact: this one, or for a cached stage an earlier one.
    pub cost: Cost,
    /// Digest of the artifact.
    pub digest: String,
    /// Size of the artifact.
    pub bytes: u64,
    /// When the artifact was made, UTC, RFC 3339.
    pub created: String,
}

/// A finished run: its journal, and its artifacts for the asking.
pub struct Outcome<'a> {
    executor: Executor<'a>,
}

/// Runs a pipeline. Artifacts are read only when a stage that runs needs them, shared, and dropped
/// after their last reader.
///
/// # Errors
/// If a stage fails or the user interrupts; what finished before is in the cache.
pub fn run<'a>(
    pipeline: &'a Pipeline,
    store: &'a Store,
    options: &'a RunOptions,
    observer: &'a dyn Observer,
) -> Result<Outcome<'a>, EngineError> {
    options.force.check(pipeline)?;
    let mut executor = Executor::new(pipeline, store, options, observer);
    for (idx, stage) in pipeline.stages.iter().enumerate() {
        executor.resolve(idx, options.force.includes(stage))?;
        executor.release();
    }
    Ok(Outcome { executor })
}

impl Outcome<'_> {
    /// Every stage, in the order of the run.
    pub fn stages(&self) -> Vec<StageJournal> {
        self.executor.states.iter().filter_map(|state| state.journal.clone()).collect()
    }

    /// The artifact of a stage, read from the cache unless it is still in memory; a damaged one is
    /// made again.
    ///
    /// # Errors
    /// If there is no such stage, or making it again fails.
    pub fn artifact(&mut self, id: &str) -> Result<Arc<Artifact>, EngineError> {
        let idx = known(self.executor.pipeline, id)?;
        let artifact = match self.executor.load(idx) {
            Some(artifact) => artifact,
            None => self.executor.remake(idx)?,
        };
        self.executor.release();
        Ok(artifact)
    }

    /// Stages whose artifacts are in memory.
    #[cfg(test)]
    pub(super) fn in_memory(&self) -> Vec<&str> {
        let executor = &self.executor;
        let held = executor.pipeline.stages.iter().zip(&executor.states);
        held.filter(|(_, state)| state.artifact.is_some()).map(|(s, _)| s.id.as_str()).collect()
    }
}

struct Executor<'a> {
    pipeline: &'a Pipeline,
    store: &'a Store,
    options: &'a RunOptions,
    observer: &'a dyn Observer,
    /// Index of each stage name.
    position: HashMap<&'a str, usize>,
    /// For each stage, the stages that read it.
    readers: Vec<Vec<usize>>,
    states: Vec<State>,
}

/// A stage during the run.
#[derive(Clone, Default)]
struct State {
    /// Set once the stage is resolved.
    journal: Option<StageJournal>,
    artifact: Option<Arc<Artifact>>,
}

/// How an attempt to make an artifact ended.
enum Attempt {
    /// The stage is resolved.
    Resolved,
    /// The artifact of this input stage is unusable.
    InputDamaged(usize),
}

impl<'a> Executor<'a> {
    fn new(
        pipeline: &'a Pipeline,
        store: &'a Store,
        options: &'a RunOptions,
        observer: &'a dyn Observer,
    ) -> Self {
        let stages = &pipeline.stages;
        let position: HashMap<&str, usize> =
            stages.iter().enumerate().map(|(idx, stage)| (stage.id.as_str(), idx)).collect();
        let mut readers = vec![Vec::new(); stages.len()];
        for (idx, stage) in stages.iter().enumerate() {
            for id in stage.inputs.iter().flat_map(|(_, ids)| ids) {
                readers[position[id.as_str()]].push(idx);
            }
        }
        let states = vec![State::default(); stages.len()];
        Executor { pipeline, store, options, observer, position, readers, states }
    }

    /// Finds out the digest of a stage's artifact, running the stage if it is not in the cache or
    /// `must_run`. Its inputs are resolved.
    fn resolve(&mut self, idx: usize, must_run: bool) -> Result<(), EngineError> {
        let stage = &self.pipeline.stages[idx];
        loop {
            if self.observer.interrupted() {
                return Err(EngineError::Interrupted { stage: stage.id.clone() });
            }
            let provenance = self.provenance(stage);
            let key = provenance.key();
            if !must_run {
                match self.store.lookup(&key) {
                    Lookup::Hit(record) => {
                        self.finish(idx, *record, Status::Cached, None, true);
                        return Ok(());
                    }
                    Lookup::Damaged(why) => self.warn_damaged(stage, &why),
                    Lookup::Miss => {}
                }
            }
            match self.make(idx, provenance, &key, must_run)? {
                Attempt::Resolved => return Ok(()),
                // The input may come out different, and the key with it: start over.
                Attempt::InputDamaged(input) => self.resolve_again(input)?,
            }
        }
    }

    /// Runs a stage and stores its artifact, unless another process does so first.
    fn make(
        &mut self,
        idx: usize,
        provenance: Provenance,
        key: &str,
        must_run: bool,
    ) -> Result<Attempt, EngineError> {
        let stage = &self.pipeline.stages[idx];
        let in_cache = |source| EngineError::from_cache(&stage.id, source);
        let lock = self.lock(stage, key)?;
        if !must_run && let Lookup::Hit(record) = self.store.lookup(key) {
            self.finish(idx, *record, Status::Cached, None, true);
            return Ok(Attempt::Resolved);
        }
        let mut inputs = Inputs::default();
        for (input, ids) in &stage.inputs {
            for id in ids {
                let from = self.position[id.as_str()];
                match self.load(from) {
                    Some(artifact) => inputs.push(input, id, artifact),
                    None => return Ok(Attempt::InputDamaged(from)),
                }
            }
        }
        if self.options.force.includes(stage) {
            self.store.remove_scratch(&lock);
        }
        let scratch = self.store.scratch(&lock).map_err(in_cache)?;
        let context = Context {
            seed: stage.own_seed().unwrap_or(self.pipeline.seed),
            scratch: &scratch,
            sources: &self.options.sources,
            progress: &StageProgress { observer: self.observer, stage: &stage.id },
        };
        self.observer.stage_started(stage);
        let meter = Meter::start();
        let output = stage.stage.run(&inputs, &context);
        let used = meter.stop();
        let output = output.map_err(|source| EngineError::from_stage(&stage.id, source))?;
        let cost = Cost {
            seconds: used.seconds,
            cpu_seconds: used.cpu_seconds,
            peak_rss_bytes: used.peak_rss_bytes,
            notes: output.notes,
            inputs: inputs.shapes(),
            output: output.artifact.shape(),
            n_threads: rayon::current_num_threads(),
        };
        assert_eq!(
            output.artifact.artifact_type(),
            stage.kind.produces,
            "kind `{}` breaks its contract",
            stage.kind.name
        );
        let write = |path: &std::path::Path| output.artifact.write(path).map_err(into_io);
        let record =
            self.store.put(&lock, provenance, cost, output.reusable, write).map_err(in_cache)?;
        self.store.remove_scratch(&lock);
        let artifact = Some(Arc::new(output.artifact));
        self.finish(idx, record, Status::Ran, artifact, output.reusable);
        Ok(Attempt::Resolved)
    }

    fn lock(&self, stage: &StageSpec, key: &str) -> Result<KeyLock, EngineError> {
        let mut told = false;
        let mut keep_waiting = || {
            if !told {
                self.observer.stage_waiting(stage);
                told = true;
            }
            !self.observer.interrupted()
        };
        self.store
            .lock(key, &mut keep_waiting)
            .map_err(|source| EngineError::from_cache(&stage.id, source))
    }

    /// The artifact of a resolved stage; `None`, after a warning, if what the cache holds is
    /// unusable.
    fn load(&mut self, idx: usize) -> Option<Arc<Artifact>> {
        if let Some(artifact) = &self.states[idx].artifact {
            return Some(artifact.clone());
        }
        let stage = &self.pipeline.stages[idx];
        let digest = &self.states[idx].journal.as_ref()?.digest;
        let read = self.store.verified(digest).and_then(|path| {
            Artifact::read(stage.kind.produces, &path).map_err(|error| error.to_string())
        });
        match read {
            Ok(artifact) => {
                let artifact = Arc::new(artifact);
                self.states[idx].artifact = Some(artifact.clone());
                Some(artifact)
            }
            Err(why) => {
                self.warn_damaged(stage, &why);
                None
            }
        }
    }

    /// Makes a damaged artifact again.
    fn resolve_again(&mut self, idx: usize) -> Result<(), EngineError> {
        // Until it is resolved anew, its own inputs stay in memory once read.
        self.states[idx].journal = None;
        self.resolve(idx, true)
    }

    /// As [`Executor::resolve_again`], with the artifact.
    fn remake(&mut self, idx: usize) -> Result<Arc<Artifact>, EngineError> {
        loop {
            self.resolve_again(idx)?;
            if let Some(artifact) = self.load(idx) {
                return Ok(artifact);
            }
        }
    }

    fn finish(
        &mut self,
        idx: usize,
        record: Record,
        status: Status,
        artifact: Option<Arc<Artifact>>,
        reusable: bool,
    ) {
        let stage = &self.pipeline.stages[idx];
        let journal = StageJournal {
            id: stage.id.clone(),
            title: stage.title.clone(),
            kind: stage.kind.name,
            status,
            cost: record.cost,
            digest: record.digest.clone(),
            bytes: record.bytes,
            created: record.created,
        };
        let last = LastRun {
            key: record.key,
            // As it is now: the names of input stages may differ from those in the record.
            provenance: self.provenance(stage),
            digest: record.digest,
            reusable,
        };
        if let Err(error) = self.store.set_last_run(&self.pipeline.name, &stage.id, &last) {
            self.observer.warning(&stage.id, &error.to_string());
        }
        self.observer.stage_finished(&journal);
        self.states[idx] = State { journal: Some(journal), artifact };
    }

    /// Drops artifacts that no unresolved stage reads; those that no stage reads at all are what
    /// the pipeline is for, and stay.
    fn release(&mut self) {
        let resolved: Vec<bool> = self.states.iter().map(|state| state.journal.is_some()).collect();
        for (state, readers) in self.states.iter_mut().zip(&self.readers) {
            if !readers.is_empty() && readers.iter().all(|&reader| resolved[reader]) {
                state.artifact = None;
            }
        }
    }

    /// # Panics
    /// If an input is not resolved: stages are resolved in order.
    fn provenance(&self, stage: &StageSpec) -> Provenance {
        let digest_of = |id: &str| {
            let state = &self.states[self.position[id]];
            state.journal.as_ref().map(|journal| journal.digest.clone())
        };
        provenance::of(stage, self.pipeline.seed, digest_of)
            .unwrap_or_else(|| panic!("an input of stage `{}` is not resolved", stage.id))
    }

    fn warn_damaged(&self, stage: &StageSpec, why: &str) {
        let message =
            format!("the cached artifact of `{}` is damaged ({why}); making it again", stage.id);
        self.observer.warning(&stage.id, &message);
    }
}

fn into_io(error: TensorFileError) -> io::Error {
    match error {
        TensorFileError::Io(error) => error,
        other => io::Error::other(other),
    }
}
