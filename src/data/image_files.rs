//! Encoded images on disk, wherever they lie.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::{DataError, DecodeLimits, Decoded, decode_image};

/// Most bytes of an encoded image that are read: twice the pixels of the largest one.
const MAX_ENCODED_BYTES: u64 = 128 << 20;

/// Directories below one another that are looked into.
const MAX_DEPTH: usize = 64;

/// The image files that a path means: a file itself, or all below a directory whose names end in
/// `.png`, `.jpg` or `.jpeg`, in name order. Hidden entries are passed by, links to directories are
/// not followed.
///
/// # Errors
/// [`DataError::Io`] for what is not there or cannot be listed; [`DataError::NoImages`].
pub fn image_files(path: &Path) -> Result<Vec<PathBuf>, DataError> {
    let metadata = fs::metadata(path).map_err(DataError::io(path))?;
    if !metadata.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut found = Vec::new();
    walk(path, 0, &mut found)?;
    if found.is_empty() {
        return Err(DataError::NoImages { path: path.to_owned() });
    }
    Ok(found)
}

fn walk(directory: &Path, depth: usize, found: &mut Vec<PathBuf>) -> Result<(), DataError> {
    let mut entries = fs::read_dir(directory)
        .and_then(|entries| entries.collect::<Result<Vec<_>, _>>())
        .map_err(DataError::io(directory))?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        if entry.file_name().as_encoded_bytes().starts_with(b".") {
            continue;
        }
        let kind = entry.file_type().map_err(DataError::io(&path))?;
        if kind.is_dir() {
            if depth < MAX_DEPTH {
                walk(&path, depth + 1, found)?;
            }
        } else if is_named_as_image(&path) && path.is_file() {
            found.push(path);
        }
    }
    Ok(())
}

fn is_named_as_image(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str());
    extension.is_some_and(|extension| {
        ["png", "jpg", "jpeg"].iter().any(|known| known.eq_ignore_ascii_case(extension))
    })
}

/// Reads and decodes an image file.
///
/// # Errors
/// [`DataError::Io`], [`DataError::Image`].
pub fn read_image(path: &Path, limits: &DecodeLimits) -> Result<Decoded, DataError> {
    let file = fs::File::open(path).map_err(DataError::io(path))?;
    decode_image(&read_bounded(file).map_err(DataError::io(path))?, limits)
}

/// All bytes of an encoded image, as many as one may have.
///
/// # Errors   what the reader says, or that there are more
pub fn read_bounded(source: impl Read) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    source.take(MAX_ENCODED_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_ENCODED_BYTES {
        let why = format!("larger than {} MiB", MAX_ENCODED_BYTES >> 20);
        return Err(std::io::Error::new(std::io::ErrorKind::FileTooLarge, why));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_below_a_directory_are_found_in_name_order_and_nothing_else_is() {
        let place = tempfile::tempdir().unwrap();
        for name in ["b.PNG", "a/c.jpeg", "a/.hidden.png", "notes.txt", ".git/x.png"] {
            let path = place.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        #[cfg(unix)]
        std::os::unix::fs::symlink(place.path(), place.path().join("a/loop")).unwrap();
        let found = image_files(place.path()).unwrap();
        let expected = ["a/c.jpeg", "b.PNG"].map(|name| place.path().join(name));
        assert_eq!(found, expected);
        assert_eq!(image_files(&expected[0]).unwrap(), [expected[0].clone()]);
        let empty = place.path().join(".git");
        fs::remove_file(empty.join("x.png")).unwrap();
        assert!(matches!(image_files(&empty), Err(DataError::NoImages { .. })));
        assert!(matches!(image_files(&place.path().join("none")), Err(DataError::Io { .. })));
    }

    #[test]
    fn more_bytes_than_an_image_has_are_not_read() {
        let endless = std::io::repeat(7);
        let error = read_bounded(endless).unwrap_err();
        assert!(error.to_string().contains("128 MiB"), "{error}");
    }
}
