//! `pipeline data`: fetch, verify and show data sets.

use std::io::{Write, stdout};
use std::path::PathBuf;

use anyhow::Context;
use clap::{Args, Subcommand};
use serde_json::json;

use super::target::sources;
use crate::config::{DEFAULT_SEED, parse_fields};
use crate::data::download::Patience;
use crate::data::{self, Dataset, Transforms, registry};
use crate::progress::Progress;
use crate::stage::TRANSFORMS;

/// Fetch, verify and show data sets.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  pipeline data verify fashion-mnist\n  pipeline data show garments --out garments.png\n  pipeline data show garments --augment crop=4,flip=0.5,rotate=10 --out changed.png"
)]
pub struct DataArgs {
    #[command(subcommand)]
    command: DataCommand,
}

#[derive(Debug, Subcommand)]
enum DataCommand {
    /// Download a data set into the user's cache directory, or into DIR, and check it.
    ///
    /// Example: pipeline data fetch fashion-mnist --data ./fashion-mnist
    Fetch {
        #[command(flatten)]
        place: Place,
    },
    /// Check every file of a data set: ok, damaged or missing. Fails unless all are ok.
    ///
    /// Example: pipeline data verify fashion-mnist
    Verify {
        #[command(flatten)]
        place: Place,
    },
    /// Print what a data set holds and write a PNG of its first images and of one per class.
    ///
    /// Example: pipeline data show garments --out garments.png
    Show {
        #[command(flatten)]
        place: Place,
        /// PNG file to write: the first 25 images, then one per class, 5 a line.
        #[arg(long, value_name = "FILE.png")]
        out: Option<PathBuf>,
        /// Show one image per class and beside it 7 as training sees it with
        /// `augment = { KEY = VALUE, … }`; `pipeline list` has the keys, at `cnn`.
        #[arg(long, value_name = "KEY=VALUE,…")]
        augment: Option<String>,
        /// Seed of what is drawn for --augment.
        #[arg(long, default_value_t = DEFAULT_SEED, requires = "augment")]
        seed: u64,
    },
}

/// Which data set, and where; `PIPELINE_DATA` and `PIPELINE_MIRROR` count too.
#[derive(Debug, Args)]
struct Place {
    /// fashion-mnist, garments, garments-small, or idx with --data.
    #[arg(default_value = "fashion-mnist")]
    name: String,
    /// Directory of the data set's files; without it, PIPELINE_DATA (not for fetch), then the
    /// user's cache directory. PIPELINE_MIRROR replaces the base URL of downloads.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Print one JSON document on standard output.
    #[arg(long)]
    json: bool,
}

/// Runs the subcommand; an error also if `verify` finds a file that is not ok.
pub fn run(args: DataArgs, progress: &dyn Progress) -> anyhow::Result<()> {
    match args.command {
        DataCommand::Fetch { place } => fetch(&place, progress),
        DataCommand::Verify { place } => verify(&place, progress),
        DataCommand::Show { place, out, augment, seed } => {
            let sheet = match augment {
                None => Sheet::Plain,
                Some(typed) => Sheet::Changed { transforms: transforms(&typed)?, seed },
            };
            show(&place, out, sheet, progress)
        }
    }
}

fn fetch(place: &Place, progress: &dyn Progress) -> anyhow::Result<()> {
    let sources = sources(place.data.clone());
    let directory = registry::fetch_directory(&place.name, &sources)?;
    let n_fetched =
        registry::fetch(&place.name, &directory, &sources, &Patience::default(), progress)?;
    let shown = directory.display();
    let name = &place.name;
    let line = match (place.json, n_fetched) {
        (true, _) => {
            format!("{:#}", json!({"name": name, "directory": directory, "n_fetched": n_fetched}))
        }
        (false, 0) => format!("{name} is complete in {shown}; nothing to download"),
        (false, _) => format!("{name}: {n_fetched} files downloaded to {shown}"),
    };
    Ok(writeln!(stdout(), "{line}")?)
}

fn verify(place: &Place, progress: &dyn Progress) -> anyhow::Result<()> {
    let checks = registry::verify(&place.name, &sources(place.data.clone()), progress)?;
    let mut out = stdout().lock();
    let n_bad = checks.iter().filter(|check| check.fault.is_some()).count();
    if place.json {
        let files: Vec<_> = checks
            .iter()
            .map(|check| {
                json!({
                    "path": check.path,
                    "state": check.state(),
                    "fault": check.fault.as_ref().map(ToString::to_string),
                })
            })
            .collect();
        writeln!(out, "{:#}", json!({"name": place.name, "ok": n_bad == 0, "files": files}))?;
    } else {
        for check in &checks {
            writeln!(out, "{:8} {}", check.state(), check.path.display())?;
            if let Some(fault) = &check.fault {
                writeln!(out, "         {fault}")?;
            }
        }
    }
    match checks.into_iter().find_map(|check| check.fault) {
        Some(fault) => Err(fault).context(format!("{n_bad} of 4 files are not ok")),
        None => Ok(()),
    }
}

/// What the picture holds.
enum Sheet {
    Plain,
    Changed { transforms: Transforms, seed: u64 },
}

/// `--augment` as it would be checked in a pipeline file.
fn transforms(typed: &str) -> anyhow::Result<Transforms> {
    let fields = parse_fields(typed, "--augment", TRANSFORMS)?;
    Ok(serde_json::from_value(fields.into())?)
}

fn show(
    place: &Place,
    out: Option<PathBuf>,
    sheet: Sheet,
    progress: &dyn Progress,
) -> anyhow::Result<()> {
    let dataset = data::load(&place.name, None, &sources(place.data.clone()), progress)?.dataset;
    let out = out.unwrap_or_else(|| PathBuf::from(format!("{}.png", dataset.name)));
    let one_per_class = data::sheet::one_per_class(&dataset.train, dataset.n_classes());
    let (png, shown) = match sheet {
        Sheet::Plain => {
            let mut rows: Vec<usize> = (0..dataset.train.len().min(25)).collect();
            rows.extend(one_per_class);
            (data::contact_sheet(&dataset.train, &rows, 5)?, "first 25 images and one per class")
        }
        Sheet::Changed { transforms, seed } => {
            let png =
                data::sheet::changed_sheet(&dataset.train, &one_per_class, &transforms, seed)?;
            (png, "one image per class and 7 changed copies of each")
        }
    };
    std::fs::write(&out, png).with_context(|| format!("cannot write `{}`", out.display()))?;
    if place.json {
        writeln!(stdout(), "{:#}", card(&dataset, &out))?;
    } else {
        print_card(&dataset)?;
        writeln!(stdout(), "\n{shown}: {}", out.display())?;
    }
    Ok(())
}

fn card(dataset: &Dataset, out: &std::path::Path) -> serde_json::Value {
    let (train, test) = (dataset.train.class_counts(), dataset.test.class_counts());
    let classes: Vec<_> = dataset
        .class_names
        .iter()
        .enumerate()
        .map(|(class, name)| {
            let count = |counts: &[usize]| counts.get(class).copied().unwrap_or(0);
            json!({"class": class, "name": name, "n_train": count(&train), "n_test": count(&test)})
        })
        .collect();
    json!({
        "name": dataset.name,
        "synthetic": dataset.synthetic,
        "shape": dataset.train.shape,
        "n_train": dataset.train.len(),
        "n_test": dataset.test.len(),
        "classes": classes,
        "sheet": out,
    })
}

fn print_card(dataset: &Dataset) -> std::io::Result<()> {
    let mut out = stdout().lock();
    let shape = dataset.train.shape;
    let origin = if dataset.synthetic { "SYNTHETIC (generated)" } else { "real images" };
    writeln!(out, "{}: {origin}", dataset.name)?;
    writeln!(
        out,
        "{} training and {} test images, {}x{} pixels, {} channel(s)\n",
        dataset.train.len(),
        dataset.test.len(),
        shape.height,
        shape.width,
        shape.channels
    )?;
    writeln!(out, "{:>5}  {:<20} {:>8} {:>8}", "class", "name", "train", "test")?;
    let (train, test) = (dataset.train.class_counts(), dataset.test.class_counts());
    for (class, name) in dataset.class_names.iter().enumerate() {
        let count = |counts: &[usize]| counts.get(class).copied().unwrap_or(0);
        writeln!(out, "{class:>5}  {name:<20} {:>8} {:>8}", count(&train), count(&test))?;
    }
    Ok(())
}
