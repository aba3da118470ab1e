//! `pipeline explain`: what speaks for a model's decision on one image.

use std::io::{IsTerminal, Write, stderr, stdout};
use std::path::PathBuf;

use ndarray::Array1;
use serde_json::{Value, json};

use super::fitted::{Fitted, RunArgs};
use super::observer::Terminal;
use super::outcome::UsageError;
use crate::data::{Dataset, DecodeLimits, Picture, read_image};
use crate::explain::{self, Explanation, Options, Subject};
use crate::learn::Meaning;
use crate::model::Adjust;
use crate::report::{self, Explained, ExplainedScore};

/// Show what speaks for a model's decision on one image.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  pipeline explain cnn_svm --model svm_pixels --test 17\n  pipeline explain cnn_svm --model cnn --test 17 --layer relu_1 --out why\n  pipeline explain cnn_svm --model cnn --image photo.jpg --invert --centre"
)]
pub struct Args {
    #[command(flatten)]
    run: RunArgs,
    /// Stage that made the model.
    #[arg(long, value_name = "ID")]
    model: String,
    /// Test image of the run's data, counted from 0.
    #[arg(long, value_name = "INDEX", required_unless_present = "image", conflicts_with = "image")]
    test: Option<usize>,
    /// PNG or JPEG file instead.
    #[arg(long, value_name = "FILE")]
    image: Option<PathBuf>,
    /// Turn dark into light in the file first: for dark things on a light ground.
    #[arg(long, requires = "image")]
    invert: bool,
    /// Cut the thing out of the file, scale it and put it in the middle first.
    #[arg(long, requires = "image")]
    centre: bool,
    /// Directory to make, with index.html and the pictures [default: explain_PIPELINE_ID_IMAGE]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Layer of the network that Grad-CAM reads and whose maps are shown; by default the last
    /// convolution, and every rectifier.
    #[arg(long, value_name = "LAYER")]
    layer: Option<String>,
    /// Nearest training images to show.
    #[arg(long, value_name = "K", default_value_t = 8, value_parser = clap::value_parser!(u16).range(0..=100))]
    neighbors: u16,
    /// Points along each side of the map of the plane where classes meet; 0 leaves it out.
    #[arg(long, value_name = "N", default_value_t = 96, value_parser = clap::value_parser!(u16).range(0..=400))]
    cells: u16,
    /// Print one JSON document on standard output.
    #[arg(long)]
    json: bool,
}

/// Explains, writes the directory, prints the decision and what was written.
///
/// # Errors   if the run, the model or the image is not there, or the directory is
pub fn run(args: Args) -> anyhow::Result<()> {
    let run = args.run.open()?;
    let fitted = run.model(&args.model)?;
    let data = run.dataset(&args.model)?;
    let shown = Shown::of(&args, &fitted, &data)?;
    let out = args.out.clone().unwrap_or_else(|| {
        let pipeline = run.results.pipeline.as_str();
        format!("explain_{pipeline}_{}_{}", args.model, shown.short).into()
    });
    let terminal = Terminal::new(stderr().is_terminal() && !args.json)?;
    let options = Options {
        layer: args.layer.clone(),
        n_neighbors: args.neighbors.into(),
        n_cells: args.cells.into(),
    };
    let subject = Subject { model: &fitted.model, image: shown.pixels.view(), data: Some(&data) };
    let explanation = explain::explain(subject, &options, &terminal)?;
    let explained = Explained {
        run: format!("{}/{}", run.results.pipeline, run.results.run),
        model: fitted.title.clone(),
        subject: shown.name,
        image: Picture::Photo {
            pixels: shown.pixels.to_vec(),
            shape: fitted.model.chain.input.shape,
        },
        class_names: fitted.model.chain.input.class_names.clone(),
        label: shown.label,
        scores: scores(&explanation),
        class: explanation.decision.class,
        unit: match explanation.decision.meaning {
            Meaning::Probability => "probability",
            Meaning::Decision => "score",
        },
        synthetic: data.synthetic,
        exhibits: explanation.exhibits,
    };
    let (files, names) = report::explanation_files(&explained)?;
    report::write_whole(&out, &files)?;
    let page = out.join("index.html");
    let mut stdout = stdout().lock();
    if args.json {
        let document = document(&fitted, &explained, &names, &out);
        return Ok(writeln!(stdout, "{document:#}")?);
    }
    writeln!(stdout, "{}\n", report::explanation_sentence(&explained))?;
    for (exhibit, names) in explained.exhibits.iter().zip(&names) {
        writeln!(stdout, "{:45} {}", exhibit.title, names.join(" "))?;
    }
    Ok(writeln!(stdout, "\n{}", page.display())?)
}

/// The image as the model reads it.
struct Shown {
    pixels: Array1<u8>,
    /// For people.
    name: String,
    /// For a directory.
    short: String,
    label: Option<String>,
}

impl Shown {
    fn of(args: &Args, fitted: &Fitted, data: &Dataset) -> anyhow::Result<Self> {
        match (&args.image, args.test) {
            (Some(path), _) => {
                let image = read_image(path, &DecodeLimits::default())?;
                let adjust = Adjust { invert: args.invert, centre: args.centre };
                let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
                Ok(Shown {
                    pixels: adjust.row(&image, &fitted.model.chain.input).into(),
                    name: path.display().to_string(),
                    short: stem.unwrap_or_else(|| "image".to_owned()),
                    label: None,
                })
            }
            (None, test) => Shown::test(data, test.unwrap_or_default()),
        }
    }

    fn test(data: &Dataset, row: usize) -> anyhow::Result<Self> {
        let (name, n) = (&data.name, data.test.len());
        if row < n {
            return Ok(Shown {
                pixels: data.test.pixels.row(row).to_owned(),
                name: format!("test image {row}"),
                short: row.to_string(),
                label: data.class_names.get(data.test.labels[row]).cloned(),
            });
        }
        let hint = match n.checked_sub(1) {
            Some(last) => format!("test images are counted from 0 to {last}"),
            None => "the data have no test images".to_owned(),
        };
        Err(UsageError::new(format!("`{name}` has {n} test images, no image {row}"), hint).into())
    }
}

fn scores(explanation: &Explanation) -> Vec<ExplainedScore> {
    let scores = explanation.decision.scores.iter();
    scores.map(|score| ExplainedScore { class: score.class, value: score.value }).collect()
}

/// The same for programs.
fn document(
    fitted: &Fitted,
    explained: &Explained,
    names: &[Vec<String>],
    out: &std::path::Path,
) -> Value {
    let name = |class: usize| explained.class_names.get(class);
    let exhibits = explained.exhibits.iter().zip(names).map(|(exhibit, names)| {
        let figures = exhibit.figures.iter().zip(names);
        json!({
            "name": exhibit.name,
            "title": exhibit.title,
            "note": exhibit.note,
            "figures": figures
                .map(|(figure, file)| json!({ "file": file, "caption": figure.caption }))
                .collect::<Vec<_>>(),
        })
    });
    let exhibits: Vec<Value> = exhibits.collect();
    // JSON knows no infinity: a class that the model did not meet has no score.
    let scores: Vec<Value> = explained
        .scores
        .iter()
        .map(|score| json!({ "class": name(score.class), "label": score.class, "score": score.value }))
        .collect();
    json!({
        "run": explained.run,
        "model": fitted.id,
        "image": explained.subject,
        "label": explained.label,
        "class": name(explained.class),
        "meaning": explained.unit,
        "scores": scores,
        "directory": out,
        "exhibits": exhibits,
    })
}
