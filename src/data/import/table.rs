//! Tables with a column of labels: pixels in the other columns, or paths to images in one.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use polars::prelude::*;

use super::bytes::{Pixels, arranged, rows, shape_of_row};
use super::classes::number_labels;
use super::images::{self, ImageFile, Listing};
use super::source::extension;
use super::{ImportError, ImportOptions, Raw, Survey, check_memory, free_memory};
use crate::data::{DataError, ImageShape};
use crate::progress::Progress;

/// Names of a column of labels, in the order of preference; the first column is taken if none.
const LABELS: [&str; 5] = ["label", "class", "target", "category", "y"];

/// Names of a column of paths.
const PATHS: [&str; 6] = ["path", "file", "filename", "file_name", "image", "image_path"];

/// Memory that a table of text takes while it is read, in sizes of its file.
const MEMORY_OF_TEXT: u64 = 5;

/// Rows from which the types of the columns are taken.
const N_INFERRED: usize = 10_000;

/// Most bytes of the first line.
const MAX_LINE: u64 = 16 << 20;

/// A table with its columns told apart.
struct Table {
    frame: DataFrame,
    label: usize,
    /// The column of paths; none if the others are pixels.
    path: Option<usize>,
}

/// Reads one table, or one of training and one of test images.
pub(super) fn read(
    train: &Path,
    test: Option<&Path>,
    options: &ImportOptions,
    progress: &dyn Progress,
) -> Result<Raw, DataError> {
    let paths = [Some(train), None, test];
    let mut tables: [Option<Table>; 3] = Default::default();
    for (table, path) in tables.iter_mut().zip(paths) {
        if let Some(path) = path {
            *table = Some(open(path, options)?);
        }
    }
    let mut labels: [Vec<String>; 3] = Default::default();
    for ((labels, table), path) in labels.iter_mut().zip(&tables).zip(paths) {
        if let (Some(table), Some(path)) = (table, path) {
            *labels = texts(path, &table.frame.columns()[table.label], "a label")?;
        }
    }
    let (class_names, labels) = number_labels(train, labels)?;
    let is_listing = |table: &Table| table.path.is_some();
    if tables.iter().flatten().all(is_listing) {
        let mut files: [Vec<ImageFile>; 3] = Default::default();
        for (part, (table, path)) in tables.iter().zip(paths).enumerate() {
            let (Some(Table { frame, path: Some(column), .. }), Some(path)) = (table, path) else {
                continue;
            };
            let directory = path.parent().unwrap_or(Path::new(""));
            let names = texts(path, &frame.columns()[*column], "the path of an image")?;
            files[part] = names
                .into_iter()
                .zip(&labels[part])
                .map(|(name, &label)| ImageFile { path: directory.join(name), label })
                .collect();
        }
        let survey = Survey::default();
        let root = train.to_owned();
        return images::read(Listing { root, files, class_names, survey }, options, progress);
    }

    let mut shape = None;
    let mut pixels: [Vec<u8>; 3] = Default::default();
    let mut n_images = 0;
    for (part, (table, path)) in tables.iter().zip(paths).enumerate() {
        let (Some(table), Some(path)) = (table, path) else { continue };
        n_images += table.frame.height();
        let (found, bytes) = values(path, table, n_images, options, progress)?;
        match shape {
            Some(shape) if shape != found => {
                let dimensions = |s: ImageShape| [s.height, s.width, s.channels];
                return Err(DataError::ShapeMismatch {
                    train: dimensions(shape),
                    test: dimensions(found),
                });
            }
            _ => shape = Some(found),
        }
        pixels[part] = bytes;
    }
    drop(tables);
    let shape = shape.expect("there is a table of training images");
    let sizes = vec![([shape.height, shape.width], n_images)];
    let pixels = pixels.map(|bytes| rows(bytes, shape));
    let (shape, pixels) = arranged(shape, pixels, options, progress)?;
    let survey = Survey { sizes, ..Survey::default() };
    Ok(Raw { shape, pixels, labels, class_names, survey })
}

/// Reads a table and tells its columns apart.
fn open(path: &Path, options: &ImportOptions) -> Result<Table, DataError> {
    let metadata = std::fs::metadata(path).map_err(DataError::io(path))?;
    let (found, free) = (metadata.len(), free_memory());
    let needed = found.saturating_mul(MEMORY_OF_TEXT);
    if needed > free {
        return Err(ImportError::TableMemory { path: path.to_owned(), found, needed, free }.into());
    }
    let frame = if extension(path) == "parquet" { parquet(path)? } else { csv(path)? };
    let fault =
        |reason: &str| ImportError::Table { path: path.to_owned(), reason: reason.to_owned() };
    if frame.height() == 0 {
        return Err(fault("it has no rows").into());
    }
    if frame.width() < 2 {
        return Err(
            fault("it has one column, expected labels and pixels, or labels and paths").into()
        );
    }
    let label = label_column(path, &frame, options.label.as_deref())?;
    let is_text = |at: &usize| frame.columns()[*at].dtype() == &DataType::String;
    let mut others = (0..frame.width()).filter(|&at| at != label);
    let is_path = |at: &usize| {
        let name = frame.columns()[*at].name().to_lowercase();
        PATHS.contains(&name.as_str()) && is_text(at)
    };
    let path = match (others.clone().find(is_path), others.next(), others.next()) {
        (Some(named), ..) => Some(named),
        (None, Some(only), None) => Some(only).filter(is_text),
        _ => None,
    };
    Ok(Table { frame, label, path })
}

/// A comma, semicolon or tab separated table, with names of its columns or without.
fn csv(path: &Path) -> Result<DataFrame, DataError> {
    let file = File::open(path).map_err(DataError::io(path))?;
    let mut first = Vec::new();
    BufReader::new(file)
        .take(MAX_LINE)
        .read_until(b'\n', &mut first)
        .map_err(DataError::io(path))?;
    let count = |separator: &u8| first.iter().filter(|byte| *byte == separator).count();
    let separator = [b'\t', b';', b','].into_iter().max_by_key(count).unwrap_or(b',');
    let is_number = |cell: &[u8]| {
        std::str::from_utf8(cell).is_ok_and(|text| text.trim().parse::<f64>().is_ok())
    };
    let has_names = !first.split(|&byte| byte == separator).all(is_number);
    let frame = CsvReadOptions::default()
        .with_has_header(has_names)
        .with_infer_schema_length(Some(N_INFERRED))
        .map_parse_options(|parse| parse.with_separator(separator))
        .try_into_reader_with_file_path(Some(path.to_owned()))
        .and_then(CsvReader::finish);
    Ok(frame.map_err(|error| ImportError::Table {
        path: path.to_owned(),
        reason: error.to_string().lines().next().unwrap_or_default().to_owned(),
    })?)
}

#[cfg(feature = "parquet")]
fn parquet(path: &Path) -> Result<DataFrame, DataError> {
    let file = File::open(path).map_err(DataError::io(path))?;
    let frame = ParquetReader::new(file).finish();
    Ok(frame.map_err(|error| ImportError::Table {
        path: path.to_owned(),
        reason: error.to_string().lines().next().unwrap_or_default().to_owned(),
    })?)
}

#[cfg(not(feature = "parquet"))]
fn parquet(path: &Path) -> Result<DataFrame, DataError> {
    Err(ImportError::NoParquet { path: path.to_owned() }.into())
}

/// The column of the labels: as asked for by name or number, else by one of [`LABELS`], else the
/// first.
fn label_column(
    path: &Path,
    frame: &DataFrame,
    wanted: Option<&str>,
) -> Result<usize, ImportError> {
    let named = |name: &str| {
        frame.columns().iter().position(|column| column.name().eq_ignore_ascii_case(name))
    };
    let Some(wanted) = wanted else {
        return Ok(LABELS.iter().find_map(|name| named(name)).unwrap_or(0));
    };
    let numbered = || {
        let number: usize = wanted.parse().ok()?;
        (1..=frame.width()).contains(&number).then(|| number - 1)
    };
    named(wanted).or_else(numbered).ok_or_else(|| {
        let names: Vec<&str> =
            frame.columns().iter().take(8).map(|column| column.name().as_str()).collect();
        let more = if frame.width() > names.len() { ", …" } else { "" };
        let columns = format!("{}{more}", names.join(", "));
        ImportError::NoColumn { path: path.to_owned(), wanted: wanted.to_owned(), columns }
    })
}

/// A column as text, no cell of it empty.
fn texts(path: &Path, column: &Column, expected: &'static str) -> Result<Vec<String>, ImportError> {
    let table = |error: PolarsError| ImportError::Table {
        path: path.to_owned(),
        reason: error.to_string(),
    };
    let is_real = column.dtype().is_float();
    let column = column.cast(&DataType::String).map_err(table)?;
    let cells = column.str().map_err(table)?;
    let mut texts = Vec::with_capacity(cells.len());
    for (row, cell) in cells.iter().enumerate() {
        let text = cell.map(str::trim).filter(|text| !text.is_empty());
        let text = text.ok_or_else(|| ImportError::Cell {
            path: path.to_owned(),
            row: row + 1,
            column: column.name().to_string(),
            found: "nothing".to_owned(),
            expected,
        })?;
        let whole = text.strip_suffix(".0").filter(|_| is_real);
        texts.push(whole.unwrap_or(text).to_owned());
    }
    Ok(texts)
}

/// Columns of a row that are read at a time, so that few are held as numbers.
const N_COLUMNS: usize = 64;

/// The pixels of a table, image by image; with those of the tables before there are `n_images`.
fn values(
    path: &Path,
    table: &Table,
    n_images: usize,
    options: &ImportOptions,
    progress: &dyn Progress,
) -> Result<(ImageShape, Vec<u8>), DataError> {
    let columns: Vec<&Column> = (0..table.frame.width())
        .filter(|&at| at != table.label && Some(at) != table.path)
        .map(|at| &table.frame.columns()[at])
        .collect();
    let n_pixels = columns.len();
    let shape = shape_of_row(n_pixels, options.size)
        .ok_or_else(|| ImportError::NotSquare { path: path.to_owned(), n_pixels })?;
    check_memory(n_images, shape)?;
    let n_rows = table.frame.height();
    let are_real = columns.iter().any(|column| column.dtype().is_float());
    // Columns come one after another, pixels of an image must: shares are told by all of them.
    let mut all = Pixels::new(are_real, n_rows * n_pixels);
    for (done, columns) in columns.chunks(N_COLUMNS).enumerate() {
        if progress.interrupted() {
            return Err(DataError::Interrupted);
        }
        for column in columns {
            push_column(path, column, &mut all)?;
        }
        progress.update((done * N_COLUMNS) as u64, n_pixels as u64, "columns read");
    }
    let by_column = all.into_bytes();
    let mut by_image = vec![0; by_column.len()];
    for (at, column) in by_column.chunks_exact(n_rows).enumerate() {
        for (row, &value) in column.iter().enumerate() {
            by_image[row * n_pixels + at] = value;
        }
    }
    Ok((shape, by_image))
}

fn push_column(path: &Path, column: &Column, pixels: &mut Pixels) -> Result<(), ImportError> {
    let table = |error: PolarsError| ImportError::Table {
        path: path.to_owned(),
        reason: error.to_string(),
    };
    let numbers = column.cast(&DataType::Float64).map_err(table)?;
    for (row, value) in numbers.f64().map_err(table)?.iter().enumerate() {
        if !value.is_some_and(|value| pixels.push(value)) {
            let found = column.get(row).map_or("nothing".to_owned(), |cell| cell.to_string());
            return Err(ImportError::Cell {
                path: path.to_owned(),
                row: row + 1,
                column: column.name().to_string(),
                found,
                expected: "a pixel",
            });
        }
    }
    Ok(())
}
