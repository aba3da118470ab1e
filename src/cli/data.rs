//! `pipeline data`: fetch, verify and show data sets.

use std::io::{Write, stdout};
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Args, Subcommand};
use serde_json::json;

use super::data_card::DataCard;
use super::target::sources;
use crate::config::{DEFAULT_SEED, parse_fields};
use crate::data::download::Patience;
use crate::data::{Sources, Transforms, registry};
use crate::progress::Progress;
use crate::stage::TRANSFORMS;

/// Fetch, verify and show data sets.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  pipeline data verify fashion-mnist\n  pipeline data show garments --out garments.png\n  pipeline data show ./my_images\n  pipeline data show garments --augment crop=4,flip=0.5,rotate=10 --out changed.png"
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
    /// Print what a data set holds (classes, sizes, files that cannot be read, duplicates) and write
    /// a PNG of some images and of one per class.
    ///
    /// Example: pipeline data show ./my_images --out sample.png
    Show {
        #[command(flatten)]
        place: Place,
        /// PNG file to write: 25 images spread over the training images, then one per class, 5 a
        /// line.
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

/// The data set that no name means.
const DEFAULT: &str = "fashion-mnist";

impl Place {
    /// The name as typed, or [`DEFAULT`].
    fn named(&self) -> &str {
        self.name.as_deref().unwrap_or(DEFAULT)
    }

    /// Name and sources, where a path may stand for both.
    fn resolve(&self) -> (String, Sources) {
        let is_name = |name: &str| registry::check_name(name).is_ok();
        match (&self.name, &self.data) {
            (Some(path), None) if !is_name(path) && Path::new(path).exists() => {
                (registry::OWN.to_owned(), sources(Some(path.into())))
            }
            (None, Some(path)) if !registry::holds(path, DEFAULT) => {
                (registry::OWN.to_owned(), sources(Some(path.clone())))
            }
            _ => (self.named().to_owned(), sources(self.data.clone())),
        }
    }
}

/// Which data set, and where; `PIPELINE_DATA` and `PIPELINE_MIRROR` count too.
#[derive(Debug, Args)]
struct Place {
    /// fashion-mnist, garments, garments-small, idx or own with --data, or the path of your own
    /// data (show) [default: what --data holds, else fashion-mnist].
    #[arg(value_name = "NAME|PATH")]
    name: Option<String>,
    /// Where the data set's files are; without it, PIPELINE_DATA (not for fetch), then the
    /// user's cache directory. PIPELINE_MIRROR replaces the base URL of downloads.
    #[arg(long, value_name = "PATH")]
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
            let augment = augment.map(|typed| transforms(&typed)).transpose()?;
            let (name, sources) = place.resolve();
            let card = DataCard::read(&name, &sources, progress)?;
            let sheet = card.write_sheet(out, augment.map(|transforms| (transforms, seed)))?;
            Ok(card.print(&sheet, place.json)?)
        }
    }
}

fn fetch(place: &Place, progress: &dyn Progress) -> anyhow::Result<()> {
    let sources = sources(place.data.clone());
    let directory = registry::fetch_directory(place.named(), &sources)?;
    let n_fetched =
        registry::fetch(place.named(), &directory, &sources, &Patience::default(), progress)?;
    let shown = directory.display();
    let name = place.named();
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
    let checks = registry::verify(place.named(), &sources(place.data.clone()), progress)?;
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
        writeln!(out, "{:#}", json!({"name": place.named(), "ok": n_bad == 0, "files": files}))?;
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

/// `--augment` as it would be checked in a pipeline file.
fn transforms(typed: &str) -> anyhow::Result<Transforms> {
    let fields = parse_fields(typed, "--augment", TRANSFORMS)?;
    Ok(serde_json::from_value(fields.into())?)
}
