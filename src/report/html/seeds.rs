//! Models over several seeds.

use maud::{Markup, html};

use super::headline::SIGNIFICANCE;
use super::names::{best, name_of};
use super::svg::{Axis, px};
use crate::report::format::{count, p_value, percent, points};
use crate::report::{Results, SeedComparison, SeedSummary};

/// Models up to which every pair is shown, as for one seed.
const N_PAIRED: usize = 10;

/// `92.31 ± 0.12`, or the one accuracy of a model that no seed changes.
pub(super) fn mean_sd(summary: &SeedSummary) -> String {
    let mean = percent(summary.mean_accuracy);
    summary.sd_accuracy.map_or(mean.clone(), |sd| format!("{mean} ± {}", percent(sd)))
}

/// A dot for each seed, and the range in figures.
pub(super) fn dots(summary: &SeedSummary, axis: &Axis, class: &str) -> Markup {
    let accuracies = || summary.accuracies.iter().copied();
    let (lo, hi) = (accuracies().fold(1.0, f64::min), accuracies().fold(0.0, f64::max));
    html! {
        svg.interval.(class) width="80" height="16" viewBox="0 0 80 16" aria-hidden="true" {
            line.whisker x1=(px(axis.at(lo))) x2=(px(axis.at(hi))) y1="8" y2="8" {}
            @for accuracy in accuracies() {
                circle cx=(px(axis.at(accuracy))) cy="8" r="3" {}
            }
        }
        @if summary.accuracies.len() > 1 { span.minor { (percent(lo)) "–" (percent(hi)) } }
    }
}

/// The accuracy of every model with every seed.
pub(super) fn each_seed(results: &Results) -> Markup {
    html! {
        details {
            summary { "Accuracy with each seed" span.minor { " and the 95 % interval of the mean" } }
            div.scroll { table {
                thead { tr {
                    th { "Model" } th.figure { "Mean, %" } th.figure { "Deviation" } th.figure { "95 % interval" }
                    @for seed in &results.seeds { th.figure { "Seed " (seed) } }
                } }
                tbody {
                    @for summary in &results.summaries {
                        tr {
                            th scope="row" { (name_of(results, first(summary))) }
                            td.figure { strong { (percent(summary.mean_accuracy)) } }
                            td.figure { (summary.sd_accuracy.map_or("–".to_owned(), percent)) }
                            td.figure {
                                @match summary.mean_accuracy_ci95 {
                                    Some([lo, hi]) => { (percent(lo.max(0.0))) " to " (percent(hi.min(1.0))) },
                                    None => "–",
                                }
                            }
                            @if summary.seeds.is_empty() {
                                td colspan=(results.seeds.len()) { span.minor { "no seed changes it" } }
                            } @else {
                                @for seed in &results.seeds {
                                    td.figure { (accuracy_with(summary, *seed)) }
                                }
                            }
                        }
                    }
                }
            } }
            p.note {
                "The interval is Student's, of the mean over seeds: it speaks of other seeds on these "
                "test images, not of other images."
            }
        }
    }
}

fn accuracy_with(summary: &SeedSummary, seed: u64) -> String {
    let at = summary.seeds.iter().position(|known| *known == seed);
    at.map_or("–".to_owned(), |at| percent(summary.accuracies[at]))
}

/// The fitted model that stands for a summary in figures of single models.
fn first(summary: &SeedSummary) -> &str {
    summary.models.first().map_or("", String::as_str)
}

/// Paired tests over seeds, those against a network's own softmax head first.
pub(super) fn comparisons(results: &Results) -> Markup {
    let mut pairs: Vec<&SeedComparison> = results.seed_comparisons.iter().collect();
    let n_pairs = pairs.len();
    if results.summaries.len() > N_PAIRED {
        let best = best(results).and_then(|model| results.summary_of(model));
        let best_id = best.map(|summary| &summary.id);
        pairs.retain(|pair| {
            pair.against_own_softmax || [Some(&pair.a), Some(&pair.b)].contains(&best_id)
        });
    }
    pairs.sort_by_key(|pair| !pair.against_own_softmax);
    let name = |id: &str| {
        let summary = results.summaries.iter().find(|summary| summary.id == id);
        summary.map_or_else(|| id.to_owned(), |summary| name_of(results, first(summary)))
    };
    html! {
        div.scroll { table {
            thead { tr {
                th { "Model" } th { "Verdict" } th { "Compared with" }
                th.figure { "Mean difference, points" } th.figure { "95 % interval" } th.figure { "p" }
                th.figure { "Only one right" } th.figure { "p, McNemar" }
            } }
            tbody {
                @for pair in &pairs {
                    @let (class, verdict) = verdict(pair);
                    tr {
                        th scope="row" { (name(&pair.a)) }
                        td { span.verdict.(class) { (verdict) } }
                        td {
                            (name(&pair.b))
                            @if pair.against_own_softmax { span.minor { " own softmax head" } }
                        }
                        td.figure { (points(pair.difference)) }
                        td.figure { (points(pair.difference_ci95[0])) " to " (points(pair.difference_ci95[1])) }
                        td.figure { (bare(pair.p_value)) }
                        td.figure { (count(pair.n_only_a)) " : " (count(pair.n_only_b)) }
                        td.figure { (bare(pair.mcnemar_p_value)) }
                    }
                }
            }
        } }
        p.note {
            "Student's paired test: the accuracies of two models with the same seed are a pair, "
            (results.seeds.len()) " seeds give as many differences. Better or worse means p below "
            (SIGNIFICANCE) "; with few seeds only clear differences pass. McNemar's test stands "
            "beside it, of the images that only one of the two labels right, summed over seeds: it "
            "takes the same image under two seeds for two images, so its p is too small."
            @if n_pairs > pairs.len() {
                " Shown are the pairs with the best model and with own softmax heads; "
                "results.json has all " (count(n_pairs as u64)) "."
            }
        }
    }
}

fn bare(p: f64) -> String {
    p_value(p).trim_start_matches("p = ").trim_start_matches("p ").to_owned()
}

fn verdict(pair: &SeedComparison) -> (&'static str, &'static str) {
    match (pair.p_value < SIGNIFICANCE, pair.difference > 0.0) {
        (true, true) => ("better", "better than"),
        (true, false) => ("worse", "worse than"),
        (false, _) => ("same", "no difference found"),
    }
}
