//! Curves and calibration of one model.

use maud::{Markup, html};

use super::svg::{Axis, linear_ticks, px, tick_label};
use crate::metrics::{Calibration, ClassRanking, Curve, Ranking};
use crate::report::ScoreFigures;
use crate::report::format::share;

const SIDE: f64 = 300.0;
/// Area under the curve from which only the beginning of the ROC is drawn: the rest is flat.
const STEEP: f64 = 0.95;
/// Share of the others that is then drawn.
const BEGINNING: f64 = 0.25;
/// Classes that are told apart by colour: those with the least areas.
const N_NAMED: usize = 2;
/// Classes up to which each has its line.
const MAX_LINES: usize = 30;

/// ROC, precision against recall, and calibration if there are probabilities.
pub(super) fn figures(of: &ScoreFigures, class_names: &[String]) -> Markup {
    html! {
        div.triple {
            @if let Some(ranking) = &of.ranking {
                (roc(ranking, class_names))
                (precision_recall(ranking, class_names))
            }
            @if let Some(calibration) = &of.calibration { (reliability(calibration)) }
        }
        @if !of.is_probability {
            p.note { "Its scores are decisions, not probabilities: they have an order, so curves can be drawn, but no calibration." }
        }
    }
}

/// The axes of a square plot.
struct Frame {
    x: Axis,
    y: Axis,
    x_hi: f64,
    x_title: &'static str,
    y_title: &'static str,
}

impl Frame {
    fn new(x_hi: f64, x_title: &'static str, y_title: &'static str) -> Self {
        let (left, right, top, bottom) = (38.0, SIDE - 8.0, 20.0, SIDE - 40.0);
        let (x, y) = (Axis::linear(0.0, x_hi, left, right), Axis::linear(0.0, 1.0, bottom, top));
        Frame { x, y, x_hi, x_title, y_title }
    }

    fn svg(&self, label: &str, body: Markup) -> Markup {
        let x_ticks = linear_ticks(0.0, self.x_hi, 5);
        let y_ticks = linear_ticks(0.0, 1.0, 5);
        html! {
            svg.plot viewBox={ "0 0 " (px(SIDE)) " " (px(SIDE)) } role="img" aria-label=(label) {
                @for &tick in &y_ticks {
                    @let y = px(self.y.at(tick));
                    line.grid x1=(px(self.x.at(0.0))) x2=(px(self.x.at(self.x_hi))) y1=(y) y2=(y) {}
                    text.tick x=(px(self.x.at(0.0) - 6.0)) y=(y) dy="0.35em" text-anchor="end" { (tick_label(tick, &y_ticks)) }
                }
                @for &tick in &x_ticks {
                    text.tick x=(px(self.x.at(tick))) y=(px(self.y.at(0.0) + 16.0)) text-anchor="middle" { (tick_label(tick, &x_ticks)) }
                }
                text.axis x=(px(self.x.at(0.0))) y="10" { (self.y_title) }
                text.axis x=(px(self.x.at(self.x_hi))) y=(px(SIDE - 6.0)) text-anchor="end" { (self.x_title) }
                (body)
            }
        }
    }

    /// Points of the curve up to the right end.
    fn points(&self, curve: &Curve) -> String {
        let mut points = String::new();
        let mut last = [0.0, 0.0];
        for &[x, y] in curve {
            let [x, y] = [f64::from(x), f64::from(y)];
            let (x, y, is_end) = if x > self.x_hi {
                let part = (self.x_hi - last[0]) / (x - last[0]);
                (self.x_hi, last[1] + part * (y - last[1]), true)
            } else {
                (x, y, false)
            };
            points.push_str(&format!("{},{} ", px(self.x.at(x)), px(self.y.at(y))));
            if is_end {
                break;
            }
            last = [x, y];
        }
        points
    }
}

fn roc(ranking: &Ranking, names: &[String]) -> Markup {
    let x_hi = if ranking.auc_macro > STEEP { BEGINNING } else { 1.0 };
    let frame = Frame::new(x_hi, "others taken for the class", "class found");
    let chance = [[0.0, 0.0], [1.0, 1.0]];
    let lines = lines(ranking, names, &|of| of.auc, &|of| &of.roc);
    html! {
        figure {
            h3 { "ROC, each class against the rest" }
            (frame.svg("ROC of each class against the rest", html! {
                polyline.frontier points=(frame.points(&chance.to_vec())) {}
                (curves(&frame, &lines, &ranking.roc_macro))
            }))
            (legend(&lines, "AUC", ranking.auc_macro))
        }
    }
}

fn precision_recall(ranking: &Ranking, names: &[String]) -> Markup {
    let frame = Frame::new(1.0, "recall", "precision");
    let lines = lines(ranking, names, &|of| of.average_precision, &|of| &of.precision_recall);
    html! {
        figure {
            h3 { "Precision against recall" }
            (frame.svg("Precision against recall of each class", curves(&frame, &lines, &ranking.precision_recall_macro)))
            (legend(&lines, "average precision", ranking.average_precision_macro))
        }
    }
}

/// One class's curve.
struct Line<'a> {
    name: &'a str,
    area: f64,
    curve: &'a Curve,
}

/// Curves by area, the least first.
fn lines<'a>(
    ranking: &'a Ranking,
    names: &'a [String],
    area: &dyn Fn(&ClassRanking) -> f64,
    curve: &dyn Fn(&'a ClassRanking) -> &'a Curve,
) -> Vec<Line<'a>> {
    let there = ranking.classes.iter().enumerate();
    let mut lines: Vec<Line> = there
        .filter_map(|(class, of)| {
            let of = of.as_ref()?;
            let name = names.get(class).map_or("?", String::as_str);
            Some(Line { name, area: area(of), curve: curve(of) })
        })
        .collect();
    lines.sort_by(|a, b| a.area.total_cmp(&b.area));
    lines.truncate(MAX_LINES);
    lines
}

const NAMED: [&str; N_NAMED] = ["s1", "s3"];

fn curves(frame: &Frame, lines: &[Line], of_mean: &Curve) -> Markup {
    html! {
        @for (nth, line) in lines.iter().enumerate().rev() {
            g.(NAMED.get(nth).copied().unwrap_or("minor-line")) {
                title { (line.name) " " (share(line.area)) }
                polyline.curve.thin points=(frame.points(line.curve)) {}
            }
        }
        g.s0 { polyline.curve points=(frame.points(of_mean)) {} }
    }
}

fn legend(lines: &[Line], what: &str, mean: f64) -> Markup {
    html! {
        p.legend {
            span { span.swatch.s0 {} " mean, " (what) " " (share(mean)) }
            @for (line, class) in lines.iter().zip(NAMED) {
                span { span.swatch.(class) {} " " (line.name) " " (share(line.area)) }
            }
        }
    }
}

fn reliability(calibration: &Calibration) -> Markup {
    let frame = Frame::new(1.0, "greatest probability", "share right");
    let diagonal = [[0.0, 0.0], [1.0, 1.0]];
    let n_all = calibration.bins.iter().map(|bin| bin.n_images).sum::<u64>().max(1) as f64;
    let width = 1.0 / calibration.bins.len().max(1) as f64;
    let filled: Vec<_> = calibration.bins.iter().filter(|bin| bin.n_images > 0).collect();
    let points = filled.iter().map(|bin| [bin.confidence as f32, bin.accuracy as f32]);
    html! {
        figure {
            h3 { "Calibration" }
            (frame.svg("Share right by greatest probability", html! {
                @for (nth, bin) in calibration.bins.iter().enumerate() {
                    @let (from, to) = (nth as f64 * width, (nth + 1) as f64 * width);
                    @let top = bin.n_images as f64 / n_all;
                    g {
                        title { (bin.n_images) " images" }
                        rect.share-bar x=(px(frame.x.at(from) + 0.5)) y=(px(frame.y.at(top)))
                            width=(px(frame.x.at(to) - frame.x.at(from) - 1.0)) height=(px(frame.y.at(0.0) - frame.y.at(top))) {}
                    }
                }
                polyline.frontier points=(frame.points(&diagonal.to_vec())) {}
                g.s0 {
                    polyline.curve points=(frame.points(&points.collect())) {}
                    @for bin in &filled {
                        g {
                            title { (bin.n_images) " images: " (share(bin.confidence)) " said, " (share(bin.accuracy)) " right" }
                            circle.dot cx=(px(frame.x.at(bin.confidence))) cy=(px(frame.y.at(bin.accuracy))) r="3.6" {}
                        }
                    }
                }
            }))
            p.legend {
                span { "expected error " (share(calibration.ece)) }
                span { span.swatch.bars {} " share of the images" }
                span { span.dash {} " as it should be" }
            }
        }
    }
}
