//! Results as tables: flat rows for files, eight columns for people.

use polars::prelude::*;

use super::format::{bytes, rate, seconds, share};
use super::{ModelResult, ReportError, Results};

/// Said above every table that holds figures of generated images.
pub const SYNTHETIC_NOTICE: &str =
    "SYNTHETIC DATA: generated images, not the real data set; these figures say nothing about it.";

/// Said beside every model whose fit ended before its tolerance.
pub(super) const NOT_CONVERGED: &str = "did not converge";

/// Rows of all models of `runs`, in the order of their pipeline files.
///
/// One row per model, flat columns, numbers unrounded; the layout of `results.csv`.
/// # Errors   if polars cannot build the frame
pub fn results_frame(runs: &[&Results]) -> Result<DataFrame, ReportError> {
    let rows: Vec<(&Results, &ModelResult)> =
        runs.iter().flat_map(|run| run.models.iter().map(move |model| (*run, model))).collect();
    macro_rules! column {
        ($name:literal, |$run:ident, $model:ident| $value:expr) => {
            Column::new($name.into(), rows.iter().map(|($run, $model)| $value).collect::<Vec<_>>())
        };
    }
    let columns = vec![
        column!("pipeline", |run, _model| run.pipeline.as_str()),
        column!("run", |run, _model| run.run.as_str()),
        column!("dataset", |run, model| run.dataset_of(model).name.as_str()),
        column!("synthetic", |run, model| run.dataset_of(model).synthetic),
        column!("seed", |run, model| run.seed_of(model)),
        column!("threads", |run, _model| run.threads as u64),
        column!("n_train", |run, model| run.dataset_of(model).n_train as u64),
        column!("n_validation", |run, model| run.dataset_of(model).n_validation as u64),
        column!("n_test", |run, model| run.dataset_of(model).n_test as u64),
        column!("evaluation", |_run, model| model.evaluation.as_str()),
        column!("model", |_run, model| model.id.as_str()),
        column!("title", |_run, model| model.title.as_str()),
        column!("family", |_run, model| model.family.as_str()),
        column!("input", |_run, model| model.input.as_str()),
        column!("n_features", |_run, model| model.n_features as u64),
        column!("accuracy", |_run, model| model.accuracy),
        column!("reported", |_run, model| model.reported),
        column!("accuracy_lo95", |_run, model| model.accuracy_ci95[0]),
        column!("accuracy_hi95", |_run, model| model.accuracy_ci95[1]),
        column!("macro_precision", |_run, model| model.macro_precision),
        column!("macro_recall", |_run, model| model.macro_recall),
        column!("macro_f1", |_run, model| model.macro_f1),
        column!("weighted_precision", |_run, model| model.weighted_precision),
        column!("weighted_recall", |_run, model| model.weighted_recall),
        column!("weighted_f1", |_run, model| model.weighted_f1),
        column!("converged", |_run, model| model.converged()),
        column!("fit_seconds", |_run, model| model.fit_seconds),
        column!("total_fit_seconds", |run, model| run.total_fit_seconds(model)),
        column!("fit_cpu_seconds", |_run, model| model.fit_cpu_seconds),
        column!("predict_seconds", |_run, model| model.predict_seconds),
        column!("predict_images_per_second", |run, model| run.images_per_second(model)),
        column!("model_bytes", |_run, model| model.model_bytes),
        column!("peak_rss_bytes", |_run, model| model.peak_rss_bytes),
    ];
    Ok(DataFrame::new(rows.len(), columns)?)
}

/// The summary that people read: one row per model, rounded, with units; mean and deviation of a
/// model made with several seeds, whose other figures are those of the first.
///
/// With several runs a first column names the run; if any run is synthetic or has several
/// evaluations, a `data` column says what each model was tested on.
/// # Errors   if polars cannot build the frame
pub fn summary_frame(runs: &[&Results]) -> Result<DataFrame, ReportError> {
    let runs: Vec<Results> = runs.iter().map(|run| run.of_first_seed()).collect();
    let rows: Vec<(&Results, &ModelResult)> =
        runs.iter().flat_map(|run| run.models.iter().map(move |model| (run, model))).collect();
    let column = |name: &str, cell: &dyn Fn(&Results, &ModelResult) -> String| {
        let cells: Vec<String> = rows.iter().map(|(run, model)| cell(run, model)).collect();
        Column::new(name.into(), cells)
    };
    let mut columns = Vec::new();
    if runs.len() > 1 {
        columns.push(column("run", &|run, _| format!("{}/{}", run.pipeline, run.run)));
    }
    if runs.iter().any(|run| run.is_synthetic() || run.evaluations.len() > 1) {
        columns.push(column("data", &|run, model| {
            let dataset = run.dataset_of(model);
            let mark = if dataset.synthetic { " (SYNTHETIC)" } else { "" };
            match run.evaluation_of(model) {
                Some(evaluation) if run.evaluations.len() > 1 => {
                    format!("{}{mark}, {}", dataset.name, evaluation.title)
                }
                _ => format!("{}{mark}", dataset.name),
            }
        }));
    }
    columns.extend([
        column("model", &|_, model| match model.converged() {
            Some(false) => format!("{} ({NOT_CONVERGED})", model.title),
            _ => model.title.clone(),
        }),
        column("input", &|_, model| model.input.clone()),
        column("accuracy [95 % interval]", &|run, model| match run.summary_of(model) {
            Some(summary) if summary.sd_accuracy.is_some() => {
                let (mean, sd) = (summary.mean_accuracy, summary.sd_accuracy.unwrap_or(0.0));
                format!("{} ± {} over {} seeds", share(mean), share(sd), summary.seeds.len())
            }
            _ => {
                let [lo, hi] = model.accuracy_ci95;
                format!("{} [{}, {}]", share(model.accuracy), share(lo), share(hi))
            }
        }),
    ]);
    if rows.iter().any(|(_, model)| model.reported.is_some()) {
        columns.push(column("reported", &|_, model| model.reported.map_or("–".to_owned(), share)));
    }
    columns.extend([
        column("macro F1", &|_, model| share(model.macro_f1)),
        column("fit", &|_, model| seconds(model.fit_seconds)),
        column("predict images/s", &|run, model| rate(run.images_per_second(model))),
        column("model size", &|_, model| bytes(model.model_bytes)),
        column("peak memory", &|_, model| model.peak_rss_bytes.map_or("–".to_owned(), bytes)),
    ]);
    Ok(DataFrame::new(rows.len(), columns)?)
}

/// `results.csv` of one run or several.
///
/// # Errors   if polars cannot build or write the frame
pub fn csv(runs: &[&Results]) -> Result<String, ReportError> {
    let mut written = Vec::new();
    CsvWriter::new(&mut written).finish(&mut results_frame(runs)?)?;
    Ok(String::from_utf8_lossy(&written).into_owned())
}

/// The rows of [`csv`] as a Parquet file.
///
/// # Errors   if polars cannot build or write the frame
#[cfg(feature = "parquet")]
pub fn parquet(runs: &[&Results]) -> Result<Vec<u8>, ReportError> {
    let mut written = Vec::new();
    ParquetWriter::new(&mut written).finish(&mut results_frame(runs)?)?;
    Ok(written)
}

/// The summary as aligned text for a terminal.
///
/// Why not the frame's own `Display`: it cuts columns and texts, and is told otherwise only through
/// environment variables of the whole process.
/// # Errors   if polars cannot build the frame
pub fn text(runs: &[&Results]) -> Result<String, ReportError> {
    Ok(format!("{}{}", notice(runs, ""), aligned_text(&summary_frame(runs)?)?))
}

/// A frame of texts as aligned lines, header and rule first.
pub(super) fn aligned_text(frame: &DataFrame) -> Result<String, ReportError> {
    let table = Cells::of(frame)?;
    let rule: Vec<String> = table.widths.iter().map(|&width| "─".repeat(width)).collect();
    let mut lines = vec![table.aligned(&table.header, "  "), rule.join("  ")];
    lines.extend(table.rows.iter().map(|row| table.aligned(row, "  ")));
    let lines: Vec<&str> = lines.iter().map(|line| line.trim_end()).collect();
    Ok(format!("{}\n", lines.join("\n")))
}

/// The summary as a Markdown table.
///
/// # Errors   if polars cannot build the frame
pub fn markdown(runs: &[&Results]) -> Result<String, ReportError> {
    let mut table = Cells::of(&summary_frame(runs)?)?;
    for cell in table.rows.iter_mut().flatten() {
        *cell = cell.replace('\\', "\\\\").replace('|', "\\|").replace('<', "\\<");
    }
    table.measure();
    let rule: Vec<String> = table
        .widths
        .iter()
        .zip(&table.is_text)
        .map(|(&width, &is_text)| match is_text {
            true => "-".repeat(width),
            false => format!("{}:", "-".repeat(width - 1)),
        })
        .collect();
    let mut lines = vec![format!("| {} |", table.aligned(&table.header, " | "))];
    lines.push(format!("| {} |", rule.join(" | ")));
    lines.extend(table.rows.iter().map(|row| format!("| {} |", table.aligned(row, " | "))));
    Ok(format!("{}{}\n", notice(runs, "> "), lines.join("\n")))
}

fn notice(runs: &[&Results], prefix: &str) -> String {
    match runs.iter().any(|run| run.is_synthetic()) {
        true => format!("{prefix}{SYNTHETIC_NOTICE}\n\n"),
        false => String::new(),
    }
}

/// Columns that hold words; the others hold figures and are set flush right.
const TEXT_COLUMNS: [&str; 6] = ["run", "data", "model", "input", "kernel", "engine"];

/// A frame of texts, row by row, with the width of each column in characters.
struct Cells {
    header: Vec<String>,
    rows: Vec<Vec<String>>,
    widths: Vec<usize>,
    is_text: Vec<bool>,
}

impl Cells {
    fn of(frame: &DataFrame) -> Result<Cells, ReportError> {
        let header: Vec<String> =
            frame.get_column_names().iter().map(|name| name.to_string()).collect();
        let mut rows = vec![Vec::with_capacity(header.len()); frame.height()];
        for column in frame.columns() {
            for (row, cell) in rows.iter_mut().zip(column.str()?.iter()) {
                // A title with a line break or a control character may not break the table.
                let cell = cell.unwrap_or_default();
                row.push(cell.chars().map(|c| if c.is_control() { ' ' } else { c }).collect());
            }
        }
        let is_text = header.iter().map(|name| TEXT_COLUMNS.contains(&name.as_str())).collect();
        let mut cells = Cells { header, rows, widths: Vec::new(), is_text };
        cells.measure();
        Ok(cells)
    }

    fn measure(&mut self) {
        self.widths = (0..self.header.len())
            .map(|column| {
                let cells = self.rows.iter().map(|row| row[column].chars().count());
                cells.chain([self.header[column].chars().count(), 3]).max().unwrap_or(3)
            })
            .collect();
    }

    fn aligned(&self, row: &[String], separator: &str) -> String {
        let cells: Vec<String> = row
            .iter()
            .zip(&self.widths)
            .zip(&self.is_text)
            .map(|((cell, &width), &is_text)| match is_text {
                true => format!("{cell:<width$}"),
                false => format!("{cell:>width$}"),
            })
            .collect();
        cells.join(separator)
    }
}

#[cfg(test)]
mod tests {
    use super::super::example;
    use super::*;

    #[test]
    fn terminal_table_is_stable() {
        let mut results = example::run_output().results;
        results.models.iter_mut().for_each(|model| model.reported = None);
        insta::assert_snapshot!(text(&[&results]).unwrap());
    }

    #[test]
    fn every_row_of_a_synthetic_table_says_so() {
        let mut results = example::run_output().results;
        results.evaluations[0].dataset.synthetic = true;
        results.evaluations[0].dataset.name = "garments".to_owned();
        for table in [text(&[&results]).unwrap(), markdown(&[&results]).unwrap()] {
            assert!(table.contains(SYNTHETIC_NOTICE));
            assert_eq!(table.matches("garments (SYNTHETIC)").count(), results.models.len());
        }
    }

    #[test]
    fn each_model_is_measured_on_the_data_of_its_own_evaluation() {
        let mut results = example::run_output().results;
        assert!(!text(&[&results]).unwrap().contains("data"));
        let mut second = results.evaluations[0].clone();
        second.id = "other".to_owned();
        second.title = "80/20 split".to_owned();
        second.dataset.n_test = 40;
        results.evaluations.push(second);
        let model = results.models.last_mut().unwrap();
        model.evaluation = "other".to_owned();
        model.predict_seconds = 2.0;
        let table = text(&[&results]).unwrap();
        assert_eq!(table.matches("example, data ").count(), results.models.len() - 1);
        assert_eq!(table.matches("example, 80/20 split").count(), 1);
        assert_eq!(results.images_per_second(results.models.last().unwrap()), 20.0);
        let csv = csv(&[&results]).unwrap();
        let last = csv.lines().last().unwrap();
        assert!(last.contains(",54000,6000,40,other,"), "{last}");
    }

    #[test]
    fn results_written_before_there_were_evaluations_are_read() {
        let mut results = example::run_output().results;
        let mut document = serde_json::to_value(&results).unwrap();
        document.as_object_mut().unwrap().remove("evaluations");
        for model in document["models"].as_array_mut().unwrap() {
            model.as_object_mut().unwrap().remove("evaluation");
        }
        results.evaluations.clear();
        results.models.iter_mut().for_each(|model| model.evaluation.clear());
        assert_eq!(serde_json::from_value::<Results>(document).unwrap(), results);
        assert_eq!(results.first_models().count(), results.models.len());
        assert_eq!(results.dataset_of(&results.models[0]), &results.dataset);
    }

    #[test]
    fn a_model_that_did_not_converge_says_so() {
        let mut results = example::run_output().results;
        let table = text(&[&results]).unwrap();
        assert!(!table.contains(NOT_CONVERGED), "{table}");
        results.models[2].details.insert("converged".to_owned(), false.into());
        for table in [text(&[&results]).unwrap(), markdown(&[&results]).unwrap()] {
            assert_eq!(table.matches("SVM (linear) (did not converge)").count(), 1, "{table}");
        }
    }

    #[test]
    fn csv_holds_one_row_per_model_and_reads_back() {
        let results = example::run_output().results;
        let written = csv(&[&results]).unwrap();
        let read = CsvReader::new(std::io::Cursor::new(written.as_bytes())).finish().unwrap();
        assert_eq!(read.height(), results.models.len());
        let accuracies: Vec<Option<f64>> =
            read.column("accuracy").unwrap().f64().unwrap().iter().collect();
        let expected: Vec<Option<f64>> =
            results.models.iter().map(|model| Some(model.accuracy)).collect();
        assert_eq!(accuracies, expected);
    }

    #[test]
    fn markdown_cells_cannot_break_the_table() {
        let mut results = example::run_output().results;
        results.models[0].title = "a | b\n<script>".to_owned();
        let table = markdown(&[&results]).unwrap();
        assert!(table.contains("a \\| b \\<script>"), "{table}");
        assert_eq!(table.lines().count(), results.models.len() + 2);
    }

    #[test]
    fn no_models_give_a_header_alone() {
        let mut results = example::run_output().results;
        results.models.clear();
        assert_eq!(text(&[&results]).unwrap().lines().count(), 2);
        assert_eq!(csv(&[&results]).unwrap().lines().count(), 1);
    }

    #[test]
    fn a_model_of_several_seeds_is_one_row_with_its_deviation() {
        let results = example::seeds_output().results;
        let table = text(&[&results]).unwrap();
        assert_eq!(table.lines().count(), 2 + 9, "{table}");
        assert_eq!(table.matches(" over 3 seeds").count(), 7, "{table}");
        assert!(!table.contains("data"), "{table}");
        let csv = csv(&[&results]).unwrap();
        assert_eq!(csv.lines().count(), 1 + 3 * 7 + 2);
        assert_eq!(csv.lines().filter(|line| line.contains(",43,2,")).count(), 7, "{csv}");
    }
}
