//! What the figures share: axes, ticks, numbers short enough for SVG.
//!
//! Why SVG by hand: colours must follow the reader's theme through CSS variables and sizes must
//! follow the page, which a drawing library's fixed colours and measured text do not.

use maud::{Markup, html};

/// A number with one decimal at most.
pub(in crate::report) fn px(value: f64) -> String {
    let rounded = (value * 10.0).round() / 10.0;
    if rounded.is_finite() { format!("{rounded}") } else { "0".to_owned() }
}

/// Maps values to positions.
#[derive(Clone, Copy)]
pub(in crate::report) struct Axis {
    lo: f64,
    hi: f64,
    start: f64,
    end: f64,
    log: bool,
}

impl Axis {
    /// Values `lo..=hi` onto positions `start..=end`.
    pub fn linear(lo: f64, hi: f64, start: f64, end: f64) -> Axis {
        let hi = if hi > lo { hi } else { lo + 1.0 };
        Axis { lo, hi, start, end, log: false }
    }

    /// As [`Axis::linear`], spaced by logarithm; `lo` must be positive.
    pub fn log(lo: f64, hi: f64, start: f64, end: f64) -> Axis {
        let hi = if hi > lo { hi } else { 10.0 * lo };
        Axis { lo: lo.ln(), hi: hi.ln(), start, end, log: true }
    }

    /// Position of a value; values outside lie at the nearer end.
    pub fn at(&self, value: f64) -> f64 {
        let value = if self.log { value.max(1e-9).ln() } else { value };
        let share = ((value - self.lo) / (self.hi - self.lo)).clamp(0.0, 1.0);
        self.start + share * (self.end - self.start)
    }
}

/// Round values within `lo..=hi`, about `n_ticks` of them.
pub(in crate::report) fn linear_ticks(lo: f64, hi: f64, n_ticks: usize) -> Vec<f64> {
    let is_range = lo.is_finite() && hi.is_finite() && hi > lo;
    if !is_range {
        return vec![lo];
    }
    let raw = (hi - lo) / n_ticks as f64;
    let power = 10f64.powf(raw.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0]
        .map(|factor| factor * power)
        .into_iter()
        .find(|&step| step >= raw)
        .unwrap_or(raw);
    let first = (lo / step - 1e-9).ceil() as i64;
    let last = (hi / step + 1e-9).floor() as i64;
    (first..=last).map(|k| k as f64 * step).collect()
}

/// 1, 2, 5 times powers of ten within `lo..=hi`; powers of ten alone over a wide range.
pub(in crate::report) fn log_ticks(lo: f64, hi: f64) -> Vec<f64> {
    let factors: &[f64] = if hi / lo > 300.0 { &[1.0] } else { &[1.0, 2.0, 5.0] };
    let powers = (lo.log10().floor() as i32)..=(hi.log10().ceil() as i32);
    powers
        .flat_map(|power| factors.iter().map(move |factor| factor * 10f64.powi(power)))
        .filter(|&tick| (lo..=hi).contains(&tick))
        .collect()
}

/// Decimals that tell neighbouring ticks apart.
pub(in crate::report) fn tick_label(value: f64, ticks: &[f64]) -> String {
    let step = ticks.windows(2).map(|pair| pair[1] - pair[0]).fold(f64::INFINITY, f64::min);
    let decimals = (0..4).find(|&d| step >= 0.999 * 10f64.powi(-d)).unwrap_or(4);
    format!("{value:.*}", decimals.max(0) as usize)
}

/// Least and greatest of the finite values.
pub(in crate::report) fn range(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    values.filter(|value| value.is_finite()).fold(None, |range, value| match range {
        None => Some((value, value)),
        Some((lo, hi)) => Some((lo.min(value), hi.max(value))),
    })
}

/// Width of a text in pixels, generously estimated: the reader's font is unknown.
pub(in crate::report) fn text_width(text: &str, font_size: f64) -> f64 {
    0.56 * font_size * text.chars().count() as f64
}

/// Colours and shapes there are for series; further ones begin anew.
const N_SERIES: usize = 4;

/// CSS class of a series' colour.
pub(in crate::report) fn series_class(series: usize) -> &'static str {
    ["s0", "s1", "s2", "s3"][series % N_SERIES]
}

/// A shape per series, so that figures do not rely on colour.
pub(in crate::report) fn series_marker(series: usize, x: f64, y: f64) -> Markup {
    let class = series_class(series);
    let path = |path: String| html! { path.marker.(class) d=(path) {} };
    match series % N_SERIES {
        0 => html! { circle.marker.(class) cx=(px(x)) cy=(px(y)) r="4.6" {} },
        1 => path(format!("M{} {}l6 6l-6 6l-6-6z", px(x), px(y - 6.0))),
        2 => path(format!("M{} {}h8.4v8.4h-8.4z", px(x - 4.2), px(y - 4.2))),
        _ => path(format!("M{} {}l5.4 9.6h-10.8z", px(x), px(y - 6.2))),
    }
}

/// The sign of a series, for legends and tables.
pub(in crate::report) fn series_key(series: usize) -> Markup {
    html! {
        svg.key width="14" height="14" viewBox="-7 -7 14 14" aria-hidden="true" {
            (series_marker(series, 0.0, 0.0))
        }
    }
}

/// `0.01`, `5`, `200`: a tick of a logarithmic axis of seconds.
pub(in crate::report) fn log_label(value: f64) -> String {
    if value < 1.0 {
        format!("{value:.4}").trim_end_matches('0').to_owned()
    } else {
        format!("{value:.0}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_inside() {
        assert_eq!(linear_ticks(0.0, 10.0, 5), [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]);
        assert_eq!(log_ticks(0.8, 12.0), [1.0, 2.0, 5.0, 10.0]);
        assert_eq!(linear_ticks(1.0, 1.0, 5), [1.0]);
    }

    #[test]
    fn axis_stays_inside_for_any_value() {
        let axis = Axis::log(0.1, 10.0, 50.0, 150.0);
        for value in [f64::NEG_INFINITY, -1.0, 0.0, 1.0, f64::INFINITY] {
            assert!((50.0..=150.0).contains(&axis.at(value)), "{value}");
        }
        assert!((axis.at(1.0) - 100.0).abs() < 1e-9);
    }
}
