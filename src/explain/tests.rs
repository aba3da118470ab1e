//! Every kind of model on made images whose class a known part of them decides.

use std::sync::Arc;

use linfa::ParamGuard;
use ndarray::{Array1, Array2, s};

use super::reach::{Reach, reach};
use super::*;
use crate::data::{Features, ImageInput, ImageSet, Labels, Picture, Rng};
use crate::learn::adaboost::AdaBoostParams;
use crate::learn::forest::{ForestKind, ForestParams};
use crate::learn::gradient_boosting::GradientBoostingParams;
use crate::learn::knn::KnnParams;
use crate::learn::linear_svm::{LinearSvcParams, MultiClass};
use crate::learn::logistic::LogisticParams;
use crate::learn::perceptron::PerceptronParams;
use crate::learn::reduction::{Components, PcaParams};
use crate::learn::scaling::{ScalerParams, Scaling};
use crate::learn::svm::{Kernel, SvcParams};
use crate::learn::tree::DecisionTreeParams;
use crate::learn::{Learner, Samples, Transformer};
use crate::model::{Chain, Link};
use crate::nn::{Architecture, Network, TrainParams, train};
use crate::report::PatternKind;

const SIDE: usize = 14;

/// Classes are told by which corner of a noisy image is bright: 0 upper left, 1 upper right, 2 lower
/// left, 3 lower right.
fn corners(n: usize, n_classes: usize, channels: usize) -> Dataset {
    let shape = ImageShape { height: SIDE, width: SIDE, channels };
    let mut rng = Rng::new(3, &["explain", "corners"]);
    let mut set = |n: usize| {
        let labels: Labels = (0..n).map(|row| row % n_classes).collect();
        let pixels = Array2::from_shape_fn((n, shape.n_pixels()), |(row, value)| {
            let (y, x) = (value / channels / SIDE, value / channels % SIDE);
            let is_bright = y / 7 == labels[row] / 2
                && x / 7 == labels[row] % 2
                && (2..5).contains(&(y % 7))
                && (2..5).contains(&(x % 7));
            rng.below(60) as u8 + if is_bright { 180 } else { 0 }
        });
        ImageSet { shape, pixels, labels }
    };
    Dataset {
        name: "corners".into(),
        class_names: (0..n_classes).map(|class| format!("class {class}")).collect(),
        train: set(n),
        validation_idx: Vec::new(),
        test: set(n_classes * 3),
        synthetic: true,
        steps: Vec::new(),
    }
}

fn input(data: &Dataset) -> ImageInput {
    data.input()
}

/// A learner on the features of a chain.
fn fitted(learner: &dyn Learner, chain: Chain, data: &Dataset) -> Model {
    let features = chain.features(data.train.pixels.view(), &Silent).unwrap();
    let samples = Samples { features: &features, labels: &data.train.labels, weights: None };
    let classifier = learner.fit(samples, 1, &Silent).unwrap();
    Model { chain, head: Head::Classifier(Arc::from(classifier)) }
}

fn on_pixels(learner: &dyn Learner, data: &Dataset) -> Model {
    fitted(learner, Chain::pixels(input(data)), data)
}

/// A scaler and two components before the classifier, or as many as are asked for.
fn reduced(data: &Dataset, n_components: usize) -> Chain {
    let pixels = Features::Bytes(data.train.pixels.clone());
    let samples = |features| Samples { features, labels: &data.train.labels, weights: None };
    let scaler = ScalerParams::new(Scaling::Standard).check().unwrap();
    let scaler = scaler.fit_map(samples(&pixels), 1, &Silent).unwrap();
    let scaled = scaler.transform(&pixels, &Silent).unwrap();
    let pca = PcaParams::new().components(Components::Count(n_components)).check().unwrap();
    let pca = pca.fit_map(samples(&scaled), 1, &Silent).unwrap();
    Chain::pixels(input(data)).then(Link::Map(Box::new(scaler))).then(Link::Map(Box::new(pca)))
}

fn network(data: &Dataset) -> Network {
    let text = r#"
title = "small"
layer = [
    { kind = "conv", filters = 6, kernel = 3, padding = "same" },
    { kind = "relu" },
    { kind = "max_pool" },
    { kind = "flatten" },
    { kind = "dense", units = 12 },
    { kind = "relu" },
    { kind = "dense", units = "classes" },
]
"#;
    let params =
        TrainParams { epochs: 6, batch_size: 20, learning_rate: 5e-3, ..TrainParams::default() };
    let architecture = Architecture::parse("small", text).unwrap();
    train(&architecture, data, &params, 2, None, &Silent).unwrap().network
}

fn logistic() -> impl Learner {
    LogisticParams::new().check().unwrap()
}

fn rbf() -> impl Learner {
    SvcParams::new().c(10.0).check().unwrap()
}

fn explained(model: &Model, data: &Dataset, row: usize) -> Explanation {
    let image = data.test.pixels.row(row);
    let options = Options { n_cells: 24, ..Options::default() };
    explain(Subject { model, image, data: Some(data) }, &options, &Silent).unwrap()
}

fn exhibit<'a>(explanation: &'a Explanation, name: &str) -> Option<&'a Exhibit> {
    explanation.exhibits.iter().find(|exhibit| exhibit.name == name)
}

/// The corner, as its class, in which the sum of a map is largest.
fn corner(values: &Array2<f32>) -> usize {
    let sum = |class: usize| {
        let (top, left) = (class / 2 * 7, class % 2 * 7);
        values.slice(s![top..top + 7, left..left + 7]).sum()
    };
    (1..4).fold(0, |best, class| if sum(class) > sum(best) { class } else { best })
}

#[test]
fn occlusion_is_largest_where_the_class_is_decided() {
    let data = corners(200, 4, 1);
    for learner in [&logistic() as &dyn Learner, &rbf()] {
        let model = on_pixels(learner, &data);
        for class in 0..4 {
            let found = occlusion(&model, data.test.pixels.row(class), class, &Silent).unwrap();
            assert_eq!(corner(&found), class);
        }
    }
}

#[test]
fn heat_maps_follow_the_class_whatever_the_model() {
    let data = corners(240, 4, 1);
    let network = Arc::new(network(&data));
    let chain = Chain::pixels(input(&data));
    let own = Model { chain: chain.clone(), head: Head::Network(Arc::clone(&network)) };
    let layer = "penultimate".to_owned();
    let features = chain.then(Link::Layer { network, layer });
    let cases = [
        (own, "Grad-CAM"),
        (fitted(&logistic(), features.clone(), &data), "Grad-CAM"),
        (fitted(&rbf(), features, &data), "occlusion"),
        (on_pixels(&KnnParams::new().check().unwrap(), &data), "occlusion"),
    ];
    for (model, method) in cases {
        for row in 0..4 {
            let found = heat_map(&model, data.test.pixels.row(row), row, &Silent).unwrap();
            assert_eq!(found.method, method);
            assert!(found.values.iter().all(|v| *v >= 0.0));
            assert_eq!(found.values.dim(), (SIDE, SIDE));
            assert_eq!(corner(&found.values), row, "{method}");
        }
    }
}

#[test]
fn weights_reach_back_through_affine_maps_to_the_pixels() {
    let data = corners(120, 3, 1);
    let chain = reduced(&data, 9);
    let mut rng = Rng::new(8, &["weights"]);
    let weights = Array2::from_shape_fn((2, 9), |_| f64::from(rng.normal_f32()));
    let Some(Reach::Pixels(found)) = reach(&chain, weights.view(), &Silent).unwrap() else {
        panic!("every map is affine")
    };
    let test = &data.test.pixels;
    let Features::Floats(features) = chain.features(test.view(), &Silent).unwrap() else {
        panic!("components are real numbers")
    };
    for vector in 0..2 {
        let by_pixels =
            |row: usize| test.row(row).mapv(|v| f64::from(v) / 255.0).dot(&found.row(vector));
        let by_features = |row: usize| features.row(row).mapv(f64::from).dot(&weights.row(vector));
        // Equal but for the constant.
        for row in 1..test.nrows() {
            let (a, b) = (by_pixels(row) - by_pixels(0), by_features(row) - by_features(0));
            assert!((a - b).abs() < 1e-3, "{a}, not {b}");
        }
    }
}

#[test]
fn every_linear_classifier_shows_weights_and_contributions_where_the_corner_is() {
    let data = corners(200, 4, 1);
    let linear = LinearSvcParams::new();
    let ovo = LinearSvcParams::new().multi_class(MultiClass::Ovo);
    let learners: [Box<dyn Learner>; 5] = [
        Box::new(logistic()),
        Box::new(linear.check().unwrap()),
        Box::new(ovo.check().unwrap()),
        Box::new(PerceptronParams::new().check().unwrap()),
        Box::new(SvcParams::new().kernel(Kernel::Linear).check().unwrap()),
    ];
    for learner in &learners {
        let model = on_pixels(learner.as_ref(), &data);
        let explanation = explained(&model, &data, 2);
        assert_eq!(explanation.decision.class, 2);
        let shown = exhibit(&explanation, "contributions").unwrap();
        let Picture::Signed { values, .. } = &shown.figures.last().unwrap().picture else {
            panic!("contributions have signs")
        };
        assert_eq!(corner(values), 2, "{}", shown.figures.last().unwrap().caption);
        assert!(exhibit(&explanation, "weights").unwrap().figures.len() >= 3);
        assert!(exhibit(&explanation, "support_vectors").is_none());
    }
}

#[test]
fn support_vectors_of_both_sides_are_training_images() {
    let data = corners(120, 3, 1);
    for chain in [Chain::pixels(input(&data)), reduced(&data, 5)] {
        let model = fitted(&rbf(), chain, &data);
        let explanation = explained(&model, &data, 1);
        let figures = &exhibit(&explanation, "support_vectors").unwrap().figures;
        assert!(figures.iter().any(|figure| figure.caption.ends_with("for class 1")));
        let rows: Vec<Vec<u8>> =
            data.train.pixels.rows().into_iter().map(|row| row.to_vec()).collect();
        for figure in figures {
            let Picture::Photo { pixels, .. } = &figure.picture else { panic!("a photo") };
            assert!(rows.contains(pixels));
        }
    }
}

#[test]
fn support_vectors_that_are_not_of_the_data_are_not_shown() {
    let data = corners(120, 3, 1);
    let model = fitted(&rbf(), reduced(&data, 5), &data);
    let mut other = data.clone();
    other.train.pixels.mapv_inplace(|v| v.wrapping_add(90));
    let explanation = explained(&model, &other, 1);
    let shown = exhibit(&explanation, "support_vectors").unwrap();
    assert!(shown.figures.is_empty() && shown.note.ends_with("they are not shown."));
}

#[test]
fn trees_show_the_pixels_that_they_read() {
    let data = corners(200, 4, 1);
    let tree = || DecisionTreeParams::new().check().unwrap();
    let forest = ForestParams::new(ForestKind::RandomForest).n_estimators(10);
    let boosting = GradientBoostingParams::new().n_estimators(3);
    let adaboost = AdaBoostParams::new(Box::new(tree()), "decision_tree").n_estimators(3);
    let learners: [Box<dyn Learner>; 4] = [
        Box::new(tree()),
        Box::new(forest.check().unwrap()),
        Box::new(boosting.check().unwrap()),
        Box::new(adaboost.check().unwrap()),
    ];
    for learner in &learners {
        let model = on_pixels(learner.as_ref(), &data);
        let explanation = explained(&model, &data, 0);
        let shown = exhibit(&explanation, "importance").unwrap();
        let Picture::Heat { values, .. } = &shown.figures[1].picture else { panic!("heat") };
        assert!((values.sum() - 1.0).abs() < 1e-4, "{}", values.sum());
        // The border between the corners says nothing.
        let border: f32 = values
            .indexed_iter()
            .filter(|((y, x), _)| y % 7 > 5 || x % 7 > 5)
            .map(|(_, v)| v)
            .sum();
        assert!(border < 0.1, "{border}");
        let found = patterns(&model, &Silent).unwrap().unwrap();
        assert_eq!((found.kind, found.tiles.len()), (PatternKind::Importance, 1));
    }
}

#[test]
fn a_training_image_is_its_own_nearest_neighbour() {
    let mut data = corners(60, 3, 1);
    data.test.pixels.row_mut(0).assign(&data.train.pixels.row(17));
    for chain in [Chain::pixels(input(&data)), reduced(&data, 4)] {
        let model = fitted(&logistic(), chain, &data);
        let explanation = explained(&model, &data, 0);
        let figures = &exhibit(&explanation, "neighbors").unwrap().figures;
        assert_eq!(figures.len(), 8);
        assert!(
            figures[0].caption.contains("0.000 away (training image 17)"),
            "{}",
            figures[0].caption
        );
    }
}

#[test]
fn a_plane_of_two_coordinates_agrees_with_the_model_where_the_image_is() {
    let data = corners(150, 3, 1);
    for (n_components, word) in [(2, "exact"), (5, "slice")] {
        let model = fitted(&logistic(), reduced(&data, n_components), &data);
        let explanation = explained(&model, &data, 1);
        let shown = exhibit(&explanation, "plane").unwrap();
        assert!(shown.note.contains(word) && shown.legend, "{}", shown.note);
        let Picture::Regions { classes, points, n_classes } = &shown.figures[0].picture else {
            panic!("regions")
        };
        assert_eq!((classes.dim(), *n_classes), ((24, 24), 3));
        let marked = points.last().unwrap();
        assert!(marked.is_marked && marked.class == explanation.decision.class);
        if n_components == 2 {
            let [down, right] = marked.at.map(|cells| cells.round() as usize);
            assert_eq!(classes[[down, right]], marked.class);
        }
    }
    let model = on_pixels(&logistic(), &data);
    let explanation = explained(&model, &data, 1);
    assert!(exhibit(&explanation, "plane").unwrap().note.contains("slice through the mean image"));
}

#[test]
fn networks_show_maps_and_filters_and_say_whose_score_is_followed() {
    let data = corners(160, 4, 1);
    let network = Arc::new(network(&data));
    let chain = Chain::pixels(input(&data));
    let own = Model { chain: chain.clone(), head: Head::Network(Arc::clone(&network)) };
    let features =
        chain.then(Link::Layer { network: Arc::clone(&network), layer: "penultimate".to_owned() });
    let cases = [
        (own, "raises the network's score"),
        (fitted(&logistic(), features.clone(), &data), "the score of the linear classifier"),
        (fitted(&rbf(), features, &data), "not linear and may decide otherwise"),
    ];
    for (model, words) in cases {
        let explanation = explained(&model, &data, 3);
        let shown = exhibit(&explanation, "grad_cam").unwrap();
        assert!(shown.note.contains(words), "{}", shown.note);
        assert_eq!(shown.figures.len(), 2);
        let Picture::Sheet { tiles, .. } =
            &exhibit(&explanation, "maps_relu_1").unwrap().figures[0].picture
        else {
            panic!("a sheet")
        };
        assert_eq!(tiles.len(), 6);
        assert!(exhibit(&explanation, "filters").is_some());
    }
    let model = Model { chain: Chain::pixels(input(&data)), head: Head::Network(network) };
    let subject = Subject { model: &model, image: data.test.pixels.row(0), data: None };
    let options = Options { layer: Some("conv_1".to_owned()), ..Options::default() };
    let explanation = explain(subject, &options, &Silent).unwrap();
    assert!(exhibit(&explanation, "maps_conv_1").is_some());
    assert!(exhibit(&explanation, "neighbors").is_none(), "without data there are none");
    let options = Options { layer: Some("conv_9".to_owned()), ..Options::default() };
    let error = explain(subject, &options, &Silent).unwrap_err();
    assert!(error.is_usage() && error.hint().unwrap().contains("conv_1"), "{error}");
}

#[test]
fn two_classes_three_channels_and_a_single_pixel_are_explained() {
    let data = corners(60, 2, 3);
    let learners: [Box<dyn Learner>; 3] = [
        Box::new(logistic()),
        Box::new(rbf()),
        Box::new(DecisionTreeParams::new().check().unwrap()),
    ];
    for learner in &learners {
        let explanation = explained(&on_pixels(learner.as_ref(), &data), &data, 1);
        for exhibit in &explanation.exhibits {
            for figure in &exhibit.figures {
                figure.picture.png(56).unwrap();
            }
        }
    }
    let shape = ImageShape { height: 1, width: 1, channels: 1 };
    let pixels = Array2::from_shape_fn((20, 1), |(row, _)| (row % 2 * 200) as u8);
    let labels: Labels = (0..20).map(|row| row % 2).collect();
    let set = ImageSet { shape, pixels, labels };
    let data = Dataset { train: set.clone(), test: set, ..data };
    let explanation = explained(&on_pixels(&logistic(), &data), &data, 1);
    assert_eq!(explanation.decision.class, 1);
    assert!(exhibit(&explanation, "plane").is_none(), "one pixel makes no plane");
}

#[test]
fn weights_of_a_class_are_tiles() {
    let data = corners(120, 4, 1);
    let model = fitted(&logistic(), reduced(&data, 12), &data);
    let found = patterns(&model, &Silent).unwrap().unwrap();
    assert_eq!(found.kind, PatternKind::Weights);
    for (class, tile) in &found.tiles {
        assert_eq!(Some(corner(tile)), *class);
    }
    assert_eq!(patterns(&on_pixels(&rbf(), &data), &Silent).unwrap(), None);
}

/// Wants to stop from the beginning.
struct Stopped;

impl Progress for Stopped {
    fn update(&self, _done: u64, _total: u64, _note: &str) {}

    fn interrupted(&self) -> bool {
        true
    }

    fn warn(&self, _message: &str) {}
}

#[test]
fn an_interruption_ends_it() {
    let data = corners(60, 3, 1);
    let model = on_pixels(&rbf(), &data);
    let subject = Subject { model: &model, image: data.test.pixels.row(0), data: Some(&data) };
    let error = explain(subject, &Options::default(), &Stopped).unwrap_err();
    assert!(matches!(error, ExplainError::Interrupted), "{error}");
}

#[test]
fn the_number_of_threads_does_not_change_a_picture() {
    let data = corners(120, 3, 1);
    let network = Arc::new(network(&data));
    let model = Model { chain: Chain::pixels(input(&data)), head: Head::Network(network) };
    let on = |n_threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().unwrap();
        pool.install(|| explained(&model, &data, 2).exhibits)
    };
    let expected = on(1);
    assert!(on(2) == expected && on(3) == expected);
}

#[test]
fn scores_are_ranked_and_the_runner_up_is_another_class() {
    let data = corners(80, 4, 1);
    let model = on_pixels(&logistic(), &data);
    let decision = explained(&model, &data, 3).decision;
    assert_eq!((decision.class, decision.scores.len()), (3, 4));
    assert!(decision.scores.is_sorted_by(|a, b| a.value >= b.value));
    assert_eq!(decision.runner_up, Some(decision.scores[1].class));
    let black = Array1::zeros(SIDE * SIDE);
    let subject = Subject { model: &model, image: black.view(), data: None };
    explain(subject, &Options::default(), &Silent).unwrap();
}
