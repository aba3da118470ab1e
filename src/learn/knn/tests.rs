//! The search against an exhaustive one, and the classifier on small data.

use linfa::ParamGuard;
use ndarray::{Array2, array};
use proptest::prelude::*;
use serde_json::Value;

use super::index::Index;
use super::{Engine, Knn, KnnParams, Metric, Weights};
use crate::data::{Features, Labels, Rng, TensorFile};
use crate::kernels::Cpu;
use crate::learn::model_selection::Folds;
use crate::learn::{Classifier, LearnError, Learner, Samples, read_classifier};
use crate::progress::Silent;

const METRICS: [Metric; 3] = [Metric::Euclidean, Metric::Manhattan, Metric::Cosine];

fn fit(params: KnnParams, features: &Features, labels: &Labels) -> Knn {
    let samples = Samples { features, labels, weights: None };
    params.check().unwrap().fit_model(samples, 0, &Silent).unwrap()
}

/// Real values; whole numbers for bytes.
fn values(features: &Features, row: usize) -> Vec<f64> {
    match features {
        Features::Bytes(rows) => rows.row(row).iter().map(|&v| f64::from(v)).collect(),
        Features::Floats(rows) => rows.row(row).iter().map(|&v| f64::from(v)).collect(),
    }
}

/// Rows by distance to a query, the smaller first of equals. On values of few bits all is exact
/// (before the root).
fn naive(metric: Metric, rows: &Features, query: &[f64]) -> Vec<(f64, usize)> {
    let distance = |row: Vec<f64>| -> f64 {
        let pairs = || query.iter().zip(&row);
        match metric {
            Metric::Euclidean => pairs().map(|(q, r)| (q - r).powi(2)).sum(),
            Metric::Manhattan => pairs().map(|(q, r)| (q - r).abs()).sum(),
            Metric::Cosine => {
                let square = |v: &[f64]| v.iter().map(|v| v * v).sum::<f64>();
                let lengths = (square(query) * square(&row)).sqrt();
                let product: f64 = pairs().map(|(q, r)| q * r).sum();
                if lengths > 0.0 { (1.0 - product / lengths).max(0.0) } else { 1.0 }
            }
        }
    };
    let mut all: Vec<(f64, usize)> =
        (0..rows.n_samples()).map(|row| (distance(values(rows, row)), row)).collect();
    all.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    all
}

/// Rows of few levels (many ties) or many, some of them zeros.
fn draw(rng: &mut Rng, n_rows: usize, n_features: usize, n_levels: usize, bytes: bool) -> Features {
    let mut level = || {
        let is_zero = rng.below(5) == 0;
        let level = rng.below(n_levels);
        if is_zero { 0 } else { level }
    };
    let levels = Array2::from_shape_fn((n_rows, n_features), |_| level());
    match bytes {
        true => Features::Bytes(levels.mapv(|v| v as u8)),
        // Far from 0 against their spread: squares cancel.
        false => Features::Floats(levels.mapv(|v| v as f32 * 0.125 - 16.0)),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn neighbours_are_those_of_an_exhaustive_search_at_every_level(
        n_rows in 1usize..300,
        n_queries in 1usize..40,
        n_features in 1usize..70,
        n_levels in prop::sample::select(vec![2usize, 5, 256]),
        share in 0.0f64..1.0,
        seed in any::<u64>(),
        bytes in any::<bool>(),
    ) {
        let mut rng = Rng::new(seed, &["knn"]);
        let rows = draw(&mut rng, n_rows, n_features, n_levels, bytes);
        let queries = draw(&mut rng, n_queries, n_features, n_levels, bytes);
        let k = 1 + (share * (n_rows - 1) as f64) as usize;
        for metric in METRICS {
            for cpu in Cpu::all() {
                let index = Index::new(cpu, metric, &rows);
                let found = index.search(&rows, &queries, 0..n_queries, k, &Silent).unwrap();
                for (query, found) in found.iter().enumerate() {
                    let expected = naive(metric, &rows, &values(&queries, query));
                    let found: Vec<usize> = found.iter().map(|entry| entry.1 as usize).collect();
                    let expected: Vec<usize> = expected[..k].iter().map(|entry| entry.1).collect();
                    prop_assert_eq!(found, expected, "{:?} {:?}", metric, cpu);
                }
            }
        }
    }
}

#[test]
fn huge_and_tiny_values_lose_no_neighbour() {
    for (scale, offset) in [(1e30, 0.0), (1e-30, 0.0), (1e-22, 0.0), (1.0, 1e6)] {
        let mut rng = Rng::new(3, &["knn", "scales"]);
        let mut draw = |n: usize| {
            Features::Floats(Array2::from_shape_fn((n, 5), |_| {
                rng.below(64) as f32 * scale + offset
            }))
        };
        let (rows, queries) = (draw(200), draw(20));
        for metric in [Metric::Euclidean, Metric::Manhattan] {
            let index = Index::new(Cpu::detect(), metric, &rows);
            let found = index.search(&rows, &queries, 0..20, 7, &Silent).unwrap();
            for (query, found) in found.iter().enumerate() {
                let expected = naive(metric, &rows, &values(&queries, query));
                for (found, expected) in found.iter().zip(&expected) {
                    let distance = f64::from_bits(found.0);
                    assert!(
                        (distance - expected.0).abs() <= 1e-14 * expected.0,
                        "{metric:?} {scale} {offset}: {distance} and {}",
                        expected.0
                    );
                }
            }
        }
    }
}

// The fixture is made by tests/reference/knn_fixtures.py (library version and seed inside).
#[test]
fn neighbours_probabilities_and_classes_are_those_of_scikit_learn() {
    let text = include_str!("../../../tests/reference/knn.json");
    let fixture: Value = serde_json::from_str(text).unwrap();
    let matrix = |value: &Value| -> Array2<f64> {
        let rows: Vec<Vec<f64>> = serde_json::from_value(value.clone()).unwrap();
        Array2::from_shape_fn((rows.len(), rows[0].len()), |(row, column)| rows[row][column])
    };
    let labels: Vec<usize> = serde_json::from_value(fixture["labels"].clone()).unwrap();
    let labels = Labels::from(labels);
    for case in fixture["cases"].as_array().unwrap() {
        let kind = case["features"].as_str().unwrap();
        let features = |value: &Value| match kind {
            "bytes" => Features::Bytes(matrix(value).mapv(|v| v as u8)),
            _ => Features::Floats(matrix(value).mapv(|v| v as f32)),
        };
        let metric: Metric = serde_json::from_value(case["metric"].clone()).unwrap();
        let weights: Weights = serde_json::from_value(case["weights"].clone()).unwrap();
        let k = case["n_neighbors"].as_u64().unwrap() as usize;
        let name = format!("{kind}, {metric:?}, {weights:?}, {k}");
        let params = KnnParams::new().n_neighbors(k).metric(metric).weights(weights);
        let model = fit(params, &features(&fixture[kind]), &labels);
        let queries = features(&case["queries"]);
        let near = model.kneighbors(&queries, k, &Silent).unwrap();
        assert_eq!(near.idx.mapv(|idx| idx as f64), matrix(&case["idx"]), "{name}");
        // scikit-learn takes the root of what is left of cancelled squares: 1e-7 for 0.
        for (found, expected) in near.distances.iter().zip(&matrix(&case["distances"])) {
            assert!((found - expected).abs() < 1e-6, "{name}: {found} and {expected}");
        }
        let scores = model.scores(&queries, &Silent).unwrap().values;
        let expected = matrix(&case["probabilities"]);
        for (column, class) in [0, 1, 3, 5].into_iter().enumerate() {
            for (found, expected) in scores.column(class).iter().zip(expected.column(column)) {
                assert!((found - expected).abs() < 1e-6, "{name}: {found} and {expected}");
            }
        }
        let expected: Vec<usize> = serde_json::from_value(case["predictions"].clone()).unwrap();
        assert_eq!(model.predict(&queries, &Silent).unwrap().to_vec(), expected, "{name}");
    }
}

fn grid() -> (Features, Labels) {
    let mut rng = Rng::new(1, &["knn", "grid"]);
    let labels: Labels = (0..700).map(|row| row % 3).collect();
    (draw(&mut rng, 700, 12, 256, true), labels)
}

#[test]
fn threads_change_nothing() {
    let (features, labels) = grid();
    let predicted = |n_threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().unwrap();
        pool.install(|| {
            METRICS.map(|metric| {
                let model = fit(KnnParams::new().metric(metric), &features, &labels);
                model.kneighbors(&features, 5, &Silent).unwrap()
            })
        })
    };
    assert_eq!(predicted(1), predicted(2));
    assert_eq!(predicted(1), predicted(3));
}

#[test]
fn votes_that_are_equal_go_to_the_smallest_label_and_absent_labels_get_none() {
    let features = Features::Floats(array![[0.0], [1.0], [2.0], [3.0]]);
    let model = fit(KnnParams::new().n_neighbors(4), &features, &array![4, 1, 4, 1]);
    let query = Features::Floats(array![[0.0]]);
    assert_eq!(model.predict(&query, &Silent).unwrap(), array![1]);
    let scores = model.scores(&query, &Silent).unwrap();
    assert_eq!(scores.values, array![[0.0, 0.5, 0.0, 0.0, 0.5]]);
}

#[test]
fn bytes_and_their_real_values_are_the_same_rows() {
    let (features, labels) = grid();
    let Features::Bytes(rows) = &features else { unreachable!() };
    let reals = Features::Floats(rows.mapv(|v| f32::from(v) / 255.0));
    let queries = [features.select(&[1, 50, 300]), reals.select(&[1, 50, 300])];
    for metric in METRICS {
        let params = KnnParams::new().metric(metric);
        let models = [fit(params, &features, &labels), fit(params, &reals, &labels)];
        let first = models[0].kneighbors(&queries[0], 6, &Silent).unwrap();
        for model in &models {
            for queries in &queries {
                let near = model.kneighbors(queries, 6, &Silent).unwrap();
                assert_eq!(near.idx, first.idx, "{metric:?}");
                let close = |(a, b): (&f64, &f64)| (a - b).abs() < 1e-6;
                assert!(near.distances.iter().zip(&first.distances).all(close), "{metric:?}");
            }
        }
    }
}

#[test]
fn linfas_searches_find_the_same_neighbours() {
    let mut rng = Rng::new(2, &["knn", "linfa"]);
    let rows = Array2::from_shape_fn((200, 4), |_| rng.normal_f32());
    let features = Features::Floats(rows);
    let labels: Labels = (0..200).map(|row| row % 2).collect();
    for engine in [Engine::LinfaBallTree, Engine::LinfaKdTree, Engine::LinfaLinear] {
        for metric in [Metric::Euclidean, Metric::Manhattan] {
            let near = |engine| {
                let model = fit(KnnParams::new().engine(engine).metric(metric), &features, &labels);
                model.kneighbors(&features, 5, &Silent).unwrap()
            };
            assert_eq!(near(engine).idx, near(Engine::Native).idx, "{engine:?} {metric:?}");
        }
    }
}

#[test]
fn learners_judged_by_one_search_are_judged_as_alone() {
    let (features, labels) = grid();
    let samples = Samples { features: &features, labels: &labels, weights: None };
    let folds = Folds::stratified(&labels, 3, 1).unwrap();
    let checked = |k, weights| KnnParams::new().n_neighbors(k).weights(weights).check().unwrap();
    let learners =
        [checked(1, Weights::Uniform), checked(9, Weights::Distance), checked(4, Weights::Uniform)];
    let dynamic: Vec<&dyn Learner> = learners.iter().map(|l| l as &dyn Learner).collect();
    assert!(dynamic.iter().all(|other| learners[0].shares_work_with(*other)));
    let together = learners[0].cross_validate(&dynamic, samples, &folds, 0, &Silent).unwrap();
    for (learner, together) in learners.iter().zip(&together) {
        let alone =
            crate::learn::model_selection::cross_validate(learner, samples, &folds, 0, &Silent);
        for (alone, together) in alone.unwrap().iter().zip(together) {
            assert_eq!(alone.accuracy, together.accuracy, "{learner:?}");
        }
    }
    let other = KnnParams::new().metric(Metric::Cosine).check().unwrap();
    assert!(!learners[0].shares_work_with(&other));
}

fn refusal(params: KnnParams, samples: Samples) -> String {
    let fitted = params.check().and_then(|params| params.fit_model(samples, 0, &Silent));
    fitted.unwrap_err().to_string()
}

#[test]
fn what_cannot_be_fitted_or_searched_is_refused() {
    let features = Features::Bytes(Array2::zeros((3, 2)));
    let labels = array![0, 1, 1];
    let samples = Samples { features: &features, labels: &labels, weights: None };
    assert_eq!(
        refusal(KnnParams::new().n_neighbors(0), samples),
        "`n_neighbors` must be at least 1, found 0"
    );
    assert_eq!(
        refusal(KnnParams::new(), samples),
        "`n_neighbors` must be from 1 to the 3 training samples, found 5"
    );
    let weighted = Samples { weights: Some(&[1.0; 3]), ..samples };
    assert_eq!(refusal(KnnParams::new(), weighted), "`knn` takes no sample weights");
    assert_eq!(
        refusal(KnnParams::new().metric(Metric::Cosine).engine(Engine::LinfaLinear), samples),
        "`metric` must be `euclidean` or `manhattan` with an engine of linfa, found `cosine`"
    );
    let many = Features::Bytes(Array2::zeros((5_001, 1)));
    let labels = Labels::zeros(5_001);
    assert_eq!(
        refusal(
            KnnParams::new().engine(Engine::LinfaBallTree),
            Samples { features: &many, labels: &labels, weights: None }
        ),
        "`engine` must be `native` for more than 5000 samples, found an engine of linfa for 5001"
    );
    let model = fit(KnnParams::new().n_neighbors(1), &features, &array![0, 1, 1]);
    assert!(model.kneighbors(&features, 4, &Silent).is_err());
    let wide = Features::Bytes(Array2::zeros((1, 3)));
    let error = model.predict(&wide, &Silent).unwrap_err();
    assert_eq!(error.to_string(), "rows have 3 features, the model was fitted on 2");
}

#[test]
fn no_queries_have_no_neighbours() {
    let model = fit(KnnParams::new().n_neighbors(1), &grid().0, &grid().1);
    let none = Features::Bytes(Array2::zeros((0, 12)));
    assert!(model.predict(&none, &Silent).unwrap().is_empty());
    let none = Features::Floats(Array2::zeros((0, 12)));
    assert_eq!(model.scores(&none, &Silent).unwrap().values.dim(), (0, 3));
}

#[test]
fn rows_of_more_bytes_than_exact_products_hold_are_compared_as_real_numbers() {
    let n_features = crate::kernels::bytes::MAX_FEATURES + 1;
    let features = Features::Bytes(Array2::from_shape_fn((3, n_features), |(row, column)| {
        (row * 100 + column % 3) as u8
    }));
    let model = fit(KnnParams::new().n_neighbors(1), &features, &array![0, 1, 2]);
    assert_eq!(model.predict(&features, &Silent).unwrap(), array![0, 1, 2]);
}

#[test]
fn a_stored_model_predicts_the_same_and_a_damaged_one_is_an_error() {
    let (features, labels) = grid();
    for features in [&features, &Features::Floats(array![[0.5f32], [1.0]])] {
        let labels = labels.slice(ndarray::s![..features.n_samples()]).to_owned();
        let model = fit(KnnParams::new().n_neighbors(2), features, &labels);
        let stored = || {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("model");
            model.to_tensors().write(&path).unwrap();
            TensorFile::read(&path).unwrap()
        };
        let read = read_classifier(stored()).unwrap();
        assert_eq!(
            read.scores(features, &Silent).unwrap(),
            model.scores(features, &Silent).unwrap()
        );
        let mut other_labels = stored();
        other_labels.insert_u32("labels", array![0u32]);
        let mut no_rows = stored();
        no_rows.insert_u8("rows", Array2::<u8>::zeros((labels.len(), 0)));
        let mut params = stored();
        params.document["params"]["n_neighbors"] = 0.into();
        let mut not_finite = stored();
        not_finite.take_u8::<ndarray::Ix2>("rows").ok();
        not_finite.insert_f32("rows", Array2::from_elem((labels.len(), 1), f32::NAN));
        let mut huge = stored();
        huge.insert_u32("labels", ndarray::Array1::from_elem(labels.len(), u32::MAX));
        for damaged in [other_labels, no_rows, params, not_finite, huge] {
            assert!(read_classifier(damaged).is_err());
        }
    }
}

#[test]
fn an_interrupted_search_says_so() {
    struct Stop;
    impl crate::progress::Progress for Stop {
        fn update(&self, _: u64, _: u64, _: &str) {}
        fn interrupted(&self) -> bool {
            true
        }
        fn warn(&self, _: &str) {}
    }
    let (features, labels) = grid();
    for metric in METRICS {
        let model = fit(KnnParams::new().metric(metric), &features, &labels);
        assert!(matches!(model.predict(&features, &Stop), Err(LearnError::Interrupted)));
    }
}
