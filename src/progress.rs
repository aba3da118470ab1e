//! The one way up: long computations report progress and ask whether to stop.
//!
//! Computing rooms never print. They call [`Progress::update`] at a cadence of their own (cheap;
//! the receiver throttles) and end early with their room's `Interrupted` error once
//! [`Progress::interrupted`] is true.

/// Receives progress and carries the request to stop.
pub trait Progress: Sync {
    /// `done` of `total` units are finished; `note` is a short live figure such as `loss 0.31`.
    fn update(&self, done: u64, total: u64, note: &str);

    /// True once the user asked to stop (Ctrl-C). Ask at least every 200 ms.
    fn interrupted(&self) -> bool;

    /// Something the user must read that is not an error.
    fn warn(&self, message: &str);
}

/// Reports nothing and never interrupts.
pub struct Silent;

impl Progress for Silent {
    fn update(&self, _done: u64, _total: u64, _note: &str) {}

    fn interrupted(&self) -> bool {
        false
    }

    fn warn(&self, _message: &str) {}
}
