//! Progress on a terminal, warnings anywhere, and Ctrl-C.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use indicatif::{HumanDuration, ProgressBar, ProgressStyle};

use super::outcome::say;
use crate::config::StageSpec;
use crate::engine::{Observer, StageJournal, Status};
use crate::progress::Progress;

/// Set by Ctrl-C; everything long asks for it.
static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// What may take longer to notice Ctrl-C: reading gigabytes from a cold disk. Ending it is safe:
/// everything is written under a temporary name and renamed.
const GRACE: std::time::Duration = std::time::Duration::from_millis(900);

/// Shows a run on stderr: a bar for the running stage, a line for each finished one. Without a
/// terminal only warnings are printed.
pub struct Terminal {
    draws: bool,
    /// Seconds that stages are foretold to take, by name.
    expected: HashMap<String, f64>,
    bar: Mutex<ProgressBar>,
}

impl Terminal {
    /// Watches Ctrl-C: the first asks politely, what does not stop within [`GRACE`] is ended, and a
    /// second ends the process at once.
    pub fn new(draws: bool) -> anyhow::Result<Self> {
        ctrlc::set_handler(|| {
            if INTERRUPTED.swap(true, Ordering::SeqCst) {
                std::process::exit(1);
            }
            std::thread::spawn(|| {
                std::thread::sleep(GRACE);
                say("error: interrupted\n\nhint: run the same command again to go on");
                std::process::exit(1);
            });
        })?;
        Ok(Terminal { draws, expected: HashMap::new(), bar: Mutex::new(ProgressBar::hidden()) })
    }

    /// As it is, telling how long a stage is foretold to take, in seconds, when it begins.
    pub fn expecting(mut self, expected: HashMap<String, f64>) -> Self {
        self.expected = expected;
        self
    }

    /// A line on stderr, above what is drawn.
    pub fn print(&self, line: &str) {
        self.bar().suspend(|| say(line));
    }

    fn bar(&self) -> ProgressBar {
        // A poisoned lock only means that another thread died while drawing.
        self.bar.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    fn set_bar(&self, bar: ProgressBar) {
        let mut current = self.bar.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        current.finish_and_clear();
        *current = bar;
    }

    fn start(&self, title: &str) {
        if !self.draws {
            return;
        }
        let bar = ProgressBar::new(0).with_prefix(title.to_owned());
        bar.set_style(spinner());
        bar.enable_steady_tick(std::time::Duration::from_millis(120));
        self.set_bar(bar);
    }

    fn show(&self, done: u64, total: u64, note: &str) {
        if !self.draws {
            return;
        }
        let bar = self.bar();
        if bar.length() != Some(total) {
            bar.set_length(total);
            bar.set_style(gauge());
        }
        bar.set_position(done);
        bar.set_message(note.to_owned());
    }
}

fn spinner() -> ProgressStyle {
    style("{spinner} {prefix}  {elapsed}")
}

fn gauge() -> ProgressStyle {
    style("{spinner} {prefix}  [{bar:24}] {elapsed} left {eta}  {msg}")
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_spinner())
        .progress_chars("=> ")
}

impl Observer for Terminal {
    fn stage_started(&self, stage: &StageSpec) {
        match self.expected.get(&stage.id) {
            Some(&seconds) => self.start(&format!("{} (about {})", stage.id, human(seconds))),
            None => self.start(&stage.id),
        }
    }

    fn stage_waiting(&self, stage: &StageSpec) {
        if self.draws {
            self.print(&format!("  waiting  {}: another process is making it", stage.id));
        }
    }

    fn progress(&self, _stage: &str, done: u64, total: u64, note: &str) {
        self.show(done, total, note);
    }

    fn stage_finished(&self, stage: &StageJournal) {
        if !self.draws {
            return;
        }
        self.set_bar(ProgressBar::hidden());
        match stage.status {
            Status::Ran => {
                let title = stage.title.as_deref().unwrap_or_default();
                say(&format!("{:>8.1} s  {:24} {title}", stage.cost.seconds, stage.id));
            }
            Status::Cached => say(&format!("    cached  {}", stage.id)),
        }
    }

    fn warning(&self, stage: &str, message: &str) {
        self.print(&format!("warning: {stage}: {message}"));
    }

    fn interrupted(&self) -> bool {
        INTERRUPTED.load(Ordering::SeqCst)
    }
}

/// Progress of a command that runs no stages.
impl Progress for Terminal {
    fn update(&self, done: u64, total: u64, note: &str) {
        if self.draws && self.bar().is_hidden() {
            self.start("");
        }
        self.show(done, total, note);
    }

    fn interrupted(&self) -> bool {
        INTERRUPTED.load(Ordering::SeqCst)
    }

    fn warn(&self, message: &str) {
        self.print(&format!("warning: {message}"));
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.set_bar(ProgressBar::hidden());
    }
}

/// A duration for people.
pub fn human(seconds: f64) -> String {
    if seconds < 60.0 {
        format!("{seconds:.1} s")
    } else {
        HumanDuration(std::time::Duration::from_secs_f64(seconds)).to_string()
    }
}
