//! Successive halving (Jamieson & Talwalkar, AISTATS 2016): many candidates on few rows, the best
//! share of them on more.
//!
//! Rounds are those of scikit-learn's `HalvingGridSearchCV` with `resource = "n_samples"` and
//! `min_resources = "exhaust"`.

use super::SelectionError;

/// One round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Round {
    /// Candidates that are judged.
    pub n_candidates: usize,
    /// Rows they are judged on, held-out ones included.
    pub n_samples: usize,
}

/// The rounds of successive halving: each keeps the best `1 / factor` of the candidates and
/// multiplies the rows by `factor`; the last uses as many rows as that allows.
///
/// # Errors
/// Fewer rows than two for each class in each fold.
/// # Panics   if `factor < 2` or there are no candidates
pub fn halving_rounds(
    n_candidates: usize,
    factor: usize,
    n_samples: usize,
    n_folds: usize,
    n_classes: usize,
) -> Result<Vec<Round>, SelectionError> {
    assert!(factor >= 2 && n_candidates > 0, "nothing to halve");
    let needed = 2 * n_folds * n_classes;
    if needed > n_samples {
        return Err(SelectionError::TooFewSamplesToHalve { n_samples, needed, n_folds, n_classes });
    }
    // In whole numbers: the logarithm of 243 to the base 3 is 4.999999999999999 in floating point.
    let n_required = 1 + n_candidates.ilog(factor);
    let first = (n_samples / factor.pow(n_required - 1)).max(needed);
    let n_possible = 1 + (n_samples / first).ilog(factor);
    let mut rounds = Vec::new();
    let mut left = n_candidates;
    for round in 0..n_required.min(n_possible) {
        let n_samples = (first * factor.pow(round)).min(n_samples);
        rounds.push(Round { n_candidates: left, n_samples });
        left = left.div_ceil(factor);
    }
    Ok(rounds)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    // The fixture is made by tests/reference/halving.py (library versions inside).
    #[test]
    fn rounds_are_those_of_scikit_learn() {
        let text = include_str!("../../../tests/reference/halving.json");
        let fixture: Value = serde_json::from_str(text).unwrap();
        let cases = fixture["cases"].as_array().unwrap();
        assert!(cases.len() >= 10);
        for case in cases {
            let number = |key: &str| case[key].as_u64().unwrap() as usize;
            let numbers = |key: &str| -> Vec<usize> {
                let list = case[key].as_array().unwrap();
                list.iter().map(|n| n.as_u64().unwrap() as usize).collect()
            };
            let rounds = halving_rounds(
                number("n_candidates"),
                number("factor"),
                number("n_samples"),
                number("n_folds"),
                number("n_classes"),
            )
            .unwrap();
            let found: Vec<usize> = rounds.iter().map(|round| round.n_candidates).collect();
            assert_eq!(found, numbers("n_candidates_"), "{case}");
            let found: Vec<usize> = rounds.iter().map(|round| round.n_samples).collect();
            assert_eq!(found, numbers("n_resources_"), "{case}");
        }
    }

    #[test]
    fn too_few_rows_are_refused_with_the_number_needed() {
        let error = halving_rounds(9, 3, 99, 5, 10).unwrap_err();
        assert!(error.to_string().contains("at least 100 samples, found 99"), "{error}");
        assert!(halving_rounds(9, 3, 100, 5, 10).is_ok());
    }
}
