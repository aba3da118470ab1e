//! What a path holds, told by the names of its files.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use super::ImportError;
use crate::data::{DataError, registry};

/// A data set of a known kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A directory of the four IDX files.
    Idx(PathBuf),
    /// A directory of class folders, or of `train` and `test` directories of them.
    Folder(PathBuf),
    /// One table, or one of training and one of test images.
    Table {
        /// Training images, or all.
        train: PathBuf,
        /// Test images.
        test: Option<PathBuf>,
    },
    /// An archive of arrays.
    Npz(PathBuf),
    /// A directory of `.npy` files.
    Npy(PathBuf),
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Source::Idx(_) => "IDX files",
            Source::Folder(_) => "folders of images",
            Source::Table { test: None, .. } => "a table",
            Source::Table { .. } => "tables of training and test images",
            Source::Npz(_) => "an archive of arrays",
            Source::Npy(_) => "arrays",
        })
    }
}

/// Endings of tables.
const TABLES: [&str; 2] = ["csv", "parquet"];

/// What `path`, a file or a directory, holds.
///
/// # Errors
/// [`DataError::Import`] if it is nothing known, [`DataError::Io`] if it cannot be looked into.
pub fn recognise(path: &Path) -> Result<Source, DataError> {
    let metadata = std::fs::metadata(path).map_err(|source| match source.kind() {
        std::io::ErrorKind::NotFound => DataError::MissingData { path: path.to_owned() },
        _ => DataError::Io { path: path.to_owned(), source },
    })?;
    let path_buf = || path.to_owned();
    if metadata.is_dir() {
        return directory(path);
    }
    match extension(path).as_str() {
        "npz" => Ok(Source::Npz(path_buf())),
        "npy" => Ok(Source::Npy(path.parent().unwrap_or(Path::new("")).to_owned())),
        ending if TABLES.contains(&ending) => Ok(Source::Table { train: path_buf(), test: None }),
        ending => {
            let found = match ending {
                "" => "a file whose name has no ending".to_owned(),
                ending => format!("a file that ends in `.{ending}`"),
            };
            Err(ImportError::UnknownKind { path: path_buf(), found }.into())
        }
    }
}

fn directory(path: &Path) -> Result<Source, DataError> {
    if registry::holds_idx(path) {
        return Ok(Source::Idx(path.to_owned()));
    }
    let mut files = Vec::new();
    let mut has_folder = false;
    for entry in std::fs::read_dir(path).map_err(DataError::io(path))? {
        let entry = entry.map_err(DataError::io(path))?;
        if is_ignored(&entry.file_name()) {
            continue;
        }
        // A link that leads nowhere is neither.
        match std::fs::metadata(entry.path()) {
            Ok(metadata) if metadata.is_dir() => has_folder = true,
            Ok(_) => files.push(entry.path()),
            Err(_) => {}
        }
    }
    if has_folder {
        return Ok(Source::Folder(path.to_owned()));
    }
    files.sort();
    for ending in TABLES {
        let tables: Vec<&PathBuf> = files.iter().filter(|f| extension(f) == ending).collect();
        let named = |word: &str| {
            let mut found = tables.iter().filter(|table| stem(table).contains(word));
            found.next().filter(|_| found.next().is_none())
        };
        match (tables.as_slice(), named("train"), named("test")) {
            ([table], _, _) => {
                return Ok(Source::Table { train: (*table).clone(), test: None });
            }
            (_, Some(train), Some(test)) if train != test => {
                let (train, test) = ((*train).clone(), Some((*test).clone()));
                return Ok(Source::Table { train, test });
            }
            _ => {}
        }
    }
    let archives: Vec<&PathBuf> = files.iter().filter(|f| extension(f) == "npz").collect();
    if let [archive] = archives.as_slice() {
        return Ok(Source::Npz((*archive).clone()));
    }
    if files.iter().any(|file| extension(file) == "npy") {
        return Ok(Source::Npy(path.to_owned()));
    }
    let found = match files.as_slice() {
        [] => "an empty directory".to_owned(),
        [first, ..] => {
            let name = first.file_name().unwrap_or_default().to_string_lossy();
            format!("a directory without folders, with {} files such as `{name}`", files.len())
        }
    };
    Err(ImportError::UnknownKind { path: path.to_owned(), found }.into())
}

/// Hidden files, and what systems leave behind.
pub(super) fn is_ignored(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    name.starts_with('.')
        || ["thumbs.db", "desktop.ini", "__macosx"].contains(&name.to_lowercase().as_str())
}

/// The ending of a file's name, in small letters; empty for none.
pub(super) fn extension(path: &Path) -> String {
    path.extension().map_or_else(String::new, |ending| ending.to_string_lossy().to_lowercase())
}

fn stem(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().to_lowercase()
}
