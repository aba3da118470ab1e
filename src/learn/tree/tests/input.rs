//! What cannot be fitted, and parameters out of their range.

use ndarray::{Array2, array};

use super::{fit, overlapping, unweighted};
use crate::data::{Features, Labels};
use crate::learn::svm::ClassWeight;
use crate::learn::tree::{DecisionTreeParams, Engine, LINFA_MAX_SAMPLES, MaxFeatures, TreeRules};
use crate::learn::{Classifier, Learner, Samples};
use crate::progress::Silent;
use linfa::ParamGuard;

#[test]
fn parameters_out_of_their_range_are_refused() {
    let rules = TreeRules::default;
    let cases = [
        (TreeRules { max_depth: Some(0), ..rules() }, "`max_depth` must be at least 1, found 0"),
        (
            TreeRules { min_samples_split: 1, ..rules() },
            "`min_samples_split` must be at least 2, found 1",
        ),
        (
            TreeRules { min_samples_leaf: 0, ..rules() },
            "`min_samples_leaf` must be at least 1, found 0",
        ),
        (
            TreeRules { max_leaf_nodes: Some(1), ..rules() },
            "`max_leaf_nodes` must be at least 2, found 1",
        ),
        (
            TreeRules { max_features: MaxFeatures::Count(0), ..rules() },
            "`max_features` must be at least 1, found 0",
        ),
        (
            TreeRules { min_impurity_decrease: f64::NAN, ..rules() },
            "`min_impurity_decrease` must be a finite number not below 0, found NaN",
        ),
        (
            TreeRules { class_weight: ClassWeight::PerClass(vec![(2, -1.0)]), ..rules() },
            "`class_weight` must be a finite number above 0 for class 2, found -1",
        ),
    ];
    for (rules, expected) in cases {
        let found = DecisionTreeParams::new().rules(rules).check().unwrap_err();
        assert_eq!(found.to_string(), expected);
    }
}

#[test]
fn more_features_than_there_are_cannot_be_drawn() {
    let (features, labels) = overlapping(1, 20, 3);
    let rules = TreeRules { max_features: MaxFeatures::Count(4), ..TreeRules::default() };
    let params = DecisionTreeParams::new().rules(rules).check().unwrap();
    let found = params.fit_model(unweighted(&features, &labels), 0, &Silent).unwrap_err();
    let expected = "`max_features` must be at most the 3 features of the rows, found 4";
    assert_eq!(found.to_string(), expected);
}

#[test]
fn samples_that_cannot_be_fitted_are_refused() {
    let params = DecisionTreeParams::new().check().unwrap();
    let fails = |features: &Features, labels: &Labels, weights: Option<&[f64]>| {
        let samples = Samples { features, labels, weights };
        params.fit_model(samples, 0, &Silent).unwrap_err().to_string()
    };
    let nan = Features::Floats(array![[0.0], [f32::NAN]]);
    assert_eq!(
        fails(&nan, &array![0, 1], None),
        "feature 0 of sample 1 is NaN, all must be finite"
    );
    let none = Features::Bytes(Array2::zeros((0, 3)));
    assert!(fails(&none, &Labels::zeros(0), None).contains("0 samples of 3 features"));
    let two = Features::Bytes(Array2::zeros((2, 1)));
    assert_eq!(fails(&two, &array![0], None), "2 samples but 1 labels");
    assert_eq!(fails(&two, &array![0, 1], Some(&[0.0, 0.0])), "all 2 samples have weight 0");
}

#[test]
fn rows_of_another_width_are_refused() {
    let (features, labels) = overlapping(2, 20, 3);
    let tree = fit(TreeRules::default(), unweighted(&features, &labels));
    let other = Features::Bytes(Array2::zeros((1, 2)));
    let found = tree.predict(&other, &Silent).unwrap_err().to_string();
    assert_eq!(found, "rows have 2 features, the model was fitted on 3");
    let none = Features::Bytes(Array2::zeros((0, 3)));
    assert_eq!(tree.predict(&none, &Silent).unwrap().len(), 0);
}

#[test]
fn the_engine_of_linfa_says_what_it_cannot_do() {
    let params = |rules| DecisionTreeParams::new().rules(rules).engine(Engine::Linfa).check();
    let found = params(TreeRules { max_features: MaxFeatures::Sqrt, ..TreeRules::default() });
    assert!(found.unwrap_err().to_string().starts_with("`max_features` must be its default"));
    let linfa = params(TreeRules::default()).unwrap();
    assert!(!linfa.takes_weights());
    let n = LINFA_MAX_SAMPLES + 1;
    let rows = Features::Bytes(Array2::zeros((n, 1)));
    let labels: Labels = (0..n).map(|row| row % 2).collect();
    let found = linfa.fit_model(unweighted(&rows, &labels), 0, &Silent).unwrap_err().to_string();
    assert!(found.contains("up to 20000 samples, found 20001"), "{found}");
    let few = Samples { weights: Some(&[1.0; 2]), ..unweighted(&rows, &labels) };
    assert!(linfa.fit_model(few, 0, &Silent).is_err());
}
