//! One epoch of a network over the training images of Fashion-MNIST, and its inference over the test images.
//!
//! ```text
//! PIPELINE_DATA=DIR cargo bench --bench nn -- [--architecture NAME] [--batch N] [--precision f32|bf16]
//!     [--images N] [--repeats N] [--threads N]
//! ```
//!
//! prints one JSON line: seconds of each epoch (making the weights is part of it), processor time of the
//! last, images per second of inference, the process's peak memory, and the loss. The optimiser is Adam and
//! images are not augmented. `benches/peers/cnn.py` runs it and PyTorch in turn.

use std::io::Read;
use std::path::Path;
use std::time::Instant;

use hybrid_pipeline::data::{Dataset, ImageSet, ImageShape};
use hybrid_pipeline::meter::Meter;
use hybrid_pipeline::nn::{Architecture, Precision, TrainParams, train};
use hybrid_pipeline::progress::Silent;
use ndarray::{Array1, Array2, s};

type Failed = Box<dyn std::error::Error>;

fn main() -> Result<(), Failed> {
    let Some(dir) = std::env::var_os("PIPELINE_DATA") else {
        println!("skipped: PIPELINE_DATA is not set");
        return Ok(());
    };
    let whole = Meter::start();
    let n_threads = number("--threads", 0)?;
    rayon::ThreadPoolBuilder::new().num_threads(n_threads).build_global()?;
    let architecture = Architecture::named(&value("--architecture").unwrap_or("c1".into()))?;
    let precision = match value("--precision").as_deref() {
        None | Some("f32") => Precision::F32,
        Some("bf16") => Precision::Bf16,
        Some(other) => {
            return Err(format!("precision `{other}` is neither `f32` nor `bf16`").into());
        }
    };
    let (dir, n_images) = (Path::new(&dir), number("--images", 60_000)?);
    let data = Dataset {
        name: "fashion-mnist".into(),
        class_names: (0..10).map(|class| class.to_string()).collect(),
        train: read(dir, "train", n_images)?,
        validation_idx: Vec::new(),
        test: read(dir, "t10k", n_images)?,
        synthetic: false,
        steps: Vec::new(),
    };
    let batch_size = number("--batch", 512)?;
    let params = TrainParams { epochs: 1, batch_size, precision, ..TrainParams::default() };
    let (mut epoch, mut inference) = (Vec::new(), Vec::new());
    let (mut loss, mut cpu_seconds) = (0.0, 0.0);
    for _ in 0..number("--repeats", 1)? {
        let (started, cpu) = (Instant::now(), cpu_time::ProcessTime::now());
        let trained = train(&architecture, &data, &params, 1, None, &Silent)?;
        epoch.push(started.elapsed().as_secs_f64());
        cpu_seconds = cpu.elapsed().as_secs_f64();
        loss = trained.history[0].train_loss;
        let started = Instant::now();
        trained.network.logits(data.test.pixels.view())?;
        inference.push(data.test.len() as f64 / started.elapsed().as_secs_f64());
    }
    let result = serde_json::json!({
        "system": "hybrid-pipeline",
        "threads": rayon::current_num_threads(),
        "architecture": architecture.name(),
        "batch_size": batch_size,
        "n_images": data.train.len(),
        "precision": precision,
        "epoch_seconds": epoch,
        "epoch_cpu_seconds": cpu_seconds,
        "images_per_second": inference,
        "peak_rss_bytes": whole.stop().peak_rss_bytes,
        "loss": loss,
    });
    println!("{result}");
    Ok(())
}

/// What follows a flag on the command line.
fn value(flag: &str) -> Option<String> {
    std::env::args().skip_while(|arg| arg != flag).nth(1)
}

fn number(flag: &str, default: usize) -> Result<usize, Failed> {
    Ok(value(flag).map(|text| text.parse()).transpose()?.unwrap_or(default))
}

/// The first images and labels of one official split, gzipped IDX.
fn read(dir: &Path, split: &str, n: usize) -> Result<ImageSet, Failed> {
    let open = |kind: &str| -> Result<Vec<u8>, Failed> {
        let file = std::fs::File::open(dir.join(format!("{split}-{kind}.gz")))?;
        let mut bytes = Vec::new();
        flate2::read::GzDecoder::new(file).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let pixels = open("images-idx3-ubyte")?.split_off(16);
    let labels = open("labels-idx1-ubyte")?.split_off(8);
    let n = n.min(labels.len());
    let pixels = Array2::from_shape_vec((labels.len(), 784), pixels)?;
    Ok(ImageSet {
        shape: ImageShape { height: 28, width: 28, channels: 1 },
        pixels: pixels.slice(s![..n, ..]).to_owned(),
        labels: labels[..n].iter().map(|label| usize::from(*label)).collect::<Array1<usize>>(),
    })
}
