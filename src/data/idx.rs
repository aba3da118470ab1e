//! The IDX format of MNIST and its successors, plain or gzipped.
//!
//! A big-endian header, `00 00 08 N` and `N` sizes of four bytes, then unsigned bytes, the last
//! dimension fastest (<http://yann.lecun.com/exdb/mnist/>). Gzip is told by content, not by name.
//! The header is never trusted: a plain file must have exactly the promised length, and of a
//! gzipped one at most the promised length plus one byte is unpacked.

use std::fs::File;
use std::io::{BufReader, Cursor, Read};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;
use ndarray::Array2;

use super::{DataError, ImageShape};

const LABELS_MAGIC: u32 = 0x0000_0801;
const GRAY_MAGIC: u32 = 0x0000_0803;
const COLOUR_MAGIC: u32 = 0x0000_0804;

/// Deflate packs at most 1,032 bytes into one (258 bytes by a match of two bits).
const MAX_DEFLATE_RATIO: u64 = 1032;

/// Bytes reserved before anything is read; more grows only with what the file really holds.
const MAX_RESERVED: u64 = 64 << 20;

/// Reads images of one (`[n, height, width]`) or more (`[n, height, width, channels]`) channels.
///
/// # Shapes   pixels: `[n, height * width * channels]`
pub fn read_images(path: &Path) -> Result<(ImageShape, Array2<u8>), DataError> {
    let (dims, content) = read(path, &[GRAY_MAGIC, COLOUR_MAGIC], "0x00000803 or 0x00000804")?;
    let channels = dims.get(3).copied().unwrap_or(1);
    let unusable = || DataError::UnusableShape { path: path.to_owned(), shape: dims.clone() };
    if dims[0] == 0 || dims[1] == 0 || dims[2] == 0 || (channels != 1 && channels != 3) {
        return Err(unusable());
    }
    let shape = ImageShape {
        height: dims[1] as usize,
        width: dims[2] as usize,
        channels: channels as usize,
    };
    let pixels = Array2::from_shape_vec((dims[0] as usize, shape.n_pixels()), content)
        .map_err(|_| unusable())?;
    Ok((shape, pixels))
}

/// Reads labels, one byte each.
pub fn read_labels(path: &Path) -> Result<Vec<u8>, DataError> {
    read(path, &[LABELS_MAGIC], "0x00000801").map(|(_, content)| content)
}

/// Sizes of the dimensions and the content, exactly as long as their product.
fn read(
    path: &Path,
    magics: &[u32],
    expected: &'static str,
) -> Result<(Vec<u64>, Vec<u8>), DataError> {
    let mut file = File::open(path).map_err(|source| match source.kind() {
        std::io::ErrorKind::NotFound => DataError::MissingFile { path: path.to_owned() },
        _ => DataError::Io { path: path.to_owned(), source },
    })?;
    let n_file = file.metadata().map_err(DataError::io(path))?.len();
    let mut start = [0u8; 2];
    let n_start = read_up_to(&mut file, &mut start).map_err(DataError::io(path))?;
    let whole = Cursor::new(start[..n_start].to_vec()).chain(file);
    if start == [0x1f, 0x8b] {
        let unpacked = MultiGzDecoder::new(BufReader::with_capacity(1 << 16, whole));
        parse(path, unpacked, magics, expected, n_file.saturating_mul(MAX_DEFLATE_RATIO), true)
    } else if path.extension().is_some_and(|extension| extension == "gz") {
        let reason = format!("it starts with {:02x?}, expected [1f, 8b]", &start[..n_start]);
        Err(DataError::NotGzip { path: path.to_owned(), reason })
    } else {
        parse(path, whole, magics, expected, n_file, false)
    }
}

/// `n_possible` bounds the content from above by the size of the file.
fn parse(
    path: &Path,
    mut content: impl Read,
    magics: &[u32],
    expected: &'static str,
    n_possible: u64,
    packed: bool,
) -> Result<(Vec<u64>, Vec<u8>), DataError> {
    // A gzip stream that breaks off is a truncated file; any other fault of it is not gzip.
    let failed = |source: std::io::Error| match source.kind() {
        std::io::ErrorKind::InvalidInput | std::io::ErrorKind::InvalidData if packed => {
            DataError::NotGzip { path: path.to_owned(), reason: source.to_string() }
        }
        _ => DataError::Io { path: path.to_owned(), source },
    };
    let truncated =
        |found: u64, expected: u64| DataError::Truncated { path: path.to_owned(), found, expected };

    let mut n_read = 0u64;
    let mut word = |n_header: u64| -> Result<u32, DataError> {
        let mut bytes = [0u8; 4];
        let n = match read_up_to(&mut content, &mut bytes) {
            Ok(n) => n,
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => 0,
            Err(error) => return Err(failed(error)),
        };
        n_read += n as u64;
        if n < 4 { Err(truncated(n_read, n_header)) } else { Ok(u32::from_be_bytes(bytes)) }
    };
    let magic = word(4)?;
    if !magics.contains(&magic) {
        return Err(DataError::WrongMagic { path: path.to_owned(), found: magic, expected });
    }
    let n_dims = u64::from(magic & 0xff);
    let n_header = 4 + 4 * n_dims;
    let dims: Vec<u64> =
        (0..n_dims).map(|_| word(n_header).map(u64::from)).collect::<Result<_, _>>()?;
    let n_content = dims.iter().try_fold(1u64, |product, &size| product.checked_mul(size));
    let n_total = n_content.and_then(|n| n.checked_add(n_header)).unwrap_or(u64::MAX);
    let (Some(n_content), true) = (n_content, n_total <= n_possible) else {
        // More than can be there; count what is, a bounded read that keeps nothing.
        let n_there = count(content.take(n_possible));
        return Err(truncated(n_header + n_there, n_total));
    };

    let mut values = Vec::with_capacity((n_content + 1).min(MAX_RESERVED) as usize);
    match content.take(n_content + 1).read_to_end(&mut values) {
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
            // The trailer of a gzip file is cut off too if all values are there.
            return Err(truncated(n_header + values.len() as u64, n_total));
        }
        Err(error) => return Err(failed(error)),
    }
    let n_values = values.len() as u64;
    if n_values < n_content {
        return Err(truncated(n_header + n_values, n_total));
    }
    if n_values > n_content {
        return Err(DataError::TrailingBytes { path: path.to_owned(), expected: n_total });
    }
    Ok((dims, values))
}

/// Bytes until the end or the first fault.
fn count(mut source: impl Read) -> u64 {
    let mut chunk = vec![0u8; 1 << 16];
    let mut n_bytes = 0;
    while let Ok(n @ 1..) = source.read(&mut chunk) {
        n_bytes += n as u64;
    }
    n_bytes
}

/// Like `read_exact`, but says how much there was.
fn read_up_to(source: &mut impl Read, buffer: &mut [u8]) -> std::io::Result<usize> {
    let mut n_filled = 0;
    while n_filled < buffer.len() {
        match source.read(&mut buffer[n_filled..]) {
            Ok(0) => break,
            Ok(n) => n_filled += n,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(n_filled)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn idx(dims: &[u32], content: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0, 0, 8, dims.len() as u8];
        dims.iter().for_each(|size| bytes.extend(size.to_be_bytes()));
        bytes.extend(content);
        bytes
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn images_of(bytes: &[u8]) -> Result<(ImageShape, Array2<u8>), DataError> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("images");
        std::fs::write(&path, bytes).unwrap();
        read_images(&path)
    }

    #[test]
    fn plain_and_gzipped_images_are_read_alike() {
        let content: Vec<u8> = (0..2 * 3 * 4).collect();
        let bytes = idx(&[2, 3, 4], &content);
        let (shape, pixels) = images_of(&bytes).unwrap();
        assert_eq!(shape, ImageShape { height: 3, width: 4, channels: 1 });
        assert_eq!(pixels.as_slice().unwrap(), content);
        assert_eq!(images_of(&gzip(&bytes)).unwrap().1, pixels);
        let colour = images_of(&idx(&[2, 2, 2, 3], &content)).unwrap();
        assert_eq!(colour.0, ImageShape { height: 2, width: 2, channels: 3 });
    }

    #[test]
    fn every_shorter_file_is_an_error_and_never_a_panic() {
        for bytes in [idx(&[2, 3, 4], &[7; 24]), gzip(&idx(&[2, 3, 4], &[7; 24]))] {
            for n_kept in 0..bytes.len() {
                let found = images_of(&bytes[..n_kept]);
                assert!(found.is_err(), "{n_kept} of {} bytes: {found:?}", bytes.len());
            }
        }
        let cut = images_of(&idx(&[2, 3, 4], &[7; 23]));
        assert!(
            matches!(cut, Err(DataError::Truncated { found: 39, expected: 40, .. })),
            "{cut:?}"
        );
    }

    #[test]
    fn bytes_after_the_promised_ones_are_an_error() {
        let long = idx(&[2, 3, 4], &[7; 25]);
        for bytes in [long.clone(), gzip(&long)] {
            let found = images_of(&bytes);
            assert!(
                matches!(found, Err(DataError::TrailingBytes { expected: 40, .. })),
                "{found:?}"
            );
        }
    }

    #[test]
    fn a_header_that_promises_the_moon_allocates_nothing() {
        for dims in [[u32::MAX; 3], [1 << 30, 28, 28]] {
            for bytes in [idx(&dims, &[0; 8]), gzip(&idx(&dims, &[0; 8]))] {
                let found = images_of(&bytes);
                assert!(matches!(found, Err(DataError::Truncated { .. })), "{found:?}");
            }
        }
    }

    #[test]
    fn wrong_magic_shape_and_gzip_are_told_apart() {
        let labels = idx(&[4], &[0; 4]);
        let found = images_of(&labels);
        assert!(matches!(found, Err(DataError::WrongMagic { found: 0x801, .. })), "{found:?}");
        let found = images_of(&idx(&[2, 0, 4], &[]));
        assert!(matches!(found, Err(DataError::UnusableShape { .. })), "{found:?}");
        let mut broken = gzip(&idx(&[2, 3, 4], &[7; 24]));
        let middle = broken.len() / 2;
        broken[middle..].fill(0xff);
        let found = images_of(&broken);
        assert!(found.is_err(), "{found:?}");
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("labels.gz");
        std::fs::write(&path, &labels).unwrap();
        assert!(matches!(read_labels(&path), Err(DataError::NotGzip { .. })));
        assert!(matches!(
            read_labels(&dir.path().join("absent")),
            Err(DataError::MissingFile { .. })
        ));
    }
}
