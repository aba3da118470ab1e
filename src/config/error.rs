//! Mistakes in pipeline files and overrides, collected and placed.

use std::fmt;
use std::ops::Range;
use std::path::Path;

/// Every mistake of a pipeline file and of the overrides on the command line; never empty.
///
/// `Display` gives all of them, each with its place and hint, and each line `error: …` itself.
#[derive(Clone, Debug, PartialEq)]
pub struct ConfigError {
    problems: Vec<Problem>,
}

/// One mistake.
#[derive(Clone, Debug, PartialEq)]
pub struct Problem {
    /// Subject, found, allowed.
    pub message: String,
    /// Where it was written.
    pub place: Place,
    /// What to write instead.
    pub hint: Option<String>,
}

/// Where a mistake was written.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// In the pipeline file.
    File {
        /// Name of the file.
        file: String,
        /// Counted from 1.
        line: usize,
        /// Counted from 1, in characters.
        column: usize,
        /// The line, without surrounding space.
        excerpt: String,
    },
    /// On the command line, such as `--set a1.epochs=abc`.
    Argument(String),
}

impl ConfigError {
    /// The mistakes: those in the file from top to bottom, then those of the command line.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }
}

impl std::error::Error for ConfigError {}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (idx, problem) in self.problems.iter().enumerate() {
            if idx > 0 {
                f.write_str("\n\n")?;
            }
            problem.fmt(f)?;
        }
        Ok(())
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}", self.message)?;
        match &self.place {
            Place::File { file, line, column, excerpt } => {
                write!(f, "\n  --> {file}:{line}:{column}")?;
                if !excerpt.is_empty() {
                    write!(f, "\n   | {excerpt}")?;
                }
            }
            Place::Argument(argument) => write!(f, "\n  --> {argument}")?,
        }
        match &self.hint {
            Some(hint) => write!(f, "\n  hint: {hint}"),
            None => Ok(()),
        }
    }
}

/// Where a value comes from, before lines are counted.
#[derive(Clone, Debug)]
pub(super) enum Origin {
    /// Bytes of the file.
    File(Range<usize>),
    /// An argument as typed.
    Argument(String),
}

/// Collects mistakes and finds their lines.
pub(super) struct Problems<'a> {
    file: &'a str,
    text: &'a str,
    found: Vec<Problem>,
}

impl<'a> Problems<'a> {
    pub(super) fn new(file: &'a str, text: &'a str) -> Self {
        Problems { file, text, found: Vec::new() }
    }

    pub(super) fn add(&mut self, origin: &Origin, message: String, hint: Option<String>) {
        let place = self.place(origin);
        self.found.push(Problem { message, place, hint });
    }

    /// Directory of the pipeline file; empty for one that comes with the program.
    pub(super) fn directory(&self) -> &'a Path {
        Path::new(self.file).parent().unwrap_or(Path::new(""))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// Sorted by place, so that a reader can work from top to bottom; each once.
    pub(super) fn into_error(mut self) -> ConfigError {
        self.found.sort_by(|a, b| a.place.cmp(&b.place));
        let mut problems: Vec<Problem> = Vec::with_capacity(self.found.len());
        for problem in self.found {
            if !problems.contains(&problem) {
                problems.push(problem);
            }
        }
        ConfigError { problems }
    }

    fn place(&self, origin: &Origin) -> Place {
        let span = match origin {
            Origin::Argument(argument) => return Place::Argument(argument.clone()),
            Origin::File(span) => span,
        };
        let mut start = span.start.min(self.text.len());
        while !self.text.is_char_boundary(start) {
            start -= 1;
        }
        let before = &self.text[..start];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let line_end = self.text[start..].find('\n').map_or(self.text.len(), |n| start + n);
        Place::File {
            file: self.file.to_owned(),
            line: before.matches('\n').count() + 1,
            column: self.text[line_start..start].chars().count() + 1,
            excerpt: self.text[line_start..line_end].trim().to_owned(),
        }
    }
}
