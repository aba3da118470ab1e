//! Lloyd's iterations against scikit-learn, and the classifier on small data.

use linfa::ParamGuard;
use ndarray::{Array2, array};
use proptest::prelude::*;
use serde_json::Value;

use super::lloyd::{Data, run};
use super::seeding;
use super::{Engine, Init, KMeans, KMeansParams};
use crate::data::{Features, Labels, Rng, TensorFile};
use crate::learn::{Classifier, LearnError, Samples, read_classifier};
use crate::progress::{Progress, Silent};

fn fit(params: KMeansParams, features: &Features, labels: &Labels) -> KMeans {
    let samples = Samples { features, labels, weights: None };
    params.check().unwrap().fit_model(samples, 1, &Silent).unwrap()
}

/// Groups of bytes around centres of their own.
fn groups(n_rows: usize, n_features: usize, n_groups: usize) -> (Features, Labels) {
    let mut rng = Rng::new(4, &["kmeans", "groups"]);
    let labels: Labels = (0..n_rows).map(|row| row % n_groups).collect();
    let rows = Array2::from_shape_fn((n_rows, n_features), |(row, column)| {
        let center = if (row % n_groups + column).is_multiple_of(n_groups) { 200 } else { 50 };
        (center + rng.below(40)) as u8
    });
    (Features::Bytes(rows), labels)
}

// The fixture is made by tests/reference/kmeans_fixtures.py (library version and seed inside).
#[test]
fn iterations_from_given_centres_are_those_of_scikit_learn() {
    let text = include_str!("../../../tests/reference/kmeans.json");
    let fixture: Value = serde_json::from_str(text).unwrap();
    let matrix = |value: &Value| -> Array2<f64> {
        let rows: Vec<Vec<f64>> = serde_json::from_value(value.clone()).unwrap();
        Array2::from_shape_fn((rows.len(), rows[0].len()), |(row, column)| rows[row][column])
    };
    let weights: Vec<f64> = serde_json::from_value(fixture["weights"].clone()).unwrap();
    for case in fixture["cases"].as_array().unwrap() {
        let kind = case["features"].as_str().unwrap();
        let (features, scale) = match kind {
            "bytes" => (Features::Bytes(matrix(&fixture[kind]).mapv(|v| v as u8)), 1.0 / 255.0),
            _ => (Features::Floats(matrix(&fixture[kind]).mapv(|v| v as f32)), 1.0),
        };
        let data = Data::new(&features, case["weighted"].as_bool().unwrap().then_some(&weights));
        let start = matrix(&case["start"]) / scale;
        let name = format!("{kind}, {} clusters", start.nrows());
        let max_iter = case["max_iter"].as_u64().unwrap() as usize;
        let found = run(&data, start, max_iter, 1e-4, &Silent).unwrap();
        let clusters: Vec<u32> = serde_json::from_value(case["clusters"].clone()).unwrap();
        assert_eq!(found.clusters, clusters, "{name}");
        assert_eq!(found.n_iter as u64, case["n_iter"].as_u64().unwrap(), "{name}");
        let inertia = case["inertia"].as_f64().unwrap();
        approx::assert_relative_eq!(found.inertia * scale * scale, inertia, max_relative = 1e-6);
        for (found, expected) in found.centers.iter().zip(&matrix(&case["centers"])) {
            assert!((found * scale - expected).abs() < 1e-6, "{name}: {found} {expected}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(30))]
    #[test]
    fn bounds_leave_every_row_at_its_nearest_centre_and_inertia_never_grows(
        n_rows in 2usize..120,
        n_features in 1usize..20,
        share in 0.0f64..1.0,
        n_levels in prop::sample::select(vec![2usize, 5, 256]),
        seed in any::<u64>(),
    ) {
        let mut rng = Rng::new(seed, &["kmeans", "bounds"]);
        let rows = Array2::from_shape_fn((n_rows, n_features), |_| rng.below(n_levels) as u8);
        let n_clusters = 1 + (share * (n_rows - 1) as f64) as usize;
        let features = Features::Bytes(rows.clone());
        let data = Data::new(&features, None);
        let start =
            seeding::draw(Init::KMeansPlusPlus, n_clusters, &data, &mut rng, &Silent).unwrap();
        let mut last = f64::INFINITY;
        for max_iter in 1..12 {
            let found = run(&data, start.clone(), max_iter, 0.0, &Silent).unwrap();
            let distance = |row: usize, center: usize| -> f64 {
                let center = found.centers.row(center);
                rows.row(row).iter().zip(center).map(|(&x, c)| (f64::from(x) - c).powi(2)).sum()
            };
            let mut inertia = 0.0;
            for (row, &cluster) in found.clusters.iter().enumerate() {
                let own = distance(row, cluster as usize);
                let least = (0..n_clusters).map(|c| distance(row, c)).fold(f64::INFINITY, f64::min);
                prop_assert!(own <= least + 1e-6 * (1.0 + least), "row {}: {} {}", row, own, least);
                inertia += own;
            }
            prop_assert!((inertia - found.inertia).abs() <= 1e-6 * (1.0 + inertia));
            prop_assert!(found.inertia <= last * (1.0 + 1e-9) + 1e-6);
            last = found.inertia;
        }
    }
}

#[test]
fn separate_groups_are_found_and_named_and_scores_agree_with_classes() {
    let (features, labels) = groups(200, 12, 4);
    let model = fit(KMeansParams::new().n_clusters(4), &features, &labels);
    let report = model.report();
    assert_eq!((report.purity, report.adjusted_rand_index), (1.0, 1.0));
    assert_eq!(report.cluster_sizes, [50; 4]);
    assert_eq!(report.converged, Some(true));
    assert_eq!(model.predict(&features, &Silent).unwrap(), labels);
    let scores = model.scores(&features, &Silent).unwrap().values;
    let clusters = model.predict_clusters(&features, &Silent).unwrap();
    for (row, &label) in labels.iter().enumerate() {
        let best = (0..4).fold(0, |a, b| if scores[[row, b]] > scores[[row, a]] { b } else { a });
        assert_eq!(best, label);
        let center = model.centers().row(clusters[row]);
        let distance = center
            .iter()
            .zip(&features.row_f32(row))
            .map(|(c, &x)| (c - f64::from(x)).powi(2))
            .sum::<f64>()
            .sqrt();
        assert!((scores[[row, label]] + distance).abs() < 1e-6);
    }
}

#[test]
fn bytes_and_their_real_values_are_predicted_alike() {
    let (features, labels) = groups(100, 12, 4);
    let reals = Features::Floats(Array2::from_shape_fn((100, 12), |(row, column)| {
        features.row_f32(row)[column]
    }));
    let of_bytes = fit(KMeansParams::new().n_clusters(4), &features, &labels);
    let of_reals = fit(KMeansParams::new().n_clusters(4), &reals, &labels);
    for model in [&of_bytes, &of_reals] {
        for features in [&features, &reals] {
            assert_eq!(model.predict(features, &Silent).unwrap(), labels);
        }
    }
    approx::assert_relative_eq!(
        of_bytes.report().inertia,
        of_reals.report().inertia,
        max_relative = 1e-5
    );
}

#[test]
fn equal_rows_leave_clusters_empty_and_equal_votes_go_to_the_smallest_label() {
    let features = Features::Floats(array![[1.0], [1.0], [5.0], [5.0]]);
    let model = fit(KMeansParams::new().n_clusters(4), &features, &array![3, 1, 2, 2]);
    let mut classes = model.report().cluster_classes.clone();
    classes.sort_unstable();
    assert_eq!(classes, [None, None, Some(1), Some(2)]);
    assert!(model.warning().unwrap().contains("2 of 4 clusters"));
    assert_eq!(model.predict(&features, &Silent).unwrap(), array![1, 1, 2, 2]);
    let scores = model.scores(&features, &Silent).unwrap().values;
    assert_eq!(scores.row(0), array![f64::NEG_INFINITY, 0.0, -4.0, f64::NEG_INFINITY]);
}

#[test]
fn rows_of_weight_zero_change_nothing() {
    let (features, _) = groups(90, 6, 3);
    let weights: Vec<f64> = (0..90).map(|row| if row % 7 == 0 { 0.0 } else { 1.0 }).collect();
    let kept: Vec<usize> = (0..90).filter(|row| row % 7 != 0).collect();
    let few = features.select(&kept);
    let start = Array2::from_shape_fn((3, 6), |(center, _)| 50.0 + 80.0 * center as f64);
    let all = Data::new(&features, Some(&weights));
    let some = Data::new(&few, None);
    let all = run(&all, start.clone(), 50, 0.0, &Silent).unwrap();
    let some = run(&some, start, 50, 0.0, &Silent).unwrap();
    for (a, b) in all.centers.iter().zip(&some.centers) {
        assert!((a - b).abs() < 1e-9, "{a} {b}");
    }
}

#[test]
fn more_starts_never_end_worse_and_threads_change_nothing() {
    let mut rng = Rng::new(1, &["kmeans", "noise"]);
    let rows = Array2::from_shape_fn((300, 8), |_| rng.normal_f32());
    let features = Features::Floats(rows);
    let labels: Labels = (0..300).map(|row| row % 5).collect();
    let fitted = |n_init: usize, n_threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().unwrap();
        pool.install(|| fit(KMeansParams::new().n_init(n_init), &features, &labels))
    };
    let (one, many) = (fitted(1, 1), fitted(6, 1));
    assert!(many.report().inertia <= one.report().inertia);
    for n_threads in [2, 3] {
        assert_eq!(fitted(6, n_threads).centers(), many.centers());
        assert_eq!(fitted(6, n_threads).report(), many.report());
    }
}

#[test]
fn linfa_comes_to_rest_where_we_do() {
    let (features, labels) = groups(200, 12, 4);
    let of = |engine| fit(KMeansParams::new().n_clusters(4).engine(engine), &features, &labels);
    let (native, linfa) = (of(Engine::Native), of(Engine::Linfa));
    approx::assert_relative_eq!(
        native.report().inertia,
        linfa.report().inertia,
        max_relative = 1e-2
    );
    assert_eq!(linfa.predict(&features, &Silent).unwrap(), labels);
    let samples = Samples { features: &features, labels: &labels, weights: Some(&[1.0; 200]) };
    let params = KMeansParams::new().engine(Engine::Linfa).check().unwrap();
    assert!(matches!(params.fit_model(samples, 0, &Silent), Err(LearnError::Linfa(_))));
}

#[test]
fn what_cannot_be_fitted_is_refused() {
    let features = Features::Bytes(Array2::zeros((3, 2)));
    let labels = array![0, 1, 1];
    let message = |params: KMeansParams, weights: Option<&[f64]>| {
        let samples = Samples { features: &features, labels: &labels, weights };
        let fitted = params.check().and_then(|params| params.fit_model(samples, 0, &Silent));
        fitted.unwrap_err().to_string()
    };
    assert_eq!(
        message(KMeansParams::new(), None),
        "`n_clusters` must be at most the 3 training samples that count, found 10"
    );
    assert_eq!(
        message(KMeansParams::new().n_clusters(3), Some(&[1.0, 1.0, 0.0])),
        "`n_clusters` must be at most the 2 training samples that count, found 3"
    );
    assert_eq!(
        message(KMeansParams::new().n_clusters(0), None),
        "`n_clusters` must be at least 1, found 0"
    );
    assert_eq!(
        message(KMeansParams::new().tol(f64::NAN), None),
        "`tol` must be a finite number not below 0, found NaN"
    );
}

#[test]
fn a_stored_model_predicts_the_same_and_a_damaged_one_is_an_error() {
    let (features, labels) = groups(60, 5, 3);
    let model = fit(KMeansParams::new().n_clusters(6), &features, &labels);
    let stored = || {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("model");
        model.to_tensors().write(&path).unwrap();
        TensorFile::read(&path).unwrap()
    };
    let read = read_classifier(stored()).unwrap();
    assert_eq!(read.scores(&features, &Silent).unwrap(), model.scores(&features, &Silent).unwrap());
    let with = |path: &str, value: Value| {
        let mut file = stored();
        *file.document.pointer_mut(path).unwrap() = value;
        file
    };
    let mut narrow = stored();
    narrow.insert_f64("centers", Array2::<f64>::zeros((2, 5)));
    for damaged in [
        narrow,
        with("/report/n_labels", 1.into()),
        with("/report/cluster_classes", serde_json::json!([null, null, null, null, null, null])),
        with("/report/params/max_iter", 0.into()),
        with("/report", Value::Null),
    ] {
        assert!(read_classifier(damaged).is_err());
    }
}

#[test]
fn an_interrupted_fit_says_so() {
    struct Stop;
    impl Progress for Stop {
        fn update(&self, _: u64, _: u64, _: &str) {}
        fn interrupted(&self) -> bool {
            true
        }
        fn warn(&self, _: &str) {}
    }
    let (features, labels) = groups(60, 5, 3);
    let samples = Samples { features: &features, labels: &labels, weights: None };
    let params = KMeansParams::new().check().unwrap();
    assert!(matches!(params.fit_model(samples, 0, &Stop), Err(LearnError::Interrupted)));
}
