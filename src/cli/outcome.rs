//! How a command ends: exit code, error and hint.

use std::io::Write;
use std::process::ExitCode;

use crate::bench::BenchError;
use crate::cache::CacheError;
use crate::config::ConfigError;
use crate::data::DataError;
use crate::engine::EngineError;
use crate::explain::ExplainError;
use crate::export::ExportError;
use crate::model::ModelError;
use crate::report::ReportError;
use crate::serve::ServeError;

/// The command line or a pipeline file is wrong.
const USAGE: u8 = 2;

/// A command line that parses but cannot be meant.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct UsageError {
    message: String,
    hint: Option<String>,
}

impl UsageError {
    /// A usage error with what to do about it.
    pub fn new(message: impl Into<String>, hint: impl Into<Option<String>>) -> Self {
        UsageError { message: message.into(), hint: hint.into() }
    }
}

/// Prints an error to stderr and picks the exit code.
pub fn exit_code(done: anyhow::Result<()>) -> ExitCode {
    let Err(error) = done else { return ExitCode::SUCCESS };
    if is_closed_pipe(&error) {
        return ExitCode::SUCCESS;
    }
    if let Some(config) = error.downcast_ref::<ConfigError>() {
        say(config.to_string().trim_end());
        return ExitCode::from(USAGE);
    }
    let mut shown = error.to_string();
    say(&format!("error: {shown}"));
    for cause in error.chain().skip(1).map(ToString::to_string) {
        // Many errors already end in their cause.
        if !shown.ends_with(&cause) {
            say(&format!("  caused by: {cause}"));
            shown = cause;
        }
    }
    if let Some(hint) = hint(&error) {
        say(&format!("\nhint: {hint}"));
    }
    let is_usage = error.downcast_ref::<UsageError>().is_some()
        || error.downcast_ref().is_some_and(BenchError::is_usage)
        || error.downcast_ref().is_some_and(ExplainError::is_usage)
        || matches!(error.downcast_ref(), Some(ReportError::RunNotFound { .. }));
    ExitCode::from(if is_usage { USAGE } else { 1 })
}

/// A line on stderr; a closed or full stderr is no reason to fail (`eprintln!` would panic).
pub fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

fn hint(error: &anyhow::Error) -> Option<String> {
    let of = error.downcast_ref::<UsageError>().and_then(|e| e.hint.clone());
    of.or_else(|| error.downcast_ref::<EngineError>().and_then(EngineError::hint))
        .or_else(|| error.downcast_ref::<CacheError>().and_then(CacheError::hint))
        .or_else(|| error.downcast_ref::<BenchError>().and_then(BenchError::hint))
        .or_else(|| error.downcast_ref::<DataError>().and_then(DataError::hint))
        .or_else(|| error.downcast_ref::<ExplainError>().and_then(ExplainError::hint))
        .or_else(|| error.downcast_ref::<ReportError>().and_then(ReportError::hint))
        .or_else(|| error.downcast_ref::<ExportError>().and_then(ExportError::hint))
        .or_else(|| error.downcast_ref::<ModelError>().and_then(ModelError::hint))
        .or_else(|| error.downcast_ref::<ServeError>().and_then(ServeError::hint))
}

/// `pipeline list | head -1` closes our stdout early; that is no failure.
fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error
        .downcast_ref::<std::io::Error>()
        .is_some_and(|io| io.kind() == std::io::ErrorKind::BrokenPipe)
}
