//! What a run tells while it goes on.

use super::StageJournal;
use crate::config::StageSpec;
use crate::progress::Progress;

/// Watches a run and carries the request to stop.
pub trait Observer: Sync {
    /// A stage begins to compute; not called for a cached one.
    fn stage_started(&self, stage: &StageSpec);

    /// Another process is making the stage's artifact; called once, then the run waits for it.
    fn stage_waiting(&self, stage: &StageSpec);

    /// `done` of `total` units of a stage are finished; `note` is a short live figure.
    fn progress(&self, stage: &str, done: u64, total: u64, note: &str);

    /// A stage is resolved: it ran, or its artifact is in the cache. Called a second time for a
    /// cached stage whose artifact turned out to be damaged and was made again.
    fn stage_finished(&self, stage: &StageJournal);

    /// Something the user must read that is not an error.
    fn warning(&self, stage: &str, message: &str);

    /// True once the user asked to stop.
    fn interrupted(&self) -> bool;
}

/// Watches nothing and never interrupts.
pub struct Unobserved;

impl Observer for Unobserved {
    fn stage_started(&self, _stage: &StageSpec) {}

    fn stage_waiting(&self, _stage: &StageSpec) {}

    fn progress(&self, _stage: &str, _done: u64, _total: u64, _note: &str) {}

    fn stage_finished(&self, _stage: &StageJournal) {}

    fn warning(&self, _stage: &str, _message: &str) {}

    fn interrupted(&self) -> bool {
        false
    }
}

/// The progress of one stage, passed on under its name.
pub(super) struct StageProgress<'a> {
    pub(super) observer: &'a dyn Observer,
    pub(super) stage: &'a str,
}

impl Progress for StageProgress<'_> {
    fn update(&self, done: u64, total: u64, note: &str) {
        self.observer.progress(self.stage, done, total, note);
    }

    fn interrupted(&self) -> bool {
        self.observer.interrupted()
    }

    fn warn(&self, message: &str) {
        self.observer.warning(self.stage, message);
    }
}
