//! Where a run or a bench is written: found out before the work, named after its start.

use std::path::Path;

use anyhow::Context as _;

/// Finds out before the work whether its result can be written: makes and removes a file in the
/// nearest directory that exists.
pub fn check_writable(directory: &Path) -> anyhow::Result<()> {
    let existing = directory.ancestors().find(|path| path.symlink_metadata().is_ok());
    let place = existing.filter(|path| !path.as_os_str().is_empty()).unwrap_or(Path::new("."));
    tempfile::tempfile_in(place)
        .map(drop)
        .with_context(|| format!("cannot write reports into `{}`", directory.display()))
}

/// The UTC start time, with a number if another run began in the same second.
pub fn run_name(directory: &Path, started: jiff::Timestamp) -> String {
    let name = started.strftime("%Y%m%dT%H%M%SZ").to_string();
    let free = |name: &String| !directory.join(name).exists();
    let numbered = (2..).map(|nth| format!("{name}-{nth}"));
    std::iter::once(name.clone()).chain(numbered).find(free).unwrap_or(name)
}

/// The command line as it can be typed again.
pub fn command_line() -> String {
    let words = std::env::args().skip(1).map(|word| {
        let plain = word.chars().all(|c| c.is_ascii_alphanumeric() || "-_./=:,+@".contains(c));
        if plain { word } else { format!("'{}'", word.replace('\'', "'\\''")) }
    });
    let words: Vec<String> = words.collect();
    format!("pipeline {}", words.join(" ").replace('\n', " "))
}
