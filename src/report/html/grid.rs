//! Learners by inputs: the models of a matrix as one table.

use maud::{Markup, html};

use super::svg::range;
use crate::report::format::{percent, rate, seconds};
use crate::report::{MatrixCell, ModelResult, Results};

/// Share of the cell's colour at the highest accuracy, in percent.
const STRONGEST: f64 = 42.0;

/// Models of the first evaluation that stand in a matrix, with their places.
pub(super) fn placed(results: &Results) -> Vec<(&MatrixCell, &ModelResult)> {
    let models = results.first_models();
    models.filter_map(|model| Some((model.cell.as_ref()?, model))).collect()
}

/// The table: accuracy, and below it the time to fit and the speed of prediction.
pub(super) fn table(results: &Results) -> Markup {
    let placed = placed(results);
    let rows = distinct(placed.iter().map(|(cell, _)| cell.row.as_str()));
    let columns = distinct(placed.iter().map(|(cell, _)| cell.column.as_str()));
    let at = |row: &str, column: &str| {
        placed.iter().find(|(cell, _)| cell.row == row && cell.column == column)
    };
    let (lo, hi) = range(placed.iter().map(|(_, model)| model.accuracy)).unwrap_or((0.0, 1.0));
    let strength = |accuracy: f64| {
        // Squared, because the best differ by little and the worst by much.
        let share = ((accuracy - lo) / (hi - lo).max(1e-9)).clamp(0.0, 1.0);
        STRONGEST * share * share
    };
    let by_accuracy = |a: &&ModelResult, b: &&ModelResult| a.accuracy.total_cmp(&b.accuracy);
    let best = placed.iter().map(|(_, model)| *model).rev().max_by(by_accuracy);
    let best_id = best.map(|model| model.id.as_str());
    html! {
        div.scroll {
            table.grid-table {
                thead { tr {
                    th { "Accuracy, %" }
                    @for column in &columns { th.figure { (column) } }
                } }
                tbody {
                    @for row in &rows {
                        tr {
                            th scope="row" { (row) }
                            @for column in &columns {
                                @match at(row, column) {
                                    Some((_, model)) => td.figure.chosen-cell[best_id == Some(model.id.as_str())]
                                        style=(format!("background: color-mix(in srgb, var(--classical) {:.0}%, transparent)", strength(model.accuracy))) {
                                        strong { (percent(model.accuracy)) }
                                        @if model.converged() == Some(false) { span.minor { " *" } }
                                        div.minor { (seconds(model.fit_seconds)) " · " (rate(results.images_per_second(model))) "/s" }
                                    },
                                    None => td.figure.minor { "–" },
                                }
                            }
                        }
                    }
                }
            }
        }
        p.note {
            "Below each accuracy: time of the model's own fit, and test images predicted per second, "
            "features included. The best of these models is framed."
            @if placed.iter().any(|(_, model)| model.converged() == Some(false)) {
                " * did not converge."
            }
        }
    }
}

/// Each text once, in order of appearance.
fn distinct<'a>(texts: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut found = Vec::new();
    for text in texts {
        if !found.contains(&text) {
            found.push(text);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::example;

    #[test]
    fn each_model_stands_in_its_row_and_column() {
        let mut results = example::run_output().results;
        assert!(placed(&results).is_empty());
        let places = [("kNN", "pixels"), ("kNN", "features"), ("tree", "features")];
        for (model, (row, column)) in results.models.iter_mut().zip(places) {
            model.cell = Some(MatrixCell { row: row.to_owned(), column: column.to_owned() });
        }
        results.models[1].details.insert("converged".to_owned(), false.into());
        let table = table(&results).into_string();
        assert_eq!(table.matches("<th scope=\"row\">").count(), 2);
        assert_eq!(table.matches("<strong>").count(), 3);
        assert_eq!(table.matches("<td class=\"figure minor\">–</td>").count(), 1, "{table}");
        assert!(table.contains("* did not converge"));
    }
}
