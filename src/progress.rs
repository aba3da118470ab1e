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

/// Progress of one part of a longer computation, in thousandths of each part.
pub struct Part<'a> {
    whole: &'a dyn Progress,
    start: u64,
    end: u64,
    total: u64,
    note: String,
}

/// Steps that each part of a whole is shown in.
const STEPS: u64 = 1000;

impl<'a> Part<'a> {
    /// Parts `start..end` of `total`, passed on with the notes of whoever reports to it.
    pub fn new(whole: &'a dyn Progress, start: usize, end: usize, total: usize) -> Self {
        let steps = |parts: usize| parts as u64 * STEPS;
        let (start, end, total) = (steps(start), steps(end), steps(total));
        Part { whole, start, end, total, note: String::new() }
    }

    /// Shows this note instead of those of whoever reports to it.
    pub fn with_note(self, note: String) -> Self {
        Part { note, ..self }
    }

    /// The same whole with this part finished: for work too short to be shown.
    pub fn at_end(&self) -> Part<'a> {
        let Part { whole, end, total, .. } = *self;
        Part { whole, start: end, end, total, note: self.note.clone() }
    }
}

impl Progress for Part<'_> {
    fn update(&self, done: u64, total: u64, note: &str) {
        let length = u128::from(self.end - self.start);
        let within = (length * u128::from(done.min(total)) / u128::from(total.max(1))) as u64;
        let note = if self.note.is_empty() { note } else { &self.note };
        self.whole.update(self.start + within, self.total, note);
    }

    fn interrupted(&self) -> bool {
        self.whole.interrupted()
    }

    fn warn(&self, message: &str) {
        self.whole.warn(message);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    /// Keeps the last update.
    struct Last(Mutex<(u64, u64, String)>);

    impl Progress for Last {
        fn update(&self, done: u64, total: u64, note: &str) {
            *self.0.lock().unwrap() = (done, total, note.to_owned());
        }

        fn interrupted(&self) -> bool {
            true
        }

        fn warn(&self, _message: &str) {}
    }

    #[test]
    fn a_part_of_a_part_lies_within_it_and_keeps_the_outer_note() {
        let last = Last(Mutex::default());
        let outer = Part::new(&last, 2, 4, 10).with_note("outer".to_owned());
        let inner = Part::new(&outer, 1, 2, 2);
        inner.update(1, 4, "inner");
        assert_eq!(*last.0.lock().unwrap(), (3250, 10_000, "outer".to_owned()));
        inner.at_end().update(0, 7, "inner");
        assert_eq!(last.0.lock().unwrap().0, 4000);
        assert!(inner.interrupted());
    }

    #[test]
    fn a_part_of_nothing_and_more_than_all_stay_inside() {
        let last = Last(Mutex::default());
        let part = Part::new(&last, 0, 1, 2);
        part.update(5, 0, "");
        assert!(last.0.lock().unwrap().0 <= 1000);
        part.update(9, 3, "");
        assert_eq!(last.0.lock().unwrap().0, 1000);
    }
}
