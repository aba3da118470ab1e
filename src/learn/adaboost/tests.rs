use approx::assert_relative_eq;
use ndarray::{Array2, array};

use super::{AdaBoost, AdaBoostParams, Algorithm};
use crate::data::{Features, Labels, TensorFile};
use crate::learn::linear_svm::LinearSvcParams;
use crate::learn::tree::tests::fixtures::{document, features, labels, matrix, numbers, rules};
use crate::learn::tree::tests::{overlapping, unweighted};
use crate::learn::tree::{DecisionTreeParams, Engine, TreeRules};
use crate::learn::{Classifier, LearnError, Learner, Samples, read_classifier};
use crate::progress::{Progress, Silent};
use linfa::ParamGuard;

fn trees(rules: TreeRules) -> Box<dyn Learner> {
    Box::new(DecisionTreeParams::new().rules(rules).check().unwrap())
}

fn stumps() -> Box<dyn Learner> {
    trees(TreeRules { max_depth: Some(1), ..TreeRules::default() })
}

fn boost(base: Box<dyn Learner>) -> AdaBoostParams {
    AdaBoostParams::new(base, "base")
}

fn fit(params: AdaBoostParams, samples: Samples) -> Result<AdaBoost, LearnError> {
    params.check().unwrap().fit_model(samples, 0, &Silent)
}

#[test]
fn rounds_are_those_of_scikit_learn() {
    for case in document()["adaboost"].as_array().unwrap() {
        let algorithm = match case["algorithm"].as_str() {
            Some("SAMME") => Algorithm::Samme,
            _ => Algorithm::SammeR,
        };
        let params = boost(trees(rules(&case["params"])))
            .algorithm(algorithm)
            .n_estimators(case["n_estimators"].as_u64().unwrap() as usize)
            .learning_rate(case["learning_rate"].as_f64().unwrap());
        let (x, y, rows) = (features(case, "x"), labels(case), features(case, "rows"));
        let model = fit(params, unweighted(&x, &y)).unwrap();
        let errors = numbers(&case["errors"]);
        assert_eq!(model.n_members(), errors.len(), "{}", case["name"]);
        for (found, expected) in model.member_errors().iter().zip(errors) {
            assert_relative_eq!(*found, expected, max_relative = 1e-5);
        }
        for (found, expected) in model.member_weights().iter().zip(numbers(&case["weights"])) {
            assert_relative_eq!(*found, expected, max_relative = 1e-5);
        }
        let decision = model.decision_function(&rows, &Silent).unwrap();
        for (found, expected) in decision.iter().zip(&matrix(&case["decision"])) {
            assert_relative_eq!(*found, *expected, epsilon = 1e-4);
        }
        let scores = model.scores(&rows, &Silent).unwrap().values;
        for (found, expected) in scores.rows().into_iter().zip(matrix(&case["proba"]).rows()) {
            assert_eq!(found[1], 0.0);
            for (class, expected) in [0, 2, 3].into_iter().zip(expected) {
                assert_relative_eq!(found[class], *expected, epsilon = 1e-4);
            }
        }
    }
}

/// A learner without a session.
struct Plain(Box<dyn Learner>);

impl Learner for Plain {
    fn fit(
        &self,
        samples: Samples,
        seed: u64,
        progress: &dyn Progress,
    ) -> Result<Box<dyn Classifier>, LearnError> {
        self.0.fit(samples, seed, progress)
    }
}

#[test]
fn a_session_fits_what_single_fits_would() {
    let (features, labels) = overlapping(1, 1500, 6);
    for algorithm in [Algorithm::Samme, Algorithm::SammeR] {
        let params = |base| boost(base).algorithm(algorithm).n_estimators(8);
        let with = fit(params(stumps()), unweighted(&features, &labels)).unwrap();
        let plain = Box::new(Plain(stumps()));
        let without = fit(params(plain), unweighted(&features, &labels)).unwrap();
        assert_eq!(with.member_errors(), without.member_errors());
        assert_eq!(
            with.scores(&features, &Silent).unwrap(),
            without.scores(&features, &Silent).unwrap()
        );
    }
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    let (features, labels) = overlapping(2, 3000, 8);
    let errors = |n_threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().unwrap();
        let rules = TreeRules { max_depth: Some(3), ..TreeRules::default() };
        let params = boost(trees(rules)).n_estimators(6);
        pool.install(|| fit(params, unweighted(&features, &labels)).unwrap().member_errors())
    };
    assert_eq!(errors(1), errors(2));
    assert_eq!(errors(1), errors(3));
}

#[test]
fn a_perfect_member_ends_the_rounds() {
    let features = Features::Bytes(array![[0], [1], [200], [201]]);
    let labels: Labels = vec![0, 0, 1, 1].into();
    let model = fit(boost(stumps()), unweighted(&features, &labels)).unwrap();
    assert_eq!((model.n_members(), model.member_errors()), (1, vec![0.0]));
    assert_eq!(model.predict(&features, &Silent).unwrap(), labels);
}

#[test]
fn members_no_better_than_chance_are_an_error() {
    let features = Features::Bytes(Array2::zeros((4, 1)));
    let labels: Labels = vec![0, 0, 1, 1].into();
    let Err(found) = fit(boost(stumps()), unweighted(&features, &labels)) else {
        panic!("constant rows taught something")
    };
    let expected = "the first `base` misses a share of 0.500 of the weights, no better than chance: \
                    there is nothing to boost";
    assert_eq!(found.to_string(), expected);
    assert!(found.hint().is_some());
}

#[test]
fn other_learners_are_boosted_by_class_and_not_by_probabilities_they_lack() {
    let (features, labels) = overlapping(3, 300, 5);
    let svm = || -> Box<dyn Learner> { Box::new(LinearSvcParams::new().check().unwrap()) };
    let model = fit(boost(svm()).n_estimators(3), unweighted(&features, &labels)).unwrap();
    assert_eq!(model.n_members(), 3);
    let params = boost(svm()).algorithm(Algorithm::SammeR);
    let Err(found) = fit(params, unweighted(&features, &labels)) else {
        panic!("decisions are no probabilities")
    };
    assert_eq!(found.to_string(), "`base` gives no probabilities, which `SAMME.R` needs");
}

#[test]
fn stored_members_come_back_and_damaged_ones_are_refused() {
    let (features, labels) = overlapping(4, 300, 5);
    let model = fit(boost(stumps()).n_estimators(4), unweighted(&features, &labels)).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("model");
    model.to_tensors().write(&path).unwrap();
    let read = || TensorFile::read(&path).unwrap();
    let back = read_classifier(read()).unwrap();
    assert_eq!(back.scores(&features, &Silent).unwrap(), model.scores(&features, &Silent).unwrap());
    let damage: [fn(&mut TensorFile<'static>); 5] = [
        |file| file.document["members"] = serde_json::json!([]),
        |file| file.document["members"][0]["weight"] = serde_json::json!(-1.0),
        |file| file.document["members"][0]["document"]["type"] = serde_json::json!("none"),
        |file| file.document["report"]["classes"] = serde_json::json!([0, 1, 7]),
        |file| drop(file.take_prefixed("member_2")),
    ];
    for damage in damage {
        let mut file = read();
        damage(&mut file);
        assert!(read_classifier(file).is_err());
    }
}

#[test]
fn what_cannot_be_boosted_is_refused() {
    let linfa = DecisionTreeParams::new().engine(Engine::Linfa).check().unwrap();
    for (params, expected) in [
        (boost(stumps()).n_estimators(0), "`n_estimators` must be at least 1, found 0"),
        (
            boost(stumps()).learning_rate(0.0),
            "`learning_rate` must be a finite number above 0, found 0",
        ),
        (boost(Box::new(linfa)), "`base` takes no sample weights"),
    ] {
        let Err(found) = params.check() else { panic!("{expected}") };
        assert_eq!(found.to_string(), expected);
    }
    let (features, labels) = overlapping(5, 20, 2);
    let one = Labels::zeros(labels.len());
    assert!(fit(boost(stumps()), unweighted(&features, &one)).is_err());
}
