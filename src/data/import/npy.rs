//! NumPy's array file (<https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html>).
//!
//! `\x93NUMPY`, a version of two bytes, the length of the header (2 bytes, from version 2 on 4), the
//! header as a Python dictionary, then the values. The header is never trusted: exactly as many
//! values as it promises are read, and one byte more is an error.

use std::io::Read;

use super::bytes::Pixels;
use crate::progress::Progress;

const MAGIC: &[u8] = b"\x93NUMPY";

/// NumPy writes some hundred bytes.
const MAX_HEADER: usize = 1 << 16;

/// Values taken at a time.
const N_VALUES: usize = 1 << 16;

/// Most bytes of one label's text.
const MAX_TEXT: usize = 4096;

/// Why an array was not read.
pub(super) enum NpyFault {
    /// What is wrong with it.
    Malformed(String),
    Interrupted,
}

impl From<std::io::Error> for NpyFault {
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::UnexpectedEof => {
                NpyFault::Malformed("it ends before what its header promises".to_owned())
            }
            _ => NpyFault::Malformed(error.to_string()),
        }
    }
}

fn malformed<T>(reason: impl Into<String>) -> Result<T, NpyFault> {
    Err(NpyFault::Malformed(reason.into()))
}

/// An array whose header was read.
pub(super) struct Npy<R> {
    reader: R,
    /// Sizes of its dimensions, the last one fastest.
    pub(super) shape: Vec<usize>,
    /// `b` truth values, `i` and `u` whole numbers, `f` real ones, `U` and `S` text.
    kind: char,
    /// Bytes of a value.
    item_size: usize,
    big_endian: bool,
}

impl<R: Read> Npy<R> {
    /// Reads the header.
    pub(super) fn open(mut reader: R) -> Result<Self, NpyFault> {
        let mut start = [0; 8];
        reader.read_exact(&mut start)?;
        if &start[..6] != MAGIC {
            return malformed(format!("it starts with {:02x?}, no NumPy array does", &start[..6]));
        }
        let mut length = [0; 4];
        let n_length = if start[6] == 1 { 2 } else { 4 };
        reader.read_exact(&mut length[..n_length])?;
        let n_header = u32::from_le_bytes(length) as usize;
        if n_header > MAX_HEADER {
            return malformed(format!("its header has {n_header} bytes, at most {MAX_HEADER}"));
        }
        let mut header = vec![0; n_header];
        reader.read_exact(&mut header)?;
        let header = String::from_utf8_lossy(&header).into_owned();
        let bad = || NpyFault::Malformed(format!("its header is `{}`", header.trim()));
        let after = |key: &str| {
            let (_, rest) = header.split_once(&format!("'{key}':"))?;
            Some(rest.trim_start())
        };
        if after("fortran_order").ok_or_else(bad)?.starts_with("True") {
            return malformed("it is in Fortran's order, expected C's (`np.ascontiguousarray`)");
        }
        let shape = after("shape")
            .and_then(|rest| rest.strip_prefix('(')?.split_once(')'))
            .ok_or_else(bad)?
            .0
            .split(',')
            .map(str::trim)
            .filter(|size| !size.is_empty())
            .map(|size| size.parse().map_err(|_| bad()))
            .collect::<Result<Vec<usize>, _>>()?;
        let descr = after("descr")
            .and_then(|rest| rest.strip_prefix('\'')?.split_once('\''))
            .ok_or_else(bad)?
            .0;
        let (order, kind) = descr.split_at_checked(1).ok_or_else(bad)?;
        let (kind, size) = kind.split_at_checked(1).ok_or_else(bad)?;
        // Objects have no size.
        let size: usize = size.parse().unwrap_or(0);
        let kind = kind.chars().next().ok_or_else(bad)?;
        let is_known = match kind {
            'b' => size == 1,
            'i' | 'u' => [1, 2, 4, 8].contains(&size),
            'f' => [4, 8].contains(&size),
            'U' | 'S' => (1..=MAX_TEXT).contains(&size),
            _ => false,
        };
        if !is_known {
            return malformed(format!("values of type `{descr}` are neither pixels nor labels"));
        }
        let item_size = if kind == 'U' { 4 * size } else { size };
        Ok(Npy { reader, shape, kind, item_size, big_endian: order == ">" })
    }

    /// Values in all; none if that is more than can be counted.
    pub(super) fn n_values(&self) -> Option<usize> {
        self.shape.iter().try_fold(1usize, |product, &size| product.checked_mul(size))
    }

    /// All values as pixels. The caller has judged [`Npy::n_values`].
    pub(super) fn pixels(mut self, progress: &dyn Progress) -> Result<Vec<u8>, NpyFault> {
        if matches!(self.kind, 'U' | 'S') {
            return malformed("it holds text, expected pixels");
        }
        let n_values = self.n_values().unwrap_or(usize::MAX);
        let mut pixels = Pixels::new(self.kind == 'f', n_values);
        let mut n_done = 0;
        self.each_chunk(n_values, |values, this| {
            if progress.interrupted() {
                return Err(NpyFault::Interrupted);
            }
            for item in values.chunks_exact(this.item_size) {
                let value = this.number(item);
                if !pixels.push(value) {
                    return malformed(format!(
                        "value {value} at position {n_done} is no pixel, expected 0 to 255, or 0 \
                         to 1"
                    ));
                }
                n_done += 1;
            }
            progress.update(n_done as u64, n_values as u64, "pixels read");
            Ok(())
        })?;
        Ok(pixels.into_bytes())
    }

    /// All values as text of labels. The caller has judged [`Npy::n_values`].
    pub(super) fn labels(mut self) -> Result<Vec<String>, NpyFault> {
        let n_values = self.n_values().unwrap_or(usize::MAX);
        let mut labels = Vec::new();
        self.each_chunk(n_values, |values, this| {
            for item in values.chunks_exact(this.item_size) {
                labels.push(this.label(item)?);
            }
            Ok(())
        })?;
        Ok(labels)
    }

    /// Hands over `n_values` values in pieces, then makes sure that there are no more.
    fn each_chunk(
        &mut self,
        n_values: usize,
        mut take: impl FnMut(&[u8], &Self) -> Result<(), NpyFault>,
    ) -> Result<(), NpyFault> {
        let mut chunk = vec![0; N_VALUES.min(n_values) * self.item_size];
        let mut n_left = n_values;
        while n_left > 0 {
            let n_now = n_left.min(N_VALUES);
            let chunk = &mut chunk[..n_now * self.item_size];
            self.reader.read_exact(chunk)?;
            take(chunk, self)?;
            n_left -= n_now;
        }
        match self.reader.read(&mut [0]) {
            Ok(0) => Ok(()),
            Ok(_) => malformed("it goes on after what its header promises"),
            Err(error) => Err(error.into()),
        }
    }

    /// The value of a number of at most 8 bytes.
    fn number(&self, item: &[u8]) -> f64 {
        let bits = self.bits(item);
        match (self.kind, self.item_size) {
            ('f', 4) => f64::from(f32::from_bits(bits as u32)),
            ('f', _) => f64::from_bits(bits),
            ('i', size) => {
                let unused = 64 - 8 * size as u32;
                (((bits << unused) as i64) >> unused) as f64
            }
            _ => bits as f64,
        }
    }

    fn bits(&self, item: &[u8]) -> u64 {
        let shift = |bits: u64, byte: &u8| bits << 8 | u64::from(*byte);
        if self.big_endian { item.iter().fold(0, shift) } else { item.iter().rev().fold(0, shift) }
    }

    fn label(&self, item: &[u8]) -> Result<String, NpyFault> {
        Ok(match self.kind {
            'U' => item
                .chunks_exact(4)
                .map(|code| self.bits(code) as u32)
                .take_while(|&code| code != 0)
                .map(|code| char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER))
                .collect(),
            'S' => {
                let end = item.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
                String::from_utf8_lossy(&item[..end]).into_owned()
            }
            _ => {
                let value = self.number(item);
                if value.fract() != 0.0 || !value.is_finite() {
                    return malformed(format!("label {value} is no whole number"));
                }
                format!("{value}")
            }
        })
    }
}
