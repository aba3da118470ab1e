//! The pipelines that come with the program.

/// Name and text of each, in the order of `pipeline list`.
const SHIPPED: &[(&str, &str)] = &[
    ("cnn_svm", include_str!("../../pipelines/cnn_svm.toml")),
    ("neural", include_str!("../../pipelines/neural.toml")),
    ("champion", include_str!("../../pipelines/champion.toml")),
    ("ann_vs_cnn", include_str!("../../pipelines/ann_vs_cnn.toml")),
    ("baseline_vs_deeper", include_str!("../../pipelines/baseline_vs_deeper.toml")),
    ("regularisation", include_str!("../../pipelines/regularisation.toml")),
    ("depth", include_str!("../../pipelines/depth.toml")),
    ("full", include_str!("../../pipelines/full.toml")),
    ("robustness", include_str!("../../pipelines/robustness.toml")),
    ("conventional", include_str!("../../pipelines/conventional.toml")),
    ("benchmark", include_str!("../../pipelines/benchmark.toml")),
    ("bayes", include_str!("../../pipelines/bayes.toml")),
    ("svm_raw", include_str!("../../pipelines/svm_raw.toml")),
    ("svm_hog", include_str!("../../pipelines/svm_hog.toml")),
    ("svm_augmented", include_str!("../../pipelines/svm_augmented.toml")),
    ("svm_cost", include_str!("../../pipelines/svm_cost.toml")),
    ("svm_grid", include_str!("../../pipelines/svm_grid.toml")),
];

/// Names, in the order of `pipeline list`.
pub fn names() -> impl Iterator<Item = &'static str> {
    SHIPPED.iter().map(|(name, _)| *name)
}

/// The text of a shipped pipeline file.
pub fn text(name: &str) -> Option<&'static str> {
    SHIPPED.iter().find(|(shipped, _)| *shipped == name).map(|(_, text)| *text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Overrides, Pipeline};
    use crate::stage::KINDS;

    #[test]
    fn every_shipped_pipeline_is_right_and_named_after_its_file() {
        for name in names() {
            let text = text(name).unwrap();
            let pipeline = Pipeline::parse(text, name, KINDS, &Overrides::default())
                .unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(pipeline.name, name);
        }
    }
}
