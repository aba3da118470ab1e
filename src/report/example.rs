//! A made-up run for tests. Nothing here was measured: labels, predictions, times and images come
//! from a seeded generator, and the run's title says so.

use ndarray::Array2;
use serde_json::{Value, json};

use super::{
    AxesCard, AxisImage, CandidateRecord, Comparison, CorruptionCard, CorruptionRow, DatasetCard,
    EvaluationRecord, ExplainedImage, GalleryImage, HeatCard, ModelResult, ModelRobustness,
    NetworkCard, PatternCard, PatternKind, PatternTile, Results, RobustnessCard, RobustnessRecord,
    RunOutput, SCHEMA, ScoreFigures, SearchRecord, SearchRound, SearchTimes, StageRecord,
    StageStatus, WhyCard, compare_over_seeds, example_scores, summarise,
};
use crate::data::{Corruption, ImageShape, N_SEVERITIES, Rng};
use crate::metrics::{EpochRecord, LayerRow, compare_paired, evaluate};

const CLASSES: [&str; 10] = [
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
];
const N_TEST: usize = 4000;
const SHAPE: ImageShape = ImageShape { height: 28, width: 28, channels: 1 };

/// Id, title, family, input, features, chance to be right, fit and predict seconds, bytes.
pub(super) type Row =
    (&'static str, &'static str, &'static str, &'static str, usize, f64, f64, f64, u64);
const MODELS: [Row; 9] = [
    ("a1", "A1 softmax", "neural", "pixels", 784, 0.905, 21.4, 0.31, 2_371_022),
    ("a3", "A3 softmax", "neural", "pixels", 784, 0.912, 38.2, 0.52, 2_780_114),
    ("a1_linear", "SVM (linear)", "hybrid", "a1 penultimate", 128, 0.910, 4.9, 0.42, 2_100_480),
    ("a1_rbf", "SVM (RBF)", "hybrid", "a1 penultimate", 128, 0.915, 5.6, 0.66, 6_300_120),
    ("a3_linear", "SVM (linear)", "hybrid", "a3 penultimate", 128, 0.916, 4.1, 0.40, 1_900_480),
    ("a3_rbf", "SVM (RBF)", "hybrid", "a3 penultimate", 128, 0.921, 4.8, 0.61, 5_800_120),
    ("a3_flat", "SVM (RBF)", "hybrid", "a3 flattened", 5408, 0.929, 61.0, 9.8, 301_000_000),
    ("raw_rbf", "SVM (RBF)", "classical", "pixels", 784, 0.900, 24.0, 2.9, 19_000_000),
    ("raw_linear", "SVM (linear)", "classical", "pixels", 784, 0.846, 31.0, 2.2, 15_000_000),
];

/// The whole run; the same at every call.
pub(crate) fn run_output() -> RunOutput {
    made_of(&MODELS, 60)
}

/// A run of `n_models` like those, with as many disputed images as a stage keeps.
pub(crate) fn many_models(n_models: usize) -> RunOutput {
    let rows = (0..n_models).map(|nth| {
        let mut row = MODELS[nth % MODELS.len()];
        // Names live as long as the test.
        row.0 = Box::leak(format!("{}_{nth}", row.0).into_boxed_str());
        row
    });
    let rows: Vec<Row> = rows.collect();
    made_of(&rows, 300)
}

fn made_of(rows: &[Row], n_disputed: usize) -> RunOutput {
    let names: Vec<String> = CLASSES.map(str::to_owned).to_vec();
    let mut rng = Rng::new(7, &["example"]);
    let labels: Vec<usize> = (0..N_TEST).map(|_| rng.below(10)).collect();
    let difficulty: Vec<f32> = (0..N_TEST).map(|_| rng.unit_f32()).collect();
    let predictions: Vec<Vec<usize>> =
        rows.iter().map(|row| predict(&labels, &difficulty, row.5, &mut rng)).collect();

    let scores: Vec<ScoreFigures> = rows
        .iter()
        .zip(&predictions)
        .map(|(row, predicted)| example_scores::scores(row, predicted, &labels))
        .collect();
    let models =
        rows.iter().zip(predictions.iter().zip(&scores)).map(|(row, (predicted, scores))| {
            let ranking = scores.ranking.as_ref().unwrap();
            let calibration = scores.calibration.as_ref();
            let found = evaluate(&labels, predicted, &names).unwrap();
            ModelResult {
                id: row.0.to_owned(),
                title: row.1.to_owned(),
                evaluation: "evaluation".to_owned(),
                family: row.2.to_owned(),
                input: row.3.to_owned(),
                n_features: row.4,
                n_train: None,
                series: None,
                reported: (row.2 != "classical").then_some(row.5 - 0.004),
                cell: None,
                accuracy: found.accuracy,
                accuracy_ci95: found.accuracy_ci95,
                macro_precision: found.macro_average.precision,
                macro_recall: found.macro_average.recall,
                macro_f1: found.macro_average.f1,
                weighted_precision: found.weighted_average.precision,
                weighted_recall: found.weighted_average.recall,
                weighted_f1: found.weighted_average.f1,
                per_class: found.per_class,
                confusion: found.confusion,
                auc_macro: Some(ranking.auc_macro),
                average_precision_macro: Some(ranking.average_precision_macro),
                ece: calibration.map(|of| of.ece),
                brier: calibration.map(|of| of.brier),
                log_loss: calibration.map(|of| of.log_loss),
                fit_seconds: row.6,
                fit_cpu_seconds: 1.9 * row.6,
                predict_seconds: row.7,
                model_bytes: row.8,
                peak_rss_bytes: Some(900_000_000 + 40 * row.8 / 10),
                details: details(row),
            }
        });
    let models: Vec<ModelResult> = models.collect();

    let pairs = [(2, 0), (3, 0), (4, 1), (5, 1), (6, 1), (6, 7), (6, 5), (7, 1)];
    let comparisons = pairs.map(|(a, b)| {
        let paired = compare_paired(&labels, &predictions[a], &predictions[b]).unwrap();
        Comparison {
            a: rows[a].0.to_owned(),
            b: rows[b].0.to_owned(),
            test: "mcnemar".to_owned(),
            p_value: paired.p_value,
            n_only_a: paired.n_only_a,
            n_only_b: paired.n_only_b,
            difference: paired.difference,
            difference_ci95: paired.difference_ci95,
            against_own_softmax: b < 2 && a < 7,
        }
    });

    let misclassified = rows.iter().zip(&predictions).map(|(row, predicted)| {
        let wrong = (0..N_TEST).filter(|&image| predicted[image] != labels[image]).take(24);
        let images = wrong.map(|image| picture(image, labels[image], Some(predicted[image])));
        (row.0.to_owned(), images.collect())
    });
    let stages = rows.iter().enumerate().map(|(at, row)| StageRecord {
        id: row.0.to_owned(),
        kind: if row.2 == "neural" { "train" } else { "svm" }.to_owned(),
        status: if at % 3 == 0 { StageStatus::Cached } else { StageStatus::Ran },
        seconds: row.6,
        cpu_seconds: 1.9 * row.6,
        peak_rss_bytes: Some(900_000_000),
        digest: blake3::hash(row.0.as_bytes()).to_hex().to_string(),
        inputs: vec![row.3.split(' ').next().unwrap_or_default().replace("pixels", "data")],
        params: json!({"c": 10.0, "kernel": "rbf", "gamma": "scale"}).as_object().unwrap().clone(),
    });
    let data = StageRecord {
        id: "data".to_owned(),
        kind: "dataset".to_owned(),
        status: StageStatus::Cached,
        seconds: 0.4,
        cpu_seconds: 0.4,
        peak_rss_bytes: None,
        digest: blake3::hash(b"data").to_hex().to_string(),
        inputs: Vec::new(),
        params: Default::default(),
    };

    let dataset = DatasetCard {
        name: "example".to_owned(),
        n_train: 54_000,
        n_validation: 6_000,
        n_test: N_TEST,
        synthetic: false,
        class_names: names,
        shape: SHAPE,
    };

    RunOutput {
        results: Results {
            schema: SCHEMA,
            pipeline: "cnn_svm".to_owned(),
            run: "20260102T030405Z".to_owned(),
            dataset: dataset.clone(),
            evaluations: vec![EvaluationRecord {
                id: "evaluation".to_owned(),
                title: "data".to_owned(),
                data: "data".to_owned(),
                dataset,
                tested_on: "made up".to_owned(),
            }],
            seed: 42,
            threads: 2,
            machine: json!({"cpu": "Example CPU", "cores": 2, "features": ["avx2", "avx512vnni"],
                "memory_bytes": 8_589_934_592u64, "os": "linux", "program": "hybrid-pipeline 0.1.0",
                "command": "pipeline run cnn_svm"})
            .as_object()
            .unwrap()
            .clone(),
            stages: [data].into_iter().chain(stages).collect(),
            models,
            comparisons: comparisons.to_vec(),
            seeds: Vec::new(),
            summaries: Vec::new(),
            seed_comparisons: Vec::new(),
            robustness: vec![robustness().record],
        },
        title: "Made-up example for tests".to_owned(),
        started: 1_767_323_045.0,
        networks: vec![network("a1", 10, &mut rng), network("a3", 14, &mut rng)],
        samples: (0..30).map(|image| picture(image, image / 3, None)).collect(),
        axes: vec![axes("pca", 12), axes("fisher", 3)],
        why: vec![("evaluation".to_owned(), why())],
        robustness: vec![robustness()],
        misclassified: misclassified.collect(),
        disagreements: vec![(
            "evaluation".to_owned(),
            example_scores::disagreements(rows, &predictions, &labels, n_disputed),
        )],
        scores: rows.iter().map(|row| row.0.to_owned()).zip(scores).collect(),
        scatters: ["pca", "fisher"].map(|id| example_scores::scatter(id, &labels)).to_vec(),
        run_toml: "# made-up example\n[pipeline]\nname = \"cnn_svm\"\n\n[stage.a3]\nkind = \
                   \"train\"\narchitecture = \"A3\"\n"
            .to_owned(),
    }
}

/// The run with three seeds: networks and what stands on them differ, models on pixels do not.
pub(crate) fn seeds_output() -> RunOutput {
    let mut output = run_output();
    let results = &mut output.results;
    let (models, comparisons) = (results.models.clone(), results.comparisons.clone());
    let evaluation = results.evaluations[0].clone();
    results.models.clear();
    results.comparisons.clear();
    results.evaluations.clear();
    let mut rng = Rng::new(11, &["example", "seeds"]);
    for seed in [42, 43, 44] {
        let name = |id: &str| match id.starts_with("raw") {
            true => id.to_owned(),
            false => format!("{id}@{seed}"),
        };
        let id = name("evaluation");
        results.evaluations.push(EvaluationRecord { id: id.clone(), ..evaluation.clone() });
        for model in &models {
            let mut model = model.clone();
            model.id = name(&model.id);
            if results.models.iter().all(|known| known.id != model.id) {
                model.evaluation.clone_from(&id);
                let is_drawn = model.id.contains('@');
                model.accuracy += if is_drawn { 0.002 * f64::from(rng.normal_f32()) } else { 0.0 };
                results.models.push(model);
            }
        }
        for pair in &comparisons {
            let (a, b) = (name(&pair.a), name(&pair.b));
            let accuracy = |id: &str| results.model(id).map_or(0.0, |model| model.accuracy);
            let difference = accuracy(&a) - accuracy(&b);
            results.comparisons.push(Comparison { a, b, difference, ..pair.clone() });
        }
    }
    results.seeds = vec![42, 43, 44];
    results.summaries = summarise(&results.models, &split_seed);
    results.seed_comparisons = compare_over_seeds(&results.comparisons, &split_seed);
    let name = |id: &mut String| {
        if !id.starts_with("raw") {
            id.push_str("@42");
        }
    };
    output.networks.iter_mut().for_each(|network| name(&mut network.id));
    output.misclassified.iter_mut().for_each(|(id, _)| name(id));
    output.scores.iter_mut().for_each(|(id, _)| name(id));
    for (id, found) in &mut output.disagreements {
        name(id);
        found.models.iter_mut().for_each(name);
    }
    output.title = "Made-up example of three seeds for tests".to_owned();
    output
}

/// `a3@42` as `a3` and 42.
pub(crate) fn split_seed(id: &str) -> (String, Option<u64>) {
    match id.split_once('@') {
        Some((base, seed)) => (base.to_owned(), seed.parse().ok()),
        None => (id.to_owned(), None),
    }
}

/// Waves of growing frequency on the example's images.
/// Every change with made-up accuracies that fall with the severity.
fn robustness() -> RobustnessCard {
    let shape = ImageShape { height: 28, width: 28, channels: 1 };
    let image = Array2::from_shape_fn((1, 784), |(_, at)| (at % 28 * 9) as u8);
    let severities = || 1..=N_SEVERITIES;
    let changes = Corruption::all().map(|corruption| CorruptionCard {
        name: corruption.name().to_owned(),
        group: corruption.group().to_owned(),
        levels: severities().map(|severity| corruption.level(severity)).collect(),
        images: severities()
            .map(|severity| corruption.apply(image.view(), shape, severity, 1))
            .map(|changed| changed.into_raw_vec_and_offset().0)
            .collect(),
    });
    let of_model = |id: &str, clean_accuracy: f64, loss: f64| {
        let rows = Corruption::all().enumerate().map(|(nth, corruption)| CorruptionRow {
            change: corruption.name().to_owned(),
            accuracies: std::array::from_fn(|severity| {
                clean_accuracy - loss * (nth + 1) as f64 * (severity + 1) as f64
            }),
        });
        let changes: Vec<CorruptionRow> = rows.collect();
        let mean_corruption_accuracy =
            changes.iter().map(CorruptionRow::mean).sum::<f64>() / changes.len() as f64;
        ModelRobustness { id: id.to_owned(), clean_accuracy, changes, mean_corruption_accuracy }
    };
    let models = vec![of_model("a1", 0.9, 0.01), of_model("svm_pixels", 0.88, 0.012)];
    RobustnessCard {
        record: RobustnessRecord { data: "data".to_owned(), n_images: 10_000, models },
        shape,
        changes: changes.collect(),
    }
}

/// Two test images with a heat map each, weights of a linear model, pixels that a forest reads, filters.
fn why() -> WhyCard {
    let shape = ImageShape { height: 28, width: 28, channels: 1 };
    let ramp = |n: usize| (0..n).map(|i| (i * 255 / n) as u8).collect::<Vec<u8>>();
    let image = |row: usize, predicted: usize| ExplainedImage {
        row,
        label: 3,
        pixels: ramp(784),
        heats: vec![HeatCard { model: "a3".to_owned(), predicted, values: ramp(784) }],
    };
    let tile = |class: Option<usize>, n: usize| PatternTile {
        class,
        values: (0..n).map(|i| (i % 255) as i8).collect(),
    };
    let pattern = |model: &str, kind, side: usize, tiles| PatternCard {
        model: model.to_owned(),
        kind,
        size: [side, side],
        tiles,
    };
    WhyCard {
        shape,
        images: vec![image(7, 3), image(31, 4)],
        patterns: vec![
            pattern(
                "raw_linear",
                PatternKind::Weights,
                28,
                vec![tile(Some(0), 784), tile(Some(1), 784)],
            ),
            pattern("raw_linear", PatternKind::Importance, 28, vec![tile(None, 784)]),
            pattern("a3", PatternKind::Filters, 3, vec![tile(None, 9); 4]),
        ],
    }
}

fn axes(id: &str, n_axes: usize) -> AxesCard {
    let wave = |nth: usize, pixel: usize| {
        let (y, x) = ((pixel / 28) as f32 / 28.0, (pixel % 28) as f32 / 28.0);
        let angle = (nth + 1) as f32 * 3.0 * if nth.is_multiple_of(2) { y } else { x };
        (127.0 * angle.sin()) as i8
    };
    let axis = |nth| AxisImage {
        values: (0..28 * 28).map(|pixel| wave(nth, pixel)).collect(),
        share: 0.3 / (nth + 1) as f64,
    };
    AxesCard {
        id: id.to_owned(),
        description: format!("pixels, {id} {n_axes}"),
        shape: ImageShape { height: 28, width: 28, channels: 1 },
        n_axes,
        mean: (0..28 * 28).map(|pixel| (pixel / 4) as u8).collect(),
        axes: (0..n_axes).map(axis).collect(),
    }
}

/// Models err on the same difficult images; errors fall on neighbours among tops and among shoes.
fn predict(labels: &[usize], difficulty: &[f32], chance: f64, rng: &mut Rng) -> Vec<usize> {
    const CONFUSED: [&[usize]; 10] =
        [&[6, 3], &[3], &[4, 6], &[0, 4], &[2, 6], &[7, 9], &[0, 2, 4], &[9, 5], &[6], &[7]];
    const HARDNESS: [f32; 10] = [1.4, 0.2, 1.5, 0.9, 1.5, 0.3, 3.0, 0.5, 0.2, 0.5];
    let one = |(&label, &hard): (&usize, &f32)| {
        let threshold = 0.06 + 0.85 * (1.0 - chance as f32) * HARDNESS[label];
        if 0.85 * hard + 0.15 * rng.unit_f32() >= threshold.min(0.9) {
            return label;
        }
        CONFUSED[label][rng.below(CONFUSED[label].len())]
    };
    labels.iter().zip(difficulty).map(one).collect()
}

fn details(row: &Row) -> serde_json::Map<String, serde_json::Value> {
    let mut details = if row.2 == "neural" {
        json!({"n_parameters": 693_962, "epochs": 14, "best_epoch": 11})
    } else {
        json!({"n_support_vectors": 14_321, "kkt_gap": 0.000_97, "c": 10.0})
    };
    let grid = [0.1, 1.0, 10.0].into_iter().flat_map(|c| [(c, "linear"), (c, "rbf")]);
    match row.0 {
        "raw_rbf" => {
            let candidates = grid.map(|(c, kernel)| json!({"c": c, "kernel": kernel}));
            insert_search(&mut details, &["c", "kernel"], candidates.collect());
        }
        "a3_linear" => {
            let candidates = [0.01, 0.1, 1.0, 10.0, 100.0].map(|c| json!({ "c": c }));
            insert_search(&mut details, &["c"], candidates.to_vec());
        }
        "a3_rbf" => {
            let mut rng = Rng::new(9, &["example", "search"]);
            let mut draw = || 10f64.powf(f64::from(rng.uniform_f32(-2.0, 2.0)));
            let candidates = (0..40).map(|_| json!({"c": draw(), "gamma": draw() / 100.0}));
            insert_search(&mut details, &["c", "gamma"], candidates.collect());
        }
        _ => {}
    }
    details.as_object().unwrap().clone()
}

/// A search whose last candidate but one is the best.
fn insert_search(details: &mut Value, searched: &[&str], candidates: Vec<Value>) {
    let n_candidates = candidates.len();
    let best = n_candidates - 2;
    let mean = |nth: usize| 0.9 - 0.02 * ((nth as f64) - best as f64).abs();
    let records = candidates.into_iter().enumerate().map(|(nth, params)| CandidateRecord {
        params: params.as_object().unwrap().clone(),
        round: 0,
        rank: 1 + (0..n_candidates).filter(|&other| mean(other) > mean(nth)).count(),
        mean: mean(nth),
        std: 0.004,
        scores: [-0.004, 0.004].map(|offset| mean(nth) + offset).to_vec(),
        warning: (nth == 0).then(|| "it did not converge".to_owned()),
    });
    let record = SearchRecord {
        learner: "svm".to_owned(),
        strategy: "grid".to_owned(),
        n_folds: 2,
        stratified: true,
        searched: searched.iter().map(|&name| name.to_owned()).collect(),
        rounds: vec![SearchRound { n_candidates, n_samples: 60_000 }],
        best,
        candidates: records.collect(),
    };
    let seconds = |of: f64| vec![vec![of, 1.1 * of]; n_candidates];
    let times = SearchTimes {
        seconds: 70.0,
        cpu_seconds: 135.0,
        fit_seconds: seconds(3.1),
        score_seconds: seconds(0.4),
    };
    details["search"] = json!(record);
    details["search_times"] = json!(times);
}

fn network(id: &str, n_epochs: usize, rng: &mut Rng) -> NetworkCard {
    let history: Vec<EpochRecord> = (1..=n_epochs)
        .map(|epoch| {
            let progress = epoch as f64;
            let noise = 0.01 * f64::from(rng.normal_f32());
            let loss = 0.18 + 0.55 / progress.powf(0.8);
            EpochRecord {
                epoch,
                train_loss: loss,
                train_accuracy: 0.95 - 0.17 / progress.powf(0.7),
                validation_loss: Some(loss + 0.02 + 0.006 * (progress - 4.0).max(0.0) + noise),
                validation_accuracy: Some(0.925 - 0.11 / progress - 0.3 * noise),
                learning_rate: if n_epochs > 10 { 0.001 / progress } else { 0.001 },
                seconds: 2.7,
            }
        })
        .collect();
    let row = |layer: &str, output_shape: &[usize], n_parameters| LayerRow {
        layer: layer.to_owned(),
        output_shape: output_shape.to_vec(),
        n_parameters,
    };
    NetworkCard {
        id: id.to_owned(),
        architecture: id.to_uppercase(),
        layers: vec![
            row("conv (Conv2d 3x3)", &[32, 26, 26], 320),
            row("pool (MaxPool2d 2x2)", &[32, 13, 13], 0),
            row("flatten (Flatten)", &[5408], 0),
            row("dense (Dense)", &[128], 692_352),
            row("softmax (Dense)", &[10], 1290),
        ],
        history,
        best_epoch: n_epochs - 3,
    }
}

/// A shape that differs by class: bars, frames and discs with a little noise.
pub(super) fn picture(row: usize, label: usize, predicted: Option<usize>) -> GalleryImage {
    let mut rng = Rng::new(row as u64, &["example", "picture"]);
    let pixels = (0..SHAPE.n_pixels()).map(|at| {
        let (y, x) = ((at / 28) as f32 - 13.5, (at % 28) as f32 - 13.5);
        let inside = match label {
            1 => y.abs() < 12.0 && x.abs() > 1.5 && x.abs() < 6.0,
            5 | 7 | 9 => {
                y > 1.0 && y < 9.0 && x.abs() < 12.0 && y + x > -3.0 * (label as f32 - 4.0)
            }
            8 => (y.abs() < 8.0 && x.abs() < 10.0) && (y > -4.0 || x.abs() > 6.0),
            _ => x.abs() < 6.0 || (y < -2.0 - label as f32 / 2.0 && y > -10.0 && x.abs() < 12.0),
        };
        let shade = 150.0 + 10.0 * label as f32 + 40.0 * rng.unit_f32();
        if inside && y.abs() < 12.0 { shade.min(255.0) as u8 } else { 0 }
    });
    GalleryImage { row, label, predicted, pixels: pixels.collect() }
}
