//! `pipeline predict`: what fitted models say of new images.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use rayon::prelude::*;
use serde_json::json;

use super::fitted::{AdjustArgs, Fitted, RunArgs};
use super::observer::Terminal;
use super::outcome::{UsageError, say};
use super::target::set_threads;
use crate::data::{
    DataError, DecodeLimits, Decoded, decode_image, image_files, read_bounded, read_image,
};
use crate::learn::Meaning;
use crate::model::Answer;

/// Images that are decoded and labelled together.
const N_IMAGES_PER_BATCH: usize = 1024;

/// Label images with the models of a finished run.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  \
    pipeline predict cnn_svm photo.jpg --invert --centre\n  \
    pipeline predict cnn_svm --model svm_rbf_a3 ./pictures --format csv\n  \
    curl -s https://example.org/shoe.png | pipeline predict cnn_svm -")]
pub struct Args {
    #[command(flatten)]
    run: RunArgs,
    /// PNG or JPEG files, directories of them, or `-` for one image on standard input.
    #[arg(value_name = "IMAGE|DIR", required = true)]
    images: Vec<PathBuf>,
    /// Stage that made the model; all models of the run if none is named.
    #[arg(long, value_name = "ID")]
    model: Option<String>,
    #[command(flatten)]
    adjust: AdjustArgs,
    /// Form of the output.
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
    /// Threads to use [default: all cores].
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Aligned text: class, score and runner-up.
    Table,
    /// As the table, unrounded.
    Csv,
    /// One JSON document a line, with the scores of every class.
    Jsonl,
}

/// Prints one line for each image and model.
///
/// # Errors   if the run is not there, or an image cannot be read (the others are labelled)
pub fn run(args: Args) -> anyhow::Result<()> {
    set_threads(args.threads)?;
    let models = args.run.models(args.model.as_deref())?;
    if models.is_empty() {
        let message = format!("run `{}` has no models", args.run.name());
        return Err(UsageError::new(message, None).into());
    }
    let adjust = args.adjust.adjust();
    let files = files(&args.images)?;
    let observer = Terminal::new(false)?;
    let mut printer = Printer::new(args.format, models.len() > 1)?;
    let mut n_failed = 0;
    for batch in files.chunks(N_IMAGES_PER_BATCH) {
        let decoded: Vec<Result<Decoded, DataError>> = batch.par_iter().map(|f| read(f)).collect();
        let mut named = Vec::with_capacity(batch.len());
        for (path, image) in batch.iter().zip(decoded) {
            match image {
                Ok(image) => named.push((path.as_path(), image)),
                Err(error) => {
                    n_failed += 1;
                    say(&format!("error: `{}`: {error}", path.display()));
                }
            }
        }
        let answers = models
            .iter()
            .map(|fitted| {
                let input = &fitted.model.chain.input;
                let rows: Vec<Vec<u8>> =
                    named.par_iter().map(|(_, image)| adjust.row(image, input)).collect();
                Ok(fitted.model.answers(&rows, &observer)?)
            })
            .collect::<anyhow::Result<Vec<Vec<Answer>>>>()?;
        for (nth, (path, _)) in named.iter().enumerate() {
            for (fitted, answers) in models.iter().zip(&answers) {
                printer.print(path, fitted, &answers[nth])?;
            }
        }
    }
    printer.finish()?;
    anyhow::ensure!(n_failed == 0, "{n_failed} of {} images could not be read", files.len());
    Ok(())
}

/// Every image file that is meant; `-` stays.
fn files(paths: &[PathBuf]) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for path in paths {
        if path.as_os_str() == "-" {
            files.push(path.clone());
        } else {
            files.extend(image_files(path)?);
        }
    }
    Ok(files)
}

fn read(path: &Path) -> Result<Decoded, DataError> {
    let limits = DecodeLimits::default();
    if path.as_os_str() != "-" {
        return read_image(path, &limits);
    }
    let bytes = read_bounded(io::stdin().lock())
        .map_err(|source| DataError::Io { path: path.to_owned(), source })?;
    decode_image(&bytes, &limits)
}

/// Writes answers in one form.
struct Printer {
    format: Format,
    several: bool,
    rows: Vec<Vec<String>>,
    csv: csv::Writer<io::Stdout>,
}

impl Printer {
    fn new(format: Format, several: bool) -> io::Result<Self> {
        let mut csv = csv::Writer::from_writer(io::stdout());
        let header =
            ["image", "model", "class", "score", "score_is", "runner_up", "runner_up_score"];
        if format == Format::Csv {
            csv.write_record(header)?;
        }
        Ok(Printer { format, several, rows: Vec::new(), csv })
    }

    fn print(&mut self, path: &Path, fitted: &Fitted, answer: &Answer) -> anyhow::Result<()> {
        let names = &fitted.model.chain.input.class_names;
        let name = |class: usize| names.get(class).map_or("?", String::as_str);
        let score_of = |class: usize| answer.scores.get(class).copied().unwrap_or(f64::NAN);
        let is = match answer.meaning {
            Meaning::Probability => "probability",
            Meaning::Decision => "decision",
        };
        let path = path.display().to_string();
        match self.format {
            Format::Jsonl => {
                let scores: serde_json::Map<String, serde_json::Value> = names
                    .iter()
                    .enumerate()
                    .map(|(class, name)| (name.clone(), json!(score_of(class))))
                    .collect();
                let line = json!({
                    "image": path,
                    "model": fitted.id,
                    "label": answer.label,
                    "class": name(answer.label),
                    "score": score_of(answer.label),
                    "score_is": is,
                    "runner_up": answer.runner_up.map(name),
                    "scores": scores,
                });
                writeln!(io::stdout(), "{line}")?;
            }
            Format::Csv => {
                let runner_up = answer.runner_up.map_or("", name);
                let second = answer.runner_up.map_or(String::new(), |of| score_of(of).to_string());
                let score = score_of(answer.label).to_string();
                let class = name(answer.label);
                self.csv
                    .write_record([&path, &fitted.id, class, &score, is, runner_up, &second])?;
            }
            Format::Table => {
                let shown = |class: usize| match answer.meaning {
                    Meaning::Probability => format!("{:.1} %", 100.0 * score_of(class)),
                    Meaning::Decision => format!("{:.3}", score_of(class)),
                };
                let mut row = vec![path];
                row.extend(self.several.then(|| fitted.title.clone()));
                row.extend([name(answer.label).to_owned(), shown(answer.label)]);
                row.extend(
                    answer.runner_up.map(|class| format!("{} {}", name(class), shown(class))),
                );
                self.rows.push(row);
                // A directory of thousands does not wait for its last image.
                if self.rows.len() >= N_IMAGES_PER_BATCH {
                    self.flush_table()?;
                }
            }
        }
        Ok(())
    }

    fn flush_table(&mut self) -> io::Result<()> {
        let n_columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..n_columns).map(width).collect();
        let mut out = io::stdout().lock();
        for row in self.rows.drain(..) {
            let cells = row.iter().zip(&widths).map(|(cell, &width)| format!("{cell:width$}"));
            writeln!(out, "{}", cells.collect::<Vec<_>>().join("  ").trim_end())?;
        }
        Ok(())
    }

    fn finish(mut self) -> io::Result<()> {
        self.flush_table()?;
        self.csv.flush()
    }
}
