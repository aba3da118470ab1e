//! A folder with one sub-folder of images per class.
//!
//! Names alone are read here. Symbolic links to files are followed, and links to class folders
//! outside the data set; links to folders further down are not, so that no loop is entered.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::DirEntry;
use std::path::{Path, PathBuf};

use super::images::{ImageFile, Listing};
use super::source::{extension, is_ignored};
use super::{ImportError, ImportOptions, Survey, Unreadable, UnreadableFault, classes};
use crate::data::DataError;

/// Endings of images' names.
const IMAGES: [&str; 3] = ["png", "jpg", "jpeg"];

/// Every image file of the folder with its class, part by part, in the order of their names.
///
/// # Errors
/// A class folder without images, a link back into the data set, a folder that cannot be opened
/// (skipped if `options` say so).
pub(super) fn list(root: &Path, options: &ImportOptions) -> Result<Listing, DataError> {
    let mut walk = Walk { options, survey: Survey::default() };
    let whole = root.canonicalize().map_err(DataError::io(root))?;
    let folders = walk.folders(root, &whole)?;
    let part_of = |(name, _): &(OsString, PathBuf)| part(name);
    let is_parted = !folders.is_empty() && folders.iter().all(|folder| part_of(folder).is_some());
    let mut class_folders: [Vec<(OsString, PathBuf)>; 3] = Default::default();
    if is_parted {
        for folder in &folders {
            let at = part_of(folder).expect("every folder is a part");
            class_folders[at].extend(walk.folders(&folder.1, &whole)?);
        }
    } else {
        class_folders[0] = folders;
    }

    let names = class_folders.iter().flatten().map(|(name, _)| shown(name));
    let class_names = classes::ordered(names);
    let class_of: BTreeMap<&str, usize> =
        class_names.iter().enumerate().map(|(class, name)| (name.as_str(), class)).collect();
    let mut files: [Vec<ImageFile>; 3] = Default::default();
    for (part, class_folders) in class_folders.iter().enumerate() {
        let mut by_class: Vec<(usize, &PathBuf)> = class_folders
            .iter()
            .map(|(name, folder)| (class_of[shown(name).as_str()], folder))
            .collect();
        by_class.sort();
        for (label, folder) in by_class {
            let mut paths = Vec::new();
            walk.images(folder, &mut paths)?;
            if paths.is_empty() && part == 0 && walk.survey.unreadable.is_empty() {
                return Err(ImportError::EmptyClassFolder { path: folder.clone() }.into());
            }
            files[part].extend(paths.into_iter().map(|path| ImageFile { path, label }));
        }
    }
    Ok(Listing { root: root.to_owned(), files, class_names, survey: walk.survey })
}

/// Place in the parts that the name of a folder says, if it does.
fn part(name: &OsStr) -> Option<usize> {
    match name.to_string_lossy().to_lowercase().as_str() {
        "train" | "training" => Some(0),
        "val" | "valid" | "validation" => Some(1),
        "test" | "testing" => Some(2),
        _ => None,
    }
}

/// The name of a class: bytes that are no text are escaped, so that names stay different.
fn shown(name: &OsStr) -> String {
    match name.to_str() {
        Some(text) => text.to_owned(),
        None => format!("{name:?}").trim_matches('"').to_owned(),
    }
}

struct Walk<'a> {
    options: &'a ImportOptions,
    survey: Survey,
}

impl Walk<'_> {
    /// The folders in a folder, by name; `whole` is the data set as the system knows it.
    fn folders(
        &mut self,
        folder: &Path,
        whole: &Path,
    ) -> Result<Vec<(OsString, PathBuf)>, DataError> {
        let mut folders = Vec::new();
        for entry in self.entries(folder)? {
            let path = entry.path();
            let is_link = entry.file_type().is_ok_and(|kind| kind.is_symlink());
            match std::fs::metadata(&path) {
                Err(fault) => self.unreadable(path, fault)?,
                Ok(metadata) if !metadata.is_dir() => self.survey.n_ignored += 1,
                Ok(_) => {
                    let target = path.canonicalize().map_err(DataError::io(&path))?;
                    if is_link && (target.starts_with(whole) || whole.starts_with(&target)) {
                        return Err(ImportError::LinkLoop { path, target }.into());
                    }
                    folders.push((entry.file_name(), path));
                }
            }
        }
        Ok(folders)
    }

    /// Adds the images of a folder and of the folders in it, by name.
    fn images(&mut self, folder: &Path, paths: &mut Vec<PathBuf>) -> Result<(), DataError> {
        for entry in self.entries(folder)? {
            let path = entry.path();
            let kind = entry.file_type().map_err(DataError::io(&path))?;
            let is_named_so = IMAGES.contains(&extension(&path).as_str());
            // A pipe or a device would block or never end.
            let is_file = || std::fs::metadata(&path).map_or(true, |metadata| metadata.is_file());
            if kind.is_dir() {
                self.images(&path, paths)?;
            } else if is_named_so && is_file() {
                paths.push(path);
            } else {
                self.survey.n_ignored += 1;
            }
        }
        Ok(())
    }

    /// What a folder holds, in the order of the names, without what is ignored; nothing of a folder
    /// that cannot be opened, if such are skipped.
    fn entries(&mut self, folder: &Path) -> Result<Vec<DirEntry>, DataError> {
        let read = std::fs::read_dir(folder).and_then(Iterator::collect::<Result<Vec<_>, _>>);
        let mut entries = match read {
            Ok(entries) => entries,
            Err(fault) => {
                self.unreadable(folder.to_owned(), fault)?;
                Vec::new()
            }
        };
        entries.retain(|entry| !is_ignored(&entry.file_name()));
        entries.sort_by_key(DirEntry::file_name);
        Ok(entries)
    }

    fn unreadable(&mut self, path: PathBuf, fault: std::io::Error) -> Result<(), DataError> {
        let fault = UnreadableFault::Io(fault);
        match self.options.unreadable {
            Unreadable::Error => Err(ImportError::Unreadable { path, fault }.into()),
            Unreadable::Skip => {
                self.survey.unreadable.push((path, fault));
                Ok(())
            }
        }
    }
}
