//! Features and predictions as tables: NumPy's `.npy` or CSV.
//!
//! A `.npy` file is the magic `\x93NUMPY`, version 1.0, a length of two bytes, a Python dictionary padded
//! to a multiple of 64 bytes, and the values, little-endian, row-major
//! (<https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html>).

use std::fmt::Write as _;
use std::path::Path;

use super::ExportError;
use crate::data::{Features, Labels};
use crate::learn::Scores;

/// Form of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TableFormat {
    /// NumPy's own.
    Npy,
    /// Comma-separated values with a header.
    Csv,
}

impl TableFormat {
    /// By the ending of a file's name.
    ///
    /// # Errors   [`ExportError::TableFormat`]
    pub fn of(path: &Path) -> Result<Self, ExportError> {
        match path.extension().and_then(|ending| ending.to_str()) {
            Some("npy") => Ok(TableFormat::Npy),
            Some("csv") => Ok(TableFormat::Csv),
            _ => {
                let expected = "`.npy` or `.csv`";
                Err(ExportError::TableFormat { path: path.to_owned(), expected })
            }
        }
    }
}

/// What a model says of images, and what they are.
pub struct Predictions<'a> {
    /// True labels, `[n]`.
    pub truth: &'a Labels,
    /// Labels given, `[n]`.
    pub labels: &'a Labels,
    /// `[n, n_classes]`
    pub scores: &'a Scores,
    /// Names by label.
    pub class_names: &'a [String],
}

/// What is written.
pub enum Table<'a> {
    /// Bytes or `float32`, `[n, n_features]`; columns `f0`, `f1`, ….
    Features(&'a Features),
    /// A record an image: `truth` and `label` (`int64`), `scores` (`float32`, one a class); in CSV the
    /// names of both classes too.
    Predictions(Predictions<'a>),
}

impl Table<'_> {
    /// The table as a file.
    pub fn to_bytes(&self, format: TableFormat) -> Vec<u8> {
        match (self, format) {
            (Table::Features(Features::Bytes(rows)), TableFormat::Npy) => {
                npy("'|u1'", &format!("{}, {}", rows.nrows(), rows.ncols()), rows.iter().copied())
            }
            (Table::Features(Features::Floats(rows)), TableFormat::Npy) => {
                let shape = format!("{}, {}", rows.nrows(), rows.ncols());
                npy("'<f4'", &shape, rows.iter().flat_map(|v| v.to_le_bytes()))
            }
            (Table::Features(features), TableFormat::Csv) => features_csv(features),
            (Table::Predictions(all), TableFormat::Npy) => all.npy(),
            (Table::Predictions(all), TableFormat::Csv) => all.csv(),
        }
    }
}

fn npy(kind: &str, shape: &str, values: impl Iterator<Item = u8>) -> Vec<u8> {
    const PREAMBLE: usize = 10;
    let mut header = format!("{{'descr': {kind}, 'fortran_order': False, 'shape': ({shape}), }}");
    let length = (PREAMBLE + header.len() + 1).next_multiple_of(64) - PREAMBLE;
    header.push_str(&" ".repeat(length - header.len() - 1));
    header.push('\n');
    let mut file = b"\x93NUMPY\x01\x00".to_vec();
    file.extend((length as u16).to_le_bytes());
    file.extend(header.as_bytes());
    file.extend(values);
    file
}

fn features_csv(features: &Features) -> Vec<u8> {
    let names: Vec<String> = (0..features.n_features()).map(|f| format!("f{f}")).collect();
    let mut text = names.join(",");
    text.push('\n');
    let mut line = |values: &mut dyn Iterator<Item = String>| {
        text.push_str(&values.collect::<Vec<_>>().join(","));
        text.push('\n');
    };
    match features {
        Features::Bytes(rows) => {
            rows.rows().into_iter().for_each(|row| line(&mut row.iter().map(u8::to_string)));
        }
        Features::Floats(rows) => {
            rows.rows().into_iter().for_each(|row| line(&mut row.iter().map(f32::to_string)));
        }
    }
    text.into_bytes()
}

/// A field of CSV, quoted where it must be.
fn quoted(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

impl Predictions<'_> {
    fn npy(&self) -> Vec<u8> {
        let (n, n_classes) = self.scores.values.dim();
        let kind =
            format!("[('truth', '<i8'), ('label', '<i8'), ('scores', '<f4', ({n_classes},))]");
        let records = self.truth.iter().zip(self.labels).zip(self.scores.values.rows());
        let bytes = records.flat_map(|((&truth, &label), scores)| {
            let labels = [truth as i64, label as i64].into_iter().flat_map(i64::to_le_bytes);
            let scores = scores.into_iter().flat_map(|&score| (score as f32).to_le_bytes());
            labels.chain(scores).collect::<Vec<u8>>()
        });
        npy(&kind, &format!("{n},"), bytes)
    }

    fn csv(&self) -> Vec<u8> {
        let name = |label: usize| {
            self.class_names.get(label).map_or_else(|| label.to_string(), |name| quoted(name))
        };
        let mut text = "image,truth,true_class,label,class".to_owned();
        for class in 0..self.scores.values.ncols() {
            let column = self.class_names.get(class).map_or("", String::as_str);
            text.push(',');
            text.push_str(&quoted(&format!("score {column}")));
        }
        text.push('\n');
        let records = self.truth.iter().zip(self.labels).zip(self.scores.values.rows());
        for (image, ((&truth, &label), scores)) in records.enumerate() {
            // Writing to a string cannot fail.
            let _ = write!(text, "{image},{truth},{},{label},{}", name(truth), name(label));
            for &score in scores {
                let _ = write!(text, ",{}", score as f32);
            }
            text.push('\n');
        }
        text.into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;
    use crate::learn::Meaning;

    #[test]
    fn npy_is_what_numpy_writes() {
        // numpy.save of `numpy.array([[1, 2], [3, 4]], "u1")`, as NumPy 2 writes it.
        let file =
            Table::Features(&Features::Bytes(array![[1, 2], [3, 4]])).to_bytes(TableFormat::Npy);
        assert_eq!(&file[..10], b"\x93NUMPY\x01\x00\x76\x00");
        let header = "{'descr': '|u1', 'fortran_order': False, 'shape': (2, 2), }";
        assert_eq!(&file[10..10 + header.len()], header.as_bytes());
        assert_eq!(file[127], b'\n');
        assert_eq!(&file[128..], [1, 2, 3, 4]);
    }

    #[test]
    fn predictions_are_records() {
        let scores = Scores { values: array![[0.25, 0.75]], meaning: Meaning::Probability };
        let names = ["a, b".to_owned(), "c".to_owned()];
        let all = Predictions {
            truth: &array![0],
            labels: &array![1],
            scores: &scores,
            class_names: &names,
        };
        let table = Table::Predictions(all);
        let text = String::from_utf8(table.to_bytes(TableFormat::Csv)).unwrap();
        assert_eq!(
            text,
            "image,truth,true_class,label,class,\"score a, b\",score c\n0,0,\"a, b\",1,c,0.25,0.75\n"
        );
        let file = table.to_bytes(TableFormat::Npy);
        assert_eq!(file.len() % 64, 24);
        assert_eq!(&file[file.len() - 8..file.len() - 4], 0.25f32.to_le_bytes());
    }
}
