//! One epoch of C1 (batch 512, 48,000 images of Fashion-MNIST) and its inference.
//!
//! `PIPELINE_DATA=DIR cargo bench --bench nn [-- --repeats N --threads N --architecture NAME
//! --batch N]` prints one JSON line; wall times are given for each repeat, and the processor time of
//! the last epoch. `benches/peers/c1.py` runs it and PyTorch in turn. With `--accuracy NAME` it
//! trains that architecture instead (54,000/6,000 images, 10 epochs, batch 128) and tests it.

use std::io::Read;
use std::path::Path;
use std::time::Instant;

use hybrid_pipeline::data::{Dataset, ImageSet, ImageShape};
use hybrid_pipeline::nn::{Architecture, TrainParams, train};
use hybrid_pipeline::progress::Silent;
use ndarray::{Array1, Array2, s};

const N_TRAIN: usize = 48_000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let Some(dir) = std::env::var_os("PIPELINE_DATA") else {
        println!("skipped: PIPELINE_DATA is not set");
        return Ok(());
    };
    let args: Vec<String> = std::env::args().collect();
    let value_of = |flag: &str, default: usize| {
        let position = args.iter().position(|arg| arg == flag);
        position.and_then(|i| args.get(i + 1)?.parse().ok()).unwrap_or(default)
    };
    let (n_repeats, n_threads) = (value_of("--repeats", 3), value_of("--threads", 0));
    rayon::ThreadPoolBuilder::new().num_threads(n_threads).build_global()?;
    let train_set = read(Path::new(&dir), "train")?;
    let test = read(Path::new(&dir), "t10k")?;
    if let Some(i) = args.iter().position(|arg| arg == "--accuracy") {
        return accuracy(args.get(i + 1).map_or("a3", String::as_str), train_set, test);
    }
    let first = ImageSet {
        shape: train_set.shape,
        pixels: train_set.pixels.slice(s![..N_TRAIN, ..]).to_owned(),
        labels: train_set.labels.slice(s![..N_TRAIN]).to_owned(),
    };
    let data = Dataset {
        name: "fashion-mnist".into(),
        class_names: (0..10).map(|class| class.to_string()).collect(),
        train: first,
        validation_idx: Vec::new(),
        test,
        synthetic: false,
    };
    let name = args.iter().position(|arg| arg == "--architecture").and_then(|i| args.get(i + 1));
    let architecture = Architecture::named(name.map_or("c1", String::as_str))?;
    let batch_size = value_of("--batch", 512);
    let params = TrainParams { epochs: 1, batch_size, ..TrainParams::default() };
    let (mut epoch, mut inference) = (Vec::new(), Vec::new());
    let (mut loss, mut cpu_seconds) = (0.0, 0.0);
    for _ in 0..n_repeats {
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
        "epoch_seconds": epoch,
        "epoch_cpu_seconds": cpu_seconds,
        "images_per_second": inference,
        "loss": loss,
    });
    println!("{result}");
    Ok(())
}

/// Trains an architecture for ten epochs and prints its accuracy on the test images.
fn accuracy(
    name: &str,
    train_set: ImageSet,
    test: ImageSet,
) -> Result<(), Box<dyn std::error::Error>> {
    let data = Dataset {
        name: "fashion-mnist".into(),
        class_names: (0..10).map(|class| class.to_string()).collect(),
        validation_idx: (54_000..train_set.len()).collect(),
        train: train_set,
        test,
        synthetic: false,
    };
    let started = Instant::now();
    let architecture = Architecture::named(name)?;
    let trained = train(&architecture, &data, &TrainParams::default(), 1, None, &Silent)?;
    let seconds = started.elapsed().as_secs_f64();
    let scores = trained.network.logits(data.test.pixels.view())?;
    let is_right = |(scores, label): &(ndarray::ArrayView1<'_, f32>, &usize)| {
        scores.iter().all(|score| *score <= scores[**label])
    };
    let n_right = scores.rows().into_iter().zip(&data.test.labels).filter(is_right).count();
    let result = serde_json::json!({
        "architecture": name,
        "seconds": seconds,
        "best_epoch": trained.best_epoch,
        "test_accuracy": n_right as f64 / data.test.len() as f64,
    });
    println!("{result}");
    Ok(())
}

/// Images and labels of one official split, gzipped IDX.
fn read(dir: &Path, split: &str) -> Result<ImageSet, Box<dyn std::error::Error>> {
    let open = |kind: &str| -> Result<Vec<u8>, Box<dyn std::error::Error>> {
        let file = std::fs::File::open(dir.join(format!("{split}-{kind}.gz")))?;
        let mut bytes = Vec::new();
        flate2::read::GzDecoder::new(file).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let pixels = open("images-idx3-ubyte")?.split_off(16);
    let labels = open("labels-idx1-ubyte")?.split_off(8);
    Ok(ImageSet {
        shape: ImageShape { height: 28, width: 28, channels: 1 },
        pixels: Array2::from_shape_vec((labels.len(), 784), pixels)?,
        labels: labels.into_iter().map(usize::from).collect::<Array1<usize>>(),
    })
}
