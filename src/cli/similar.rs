//! `pipeline similar`: the images of a run's training set, or of a directory, most like an image.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Context as _;
use ndarray::Array2;
use serde_json::json;

use super::fitted::{AdjustArgs, RunArgs};
use super::observer::Terminal;
use super::target::set_threads;
use crate::data::{DecodeLimits, ImageSet, Labels, contact_sheet, read_image};
use crate::model::{Similar, SimilarIndex};

/// Images in a line of the sheet.
const N_COLUMNS: usize = 11;

/// Find the images most like an image, among the training images of a run or in a directory.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  \
    pipeline similar cnn_svm shoe.png\n  \
    pipeline similar cnn_svm shoe.png --by pixels --k 20\n  \
    pipeline similar cnn_svm shoe.png --by a3 --within ./pictures --out sheet.png")]
pub struct Args {
    #[command(flatten)]
    run: RunArgs,
    /// PNG or JPEG file.
    image: PathBuf,
    #[command(flatten)]
    adjust: AdjustArgs,
    /// How many images to find.
    #[arg(short, long, default_value = "10", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    k: u32,
    /// `pixels`, or a model: what its head reads, or what enters the last layer of a network
    /// [default: the run's first network, else pixels].
    #[arg(long, value_name = "ID")]
    by: Option<String>,
    /// Look among the images below this directory.
    #[arg(long, value_name = "DIR")]
    within: Option<PathBuf>,
    /// Contact sheet: the image, then what was found, nearest first.
    #[arg(long, value_name = "FILE", default_value = "similar.png")]
    out: PathBuf,
    /// Print one JSON document.
    #[arg(long)]
    json: bool,
    /// Threads to use [default: all cores].
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
}

/// Prints what was found and draws it.
///
/// # Errors   if the run, the image or the place of the sheet is not there
pub fn run(args: Args) -> anyhow::Result<()> {
    set_threads(args.threads)?;
    let run = args.run.open()?;
    let image = read_image(&args.image, &DecodeLimits::default())
        .with_context(|| format!("`{}`", args.image.display()))?;
    let first_network = run.results.models.iter().find(|model| model.family == "neural");
    let by = match args.by.as_deref() {
        Some("pixels") => None,
        Some(id) => Some(id),
        None => first_network.map(|model| model.id.as_str()),
    };
    let observer = Terminal::new(false)?;
    let index = run.similar(by, args.within.as_deref(), &observer)?;
    let row = args.adjust.adjust().row(&image, &index.chain.input);
    let query = Array2::from_shape_vec((1, row.len()), row).context("an image is one row")?;
    let started = Instant::now();
    let found = index.search(query.view(), args.k as usize, &observer)?.remove(0);
    let seconds = started.elapsed().as_secs_f64();
    draw(&index, &query, &found, &args.out)?;

    let mut out = std::io::stdout().lock();
    if args.json {
        let similar = found.iter().map(|similar| {
            json!({
                "row": similar.row,
                "name": index.name(similar.row),
                "class": index.class(similar.row),
                "distance": similar.distance,
            })
        });
        let document = json!({
            "image": args.image.display().to_string(),
            "by": by.unwrap_or("pixels"),
            "n_images": index.pixels.nrows(),
            "seconds": seconds,
            "similar": similar.collect::<Vec<_>>(),
            "sheet": args.out,
        });
        writeln!(out, "{document:#}")?;
        return Ok(());
    }
    for similar in &found {
        let class = index.class(similar.row).unwrap_or_default();
        let name = index.name(similar.row);
        writeln!(out, "{:>10.4}  {name:>7}  {class}", similar.distance)?;
    }
    let n_images = index.pixels.nrows();
    writeln!(out, "among {n_images} images in {:.1} ms: {}", 1e3 * seconds, args.out.display())?;
    Ok(())
}

/// The image and what was found, as a PNG file that is written whole or not at all.
fn draw(
    index: &SimilarIndex,
    query: &Array2<u8>,
    found: &[Similar],
    path: &Path,
) -> anyhow::Result<()> {
    let rows: Vec<usize> = found.iter().map(|similar| similar.row).collect();
    let mut pixels = query.clone();
    pixels.append(ndarray::Axis(0), index.pixels.select(ndarray::Axis(0), &rows).view())?;
    let n_images = pixels.nrows();
    let images =
        ImageSet { shape: index.chain.input.shape, pixels, labels: Labels::zeros(n_images) };
    let sheet = contact_sheet(&images, &(0..n_images).collect::<Vec<_>>(), N_COLUMNS)?;
    let place = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let write = || -> std::io::Result<()> {
        let mut staged = tempfile::NamedTempFile::new_in(place)?;
        staged.write_all(&sheet)?;
        staged.persist(path)?;
        Ok(())
    };
    write().with_context(|| format!("cannot write `{}`", path.display()))
}
