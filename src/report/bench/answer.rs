//! A bench in two or three sentences, made from its numbers.

use super::tables::ratio_words;
use super::{BenchCell, BenchResults, Measured, NATIVE};
use crate::report::format::{count, percent, seconds};

/// What the largest size that the native engine finished says, variant by variant.
pub fn bench_headline(results: &BenchResults) -> String {
    let sentences: Vec<String> =
        results.variants().iter().filter_map(|variant| sentence(results, variant)).collect();
    if sentences.is_empty() {
        return "No engine finished a fit.".to_owned();
    }
    sentences.join(" ")
}

fn sentence(results: &BenchResults, variant: &str) -> Option<String> {
    let of_variant = || results.cells.iter().filter(|cell| cell.variant == variant);
    let measured = |cell: &'_ &BenchCell| cell.measured.is_some();
    let of_native = of_variant().filter(|cell| cell.engine == NATIVE).rfind(measured);
    let cell = of_native.or_else(|| of_variant().rfind(measured))?;
    let own = cell.measured.as_ref()?;
    let mut text = format!(
        "{} images, {variant}: {} fits in {}, predicts {} images in {} and labels {} % right",
        count(cell.n_train as u64),
        cell.engine,
        seconds(own.fit_seconds.median),
        count(results.dataset.n_test as u64),
        seconds(own.predict_seconds.median),
        percent(own.accuracy),
    );
    let rivals: Vec<String> = of_variant()
        .filter(|rival| rival.n_train == cell.n_train && rival.engine != cell.engine)
        .filter_map(|rival| rival_words(rival, rival.measured.as_ref()?))
        .collect();
    if !rivals.is_empty() {
        text.push_str(&format!("; {}", rivals.join("; ")));
    }
    Some(text + ".")
}

fn rival_words(cell: &BenchCell, measured: &Measured) -> Option<String> {
    Some(format!(
        "{} takes {} times as long to fit and {} times to predict ({} %)",
        cell.engine,
        ratio_words(measured.fit_ratio?),
        ratio_words(measured.predict_ratio?),
        percent(measured.accuracy),
    ))
}
