//! Formulas of `tests/reference/training_recipe.py`, for the tests of several files.

use serde_json::Value;

pub fn training_recipe() -> Value {
    serde_json::from_str(include_str!("../../tests/reference/training_recipe.json")).unwrap()
}

fn vectors(value: impl Fn(f64, f64) -> f64) -> Vec<Vec<f32>> {
    let vector = |p: u32, n: u32| {
        (0..n).map(|i| value(f64::from(i), f64::from(p)) as f32).collect::<Vec<f32>>()
    };
    vec![vector(0, 7), vector(1, 3)]
}

/// The weights before the first step.
pub fn sines() -> Vec<Vec<f32>> {
    vectors(|i, p| (1.3 * i + 0.7 * p + 0.1).sin())
}

/// The gradients of a step.
pub fn cosines(step: u64) -> Vec<Vec<f32>> {
    vectors(|i, p| (0.9 * i + 0.4 * p + 1.1 * step as f64).cos())
}

#[track_caller]
pub fn assert_close(found: &[Vec<f32>], expected: &Value, tolerance: f64, case: &str) {
    let expected = expected.as_array().unwrap();
    assert_eq!(found.len(), expected.len(), "{case}");
    for (found, expected) in found.iter().zip(expected) {
        let expected = expected.as_array().unwrap();
        assert_eq!(found.len(), expected.len(), "{case}");
        for (found, expected) in found.iter().zip(expected) {
            let (found, expected) = (f64::from(*found), expected.as_f64().unwrap());
            assert!((found - expected).abs() < tolerance, "{case}: {found}, not {expected}");
        }
    }
}
