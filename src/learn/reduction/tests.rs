//! Reductions and scales against scikit-learn, and what must hold of any data.

use linfa::ParamGuard;
use ndarray::{Array2, array};
use proptest::prelude::*;
use serde_json::Value;

use super::{
    Components, Distribution, FisherParams, Pca, PcaEngine, PcaParams, RandomProjectionParams,
};
use crate::data::{Features, Labels, Rng, TensorFile};
use crate::learn::map_rows::real_rows;
use crate::learn::scaling::{ScalerParams, Scaling};
use crate::learn::{LearnError, Samples, Shrinkage, Transformer, read_transformer};
use crate::progress::{Progress, Silent};

/// scikit-learn's numbers, made by `tests/reference/reduction.py`.
pub(in crate::learn) struct Fixture {
    pub labels: Labels,
    pub weights: Vec<f64>,
    /// Name, rows, and what scikit-learn makes of them.
    pub cases: Vec<(String, Features, Value)>,
}

impl Fixture {
    pub fn load() -> Self {
        let text = include_str!("../../../tests/reference/reduction.json");
        let all: Value = serde_json::from_str(text).unwrap();
        let n_features = all["n_features"].as_u64().unwrap() as usize;
        let rows = |name: &str| {
            let values = numbers(&all[name]);
            let shape = (values.len() / n_features, n_features);
            if name == "floats" {
                let values = values.into_iter().map(|v| v as f32).collect();
                return Features::Floats(Array2::from_shape_vec(shape, values).unwrap());
            }
            let values = values.into_iter().map(|v| v as u8).collect();
            Features::Bytes(Array2::from_shape_vec(shape, values).unwrap())
        };
        let cases = all["cases"].as_object().unwrap();
        let cases = cases.iter().map(|(name, case)| (name.clone(), rows(name), case.clone()));
        Fixture {
            labels: numbers(&all["labels"]).into_iter().map(|label| label as usize).collect(),
            weights: numbers(&all["weights"]),
            cases: cases.collect(),
        }
    }
}

pub(in crate::learn) fn numbers(value: &Value) -> Vec<f64> {
    match value {
        Value::Array(values) => values.iter().flat_map(numbers).collect(),
        value => vec![value.as_f64().unwrap()],
    }
}

/// Asserts that values agree within `tol` of the largest of them.
#[track_caller]
pub(in crate::learn) fn assert_close<'a>(
    found: impl IntoIterator<Item = &'a f64>,
    expected: &Value,
    tol: f64,
    what: &str,
) {
    let found: Vec<f64> = found.into_iter().copied().collect();
    let expected = numbers(expected);
    assert_eq!(found.len(), expected.len(), "{what}");
    let size = expected.iter().fold(1e-12f64, |size, v| size.max(v.abs()));
    for (nth, (a, b)) in found.iter().zip(&expected).enumerate() {
        assert!((a - b).abs() <= tol * size, "{what}, {nth}: {a}, scikit-learn {b}");
    }
}

pub(in crate::learn) fn first_rows(features: &Features, n: usize) -> Features {
    features.select(&(0..n).collect::<Vec<_>>())
}

fn real(features: &Features) -> Array2<f64> {
    real_rows(features, 0, features.n_samples())
}

fn transformed(map: &dyn Transformer, features: &Features) -> Array2<f64> {
    real(&map.transform(features, &Silent).unwrap())
}

fn samples<'a>(features: &'a Features, labels: &'a Labels) -> Samples<'a> {
    Samples { features, labels, weights: None }
}

fn pca(params: PcaParams, features: &Features) -> Result<Pca, LearnError> {
    let labels = Labels::zeros(features.n_samples());
    params.check()?.fit_map(samples(features, &labels), 0, &Silent)
}

fn count(n: usize) -> PcaParams {
    PcaParams::new().components(Components::Count(n))
}

/// Rows on about three directions, with some noise.
fn drawn(seed: u64, n_samples: usize, n_features: usize) -> Features {
    let mut rng = Rng::new(seed, &["reduction", "rows"]);
    let factor = Array2::from_shape_simple_fn((3, n_features), || rng.normal_f32());
    let hidden = Array2::from_shape_simple_fn((n_samples, 3), || rng.normal_f32());
    let noise = Array2::from_shape_simple_fn((n_samples, n_features), || rng.normal_f32());
    Features::Floats(hidden.dot(&factor) + noise * 0.1 + 2.0)
}

#[test]
fn components_match_scikit_learn() {
    for (name, features, case) in Fixture::load().cases {
        let case = &case["pca"];
        let found = pca(count(4), &features).unwrap();
        assert_close(found.mean(), &case["mean"], 1e-12, &name);
        assert_close(&found.components(), &case["components"], 1e-9, &name);
        assert_close(found.explained_variance(), &case["explained_variance"], 1e-11, &name);
        let ratio = found.explained_variance_ratio();
        assert_close(&ratio, &case["explained_variance_ratio"], 1e-11, &name);
        let first = first_rows(&features, 10);
        assert_close(&transformed(&found, &first), &case["transformed"], 1e-6, &name);
        let whitened = pca(count(4).whiten(true), &features).unwrap();
        assert_close(&transformed(&whitened, &first), &case["whitened"], 1e-6, &name);
        let share = pca(PcaParams::new().components(Components::Variance(0.9)), &features).unwrap();
        assert_eq!(share.explained_variance().len() as u64, case["n_for_90"], "{name}");
    }
}

#[test]
fn linfa_finds_the_same_axes() {
    let features = drawn(1, 80, 6);
    let ours = pca(count(3), &features).unwrap();
    let theirs = pca(count(3).engine(PcaEngine::Linfa), &features).unwrap();
    for (a, b) in ours.components().iter().zip(&theirs.components()) {
        assert!((a - b).abs() < 1e-4, "{a} and {b}");
    }
    for (a, b) in ours.explained_variance().iter().zip(theirs.explained_variance()) {
        assert!((a - b).abs() < 1e-6 * a, "{a} and {b}");
    }
}

#[test]
fn discriminant_directions_match_scikit_learn() {
    let Fixture { labels, cases, .. } = Fixture::load();
    for (name, features, case) in cases {
        let fit = |params: FisherParams| {
            params.check().unwrap().fit_map(samples(&features, &labels), 0, &Silent).unwrap()
        };
        let found = fit(FisherParams::new());
        let first = first_rows(&features, 10);
        let expected = &case["fisher"];
        assert_directions(&transformed(&found, &first), &expected["transformed"], &name);
        assert_close(found.explained_variance_ratio(), &expected["ratio"], 1e-8, &name);
        let shrunk = fit(FisherParams::new().shrinkage(Shrinkage::Share(0.3)));
        let expected = &case["fisher_shrunk"]["transformed"];
        assert_directions(&transformed(&shrunk, &first), expected, &name);
    }
}

/// As scikit-learn's up to the sign of a direction, which it leaves to chance.
#[track_caller]
fn assert_directions(found: &Array2<f64>, expected: &Value, what: &str) {
    let expected = Array2::from_shape_vec(found.dim(), numbers(expected)).unwrap();
    for (found, expected) in found.columns().into_iter().zip(expected.columns()) {
        let sign = found.dot(&expected).signum();
        for (a, b) in found.iter().zip(&expected) {
            assert!((a - sign * b).abs() < 2e-5, "{what}: {a}, expected {b}");
        }
    }
}

#[test]
fn scales_match_scikit_learn() {
    let Fixture { labels, cases, .. } = Fixture::load();
    for (name, features, case) in cases {
        for (method, key) in [
            (Scaling::Standard, "standard"),
            (Scaling::Minmax, "minmax"),
            (Scaling::MinmaxSymmetric, "minmax_symmetric"),
        ] {
            let params = ScalerParams::new(method).check().unwrap();
            let found = params.fit_map(samples(&features, &labels), 0, &Silent).unwrap();
            let found = transformed(&found, &first_rows(&features, 10));
            assert_close(&found, &case["scale"][key], 1e-6, &format!("{name} {key}"));
        }
    }
}

#[test]
fn rows_without_weight_do_not_exist() {
    let Fixture { labels, weights, cases } = Fixture::load();
    let kept: Vec<usize> = (0..labels.len()).filter(|&row| weights[row] > 0.0).collect();
    let kept_labels = labels.select(ndarray::Axis(0), &kept);
    let kept_weights: Vec<f64> = kept.iter().map(|&row| weights[row]).collect();
    for (name, features, _) in cases {
        let rest = features.select(&kept);
        let all = Samples { features: &features, labels: &labels, weights: Some(&weights) };
        let some = Samples { features: &rest, labels: &kept_labels, weights: Some(&kept_weights) };
        for fit in fitters() {
            let (a, b) = (fit(all).unwrap(), fit(some).unwrap());
            let (a, b) = (transformed(&*a, &features), transformed(&*b, &features));
            let size = a.iter().fold(0.0f64, |size, v| size.max(v.abs()));
            for (a, b) in a.iter().zip(&b) {
                assert!((a - b).abs() < 1e-5 * size, "{name}: {a} and {b}");
            }
        }
    }
}

type Fitter = Box<dyn Fn(Samples) -> Result<Box<dyn Transformer>, LearnError> + Sync>;

/// A fit of every kind that reads the values of its samples.
fn fitters() -> Vec<Fitter> {
    fitters_with(&Silent)
}

fn fitters_with(progress: &'static dyn Progress) -> Vec<Fitter> {
    let pca = count(3).check().unwrap();
    let fisher = FisherParams::new().check().unwrap();
    let scaler = ScalerParams::new(Scaling::Standard).check().unwrap();
    let ranged = ScalerParams::new(Scaling::MinmaxSymmetric).check().unwrap();
    vec![
        Box::new(move |samples| Ok(Box::new(pca.fit_map(samples, 0, progress)?))),
        Box::new(move |samples| Ok(Box::new(fisher.fit_map(samples, 0, progress)?))),
        Box::new(move |samples| Ok(Box::new(scaler.fit_map(samples, 0, progress)?))),
        Box::new(move |samples| Ok(Box::new(ranged.fit_map(samples, 0, progress)?))),
    ]
}

#[test]
fn bytes_and_their_real_values_give_the_same_map() {
    let Fixture { labels, cases, .. } = Fixture::load();
    let (_, bytes, _) = &cases[0];
    let floats = Features::Floats(real(bytes).mapv(|v| v as f32));
    for fit in fitters() {
        let of_bytes = fit(samples(bytes, &labels)).unwrap();
        let of_floats = fit(samples(&floats, &labels)).unwrap();
        for (a, b) in transformed(&*of_bytes, &floats).iter().zip(&transformed(&*of_floats, bytes))
        {
            assert!((a - b).abs() < 1e-4, "{a} and {b}");
        }
    }
}

#[test]
fn a_stored_map_is_read_again() {
    let Fixture { labels, cases, .. } = Fixture::load();
    let (_, features, _) = &cases[2];
    let random = RandomProjectionParams::new().n_components(5);
    let sparse = random.clone().distribution(Distribution::Sparse);
    let mut fitters = fitters();
    for params in [random, sparse] {
        let params = params.check().unwrap();
        fitters.push(Box::new(move |samples| Ok(Box::new(params.fit_map(samples, 3, &Silent)?))));
    }
    let whitened = count(3).whiten(true).check().unwrap();
    fitters.push(Box::new(move |samples| Ok(Box::new(whitened.fit_map(samples, 0, &Silent)?))));
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("map");
    for fit in fitters {
        let map = fit(samples(features, &labels)).unwrap();
        map.to_tensors().write(&path).unwrap();
        let again = read_transformer(TensorFile::read(&path).unwrap()).unwrap();
        assert_eq!(
            again.transform(features, &Silent).unwrap(),
            map.transform(features, &Silent).unwrap()
        );
        assert_eq!((again.details(), again.label()), (map.details(), map.label()));
        let n_tensors = map.to_tensors().tensors().count();
        for missing in 0..n_tensors {
            let mut damaged = TensorFile::new(map.to_tensors().document);
            for (nth, (name, tensor)) in map.to_tensors().tensors().enumerate() {
                if nth != missing {
                    let crate::data::Tensor::F64(values) = tensor else { unreachable!() };
                    damaged.insert_f64(name, values.to_owned());
                }
            }
            assert!(read_transformer(damaged).is_err(), "{} without {missing}", map.label());
        }
    }
}

#[test]
fn threads_do_not_change_a_bit() {
    let features = drawn(2, 1500, 90);
    let labels = Labels::from_shape_fn(1500, |row| row % 4);
    for (nth, fit) in fitters().iter().enumerate() {
        let with = |n_threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().unwrap();
            pool.install(|| {
                let map = fit(samples(&features, &labels)).unwrap();
                (map.to_tensors().digest(), map.transform(&features, &Silent).unwrap())
            })
        };
        assert_eq!(with(1), with(2), "{nth}");
        assert_eq!(with(1), with(3), "{nth}");
    }
}

#[test]
fn a_random_projection_keeps_squared_lengths_on_average() {
    let features = Features::Floats(Array2::ones((1, 400)));
    let labels = Labels::zeros(1);
    for distribution in [Distribution::Gaussian, Distribution::Sparse] {
        let params =
            RandomProjectionParams::new().n_components(100).distribution(distribution).check();
        let params = params.unwrap();
        let n_seeds = 200;
        let length: f64 = (0..n_seeds)
            .map(|seed| {
                let map = params.fit_map(samples(&features, &labels), seed, &Silent).unwrap();
                transformed(&map, &features).iter().map(|v| v * v).sum::<f64>()
            })
            .sum();
        // Relative deviation of one squared length about sqrt(2 / 100), of the mean 0.01.
        let ratio = length / n_seeds as f64 / 400.0;
        assert!((ratio - 1.0).abs() < 0.05, "{distribution:?}: {ratio}");
    }
}

#[test]
fn a_component_without_variance_is_0_when_whitened() {
    let features = Features::Floats(array![[0.0, 0.0, 1.0], [1.0, 2.0, 1.0], [3.0, 6.0, 1.0]]);
    let found = pca(count(3).whiten(true), &features).unwrap();
    let mapped = transformed(&found, &features);
    assert!(mapped.column(1).iter().chain(mapped.column(2)).all(|&v| v == 0.0), "{mapped}");
    let spread: f64 = mapped.column(0).iter().map(|v| v * v).sum();
    assert!((spread / 2.0 - 1.0).abs() < 1e-6, "{spread}");
}

#[test]
fn parameters_out_of_range_are_refused() {
    let features = drawn(3, 5, 8);
    let labels = array![0, 1, 2, 0, 1];
    let fisher = |n| {
        let params = FisherParams::new().n_components(Some(n)).check()?;
        params.fit_map(samples(&features, &labels), 0, &Silent).map(|_| ())
    };
    let random = |n| {
        let params = RandomProjectionParams::new().n_components(n).check()?;
        params.fit_map(samples(&features, &labels), 0, &Silent).map(|_| ())
    };
    let by = |components| pca(PcaParams::new().components(components), &features).map(|_| ());
    let linfa = PcaParams::new().components(Components::MaxError(0.1)).engine(PcaEngine::Linfa);
    for (found, expected) in [
        (by(Components::Count(0)), "`n_components` must be at least 1, found 0"),
        (
            by(Components::Count(6)),
            "`n_components` must be at most 5 for 5 samples of 8 features, found 6",
        ),
        (by(Components::Variance(0.0)), "`variance` must be above 0, at most 1, found 0"),
        (
            by(Components::MaxError(f64::NAN)),
            "`max_error` must be a finite number not below 0, found NaN",
        ),
        (
            pca(linfa, &features).map(|_| ()),
            "`engine` must be `native` unless `n_components` is given, found linfa",
        ),
        (fisher(0), "`n_components` must be at least 1, found 0"),
        (fisher(3), "`n_components` must be at most 2 for 3 classes and 8 features, found 3"),
        (random(9), "`n_components` must be at most the 8 features, found 9"),
    ] {
        assert_eq!(found.unwrap_err().to_string(), expected);
    }
}

#[test]
fn samples_that_say_nothing_are_refused() {
    let one = drawn(4, 1, 3);
    let constant = Features::Bytes(Array2::from_elem((6, 3), 7));
    let labels = array![0, 1, 0, 1, 0, 1];
    let fisher = FisherParams::new().check().unwrap();
    let two = drawn(4, 2, 3);
    let mut same_means = Array2::zeros((4, 2));
    same_means.row_mut(0).fill(1.0);
    same_means.row_mut(2).fill(1.0);
    let same_means = Features::Floats(same_means);
    for (found, expected) in [
        (
            pca(count(1), &one).map(|_| ()),
            "a covariance needs at least 2 samples that count, found 1",
        ),
        (pca(count(1), &constant).map(|_| ()), "none of 3 features varies among the samples"),
        (
            fisher.fit_map(samples(&constant, &labels), 0, &Silent).map(|_| ()),
            "none of 3 features varies within the classes",
        ),
        (
            fisher.fit_map(samples(&two, &array![0, 1]), 0, &Silent).map(|_| ()),
            "a covariance within 2 classes needs at least 3 samples that count, found 2",
        ),
        (
            fisher.fit_map(samples(&same_means, &array![0, 0, 1, 1]), 0, &Silent).map(|_| ()),
            "none of 2 features varies between the classes",
        ),
    ] {
        assert_eq!(found.unwrap_err().to_string(), expected);
    }
    let broken = Features::Floats(array![[1.0, f32::NAN], [0.0, 2.0]]);
    for fit in fitters() {
        let found = fit(samples(&broken, &array![0, 1])).err().unwrap();
        assert_eq!(found.to_string(), "feature 1 of sample 0 is NaN, all must be finite");
    }
}

#[test]
fn rows_unlike_those_of_the_fit_are_refused() {
    let features = drawn(5, 30, 6);
    let labels = Labels::from_shape_fn(30, |row| row % 3);
    for fit in fitters() {
        let map = fit(samples(&features, &labels)).unwrap();
        let found = map.transform(&drawn(5, 2, 5), &Silent).unwrap_err();
        assert_eq!(found.to_string(), "rows have 5 features, the model was fitted on 6");
        let empty = map.transform(&Features::Bytes(Array2::zeros((0, 6))), &Silent).unwrap();
        assert_eq!(empty.n_samples(), 0);
    }
}

#[test]
fn an_interruption_ends_every_fit() {
    struct Stop;
    impl Progress for Stop {
        fn update(&self, _: u64, _: u64, _: &str) {}
        fn interrupted(&self) -> bool {
            true
        }
        fn warn(&self, _: &str) {}
    }
    let features = drawn(6, 30, 6);
    let labels = Labels::from_shape_fn(30, |row| row % 3);
    for fit in fitters_with(&Stop).iter().take(3) {
        let found = fit(samples(&features, &labels)).err().unwrap();
        assert!(matches!(found, LearnError::Interrupted), "{found}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn rebuilt_rows_are_off_by_the_stated_error(
        seed in 0u64..1000,
        n_samples in 2usize..60,
        n_features in 1usize..80,
        share in 0.0f64..1.0,
        of_bytes in any::<bool>(),
        whiten in any::<bool>(),
    ) {
        let mut features = drawn(seed, n_samples, n_features);
        if of_bytes {
            let Features::Floats(rows) = &features else { unreachable!() };
            features = Features::Bytes(rows.mapv(|v| (v * 30.0 + 100.0).clamp(0.0, 255.0) as u8));
        }
        let rows = real(&features);
        let mean = rows.mean_axis(ndarray::Axis(0)).unwrap();
        let total = (&rows - &mean).mapv(|v| v * v).mean().unwrap();
        let bound = total * share;
        let params = PcaParams::new().components(Components::MaxError(bound)).whiten(whiten);
        let Ok(found) = pca(params, &features) else {
            // Bytes can all be equal.
            prop_assert!(total < 1e-12);
            return Ok(());
        };
        let components = found.transform(&features, &Silent).unwrap();
        let rebuilt = found.inverse_transform(&components, &Silent).unwrap();
        let error = (&rebuilt - &rows).mapv(|v| v * v).mean().unwrap();
        let stated = found.reconstruction_error();
        prop_assert!((error - stated).abs() <= 1e-6 * total, "{error}, stated {stated}");
        prop_assert!(stated <= bound + 1e-9 * total, "{stated}, allowed {bound}");
        // One component fewer would break the bound.
        let n = found.explained_variance().len();
        if n > 1 {
            let fewer = pca(count(n - 1), &features).unwrap().reconstruction_error();
            prop_assert!(fewer > bound - 1e-9 * total, "{fewer} by one component fewer");
        }
    }
}
