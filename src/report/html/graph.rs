//! The stages of a run as boxes and arrows.

use std::collections::HashMap;

use maud::{Markup, html};

use super::svg::{px, text_width};
use crate::report::format::seconds;
use crate::report::{Results, StageRecord, StageStatus};

const BOX_HEIGHT: f64 = 38.0;
const ROW_STEP: f64 = 48.0;
const COLUMN_GAP: f64 = 64.0;
/// Stages up to which the graph is open.
const MAX_OPEN: usize = 60;
/// Stages up to which there is one.
const MAX_SHOWN: usize = 400;
/// Times that the order within columns is improved.
const N_SWEEPS: usize = 8;

/// Columns from left to right: each stage stands right of all that it reads.
pub(super) fn figure(results: &Results) -> Markup {
    let stages = &results.stages;
    let has_arrows = stages.iter().any(|stage| !stage.inputs.is_empty());
    if !has_arrows || stages.len() > MAX_SHOWN {
        return html! {};
    }
    let drawn = html! { div.scroll { (plot(stages)) } };
    html! {
        @if stages.len() > MAX_OPEN {
            details { summary { "The graph of all " (stages.len()) " stages" } (drawn) }
        } @else {
            figure { (drawn) }
        }
        p.note { "Dashed boxes came from the cache; times are those of the run that made them." }
    }
}

/// Column of each stage: one more than the last of those that it reads.
fn columns(stages: &[StageRecord], place: &HashMap<&str, usize>) -> Vec<usize> {
    let mut columns = vec![0; stages.len()];
    // Stages are in the order run, so what a stage reads comes before it.
    for (at, stage) in stages.iter().enumerate() {
        let read = stage.inputs.iter().filter_map(|id| place.get(id.as_str()));
        columns[at] = read.filter(|&&of| of < at).map(|&of| columns[of] + 1).max().unwrap_or(0);
    }
    columns
}

/// Row of each stage: time and again those of a column are ordered by the mean row of what they are
/// tied to.
fn rows(columns: &[usize], edges: &[(usize, usize)]) -> Vec<f64> {
    let n_columns = columns.iter().max().map_or(0, |last| last + 1);
    let mut members: Vec<Vec<usize>> = vec![Vec::new(); n_columns];
    for (at, &column) in columns.iter().enumerate() {
        members[column].push(at);
    }
    let tallest = members.iter().map(Vec::len).max().unwrap_or(0) as f64;
    let mut rows = vec![0.0; columns.len()];
    let settle = |members: &[usize], rows: &mut [f64]| {
        let first = (tallest - members.len() as f64) / 2.0;
        members.iter().enumerate().for_each(|(nth, &at)| rows[at] = first + nth as f64);
    };
    members.iter().for_each(|of| settle(of, &mut rows));
    for sweep in 0..N_SWEEPS {
        let forward = sweep % 2 == 0;
        let order: Vec<usize> =
            if forward { (0..n_columns).collect() } else { (0..n_columns).rev().collect() };
        for column in order {
            let mean = |at: usize| {
                let tied = edges.iter().filter_map(|&(from, to)| match forward {
                    true => (to == at).then(|| rows[from]),
                    false => (from == at).then(|| rows[to]),
                });
                let (sum, n) = tied.fold((0.0, 0.0), |(sum, n), row| (sum + row, n + 1.0));
                if n > 0.0 { sum / n } else { rows[at] }
            };
            let mut keyed: Vec<(f64, usize)> =
                members[column].iter().map(|&at| (mean(at), at)).collect();
            keyed.sort_by(|a, b| a.0.total_cmp(&b.0));
            members[column] = keyed.into_iter().map(|(_, at)| at).collect();
            settle(&members[column], &mut rows);
        }
    }
    rows
}

fn plot(stages: &[StageRecord]) -> Markup {
    let place: HashMap<&str, usize> =
        stages.iter().enumerate().map(|(at, stage)| (stage.id.as_str(), at)).collect();
    let edges: Vec<(usize, usize)> = stages
        .iter()
        .enumerate()
        .flat_map(|(to, stage)| {
            let read = stage.inputs.iter().filter_map(|id| place.get(id.as_str()));
            read.filter(move |&&from| from < to).map(move |&from| (from, to)).collect::<Vec<_>>()
        })
        .collect();
    let columns = columns(stages, &place);
    let rows = rows(&columns, &edges);
    let n_columns = columns.iter().max().map_or(0, |last| last + 1);
    let width_of = |column: usize| {
        let of = stages.iter().zip(&columns).filter(|(_, at)| **at == column);
        let widths = of.map(|(stage, _)| {
            text_width(&stage.id, 13.0).max(text_width(&under(stage), 11.5)) + 22.0
        });
        widths.fold(90.0, f64::max)
    };
    let widths: Vec<f64> = (0..n_columns).map(width_of).collect();
    let left_of =
        |column: usize| 2.0 + widths[..column].iter().map(|w| w + COLUMN_GAP).sum::<f64>();
    let width = left_of(n_columns.max(1)) - COLUMN_GAP + 2.0;
    let lowest = rows.iter().copied().fold(0.0, f64::max);
    let height = lowest * ROW_STEP + BOX_HEIGHT + 4.0;
    let top_of = |at: usize| 2.0 + rows[at] * ROW_STEP;
    html! {
        svg.graph width=(px(width)) height=(px(height)) viewBox={ "0 0 " (px(width)) " " (px(height)) } role="img"
            aria-label={ "Graph of " (stages.len()) " stages" } {
            @for &(from, to) in &edges {
                @let (x, y) = (left_of(columns[from]) + widths[columns[from]], top_of(from) + BOX_HEIGHT / 2.0);
                @let (end, end_y) = (left_of(columns[to]) - 1.0, top_of(to) + BOX_HEIGHT / 2.0);
                @let bend = (end - x).min(COLUMN_GAP) / 2.0;
                path.edge d={ "M" (px(x)) " " (px(y)) "C" (px(x + bend)) " " (px(y)) " " (px(end - bend - 5.0)) " " (px(end_y)) " " (px(end - 5.0)) " " (px(end_y)) } {}
                path.arrow d={ "M" (px(end)) " " (px(end_y)) "l-7 -3.4v6.8z" } {}
            }
            @for (at, stage) in stages.iter().enumerate() {
                @let (x, y) = (left_of(columns[at]), top_of(at));
                g {
                    title { (stage.id) ", " (stage.kind) ": " (under(stage)) }
                    rect.stage.(if stage.status == StageStatus::Cached { "cached" } else { "ran" }) x=(px(x)) y=(px(y)) rx="5"
                        width=(px(widths[columns[at]])) height=(px(BOX_HEIGHT)) {}
                    text x=(px(x + 11.0)) y=(px(y + 16.0)) { (stage.id) }
                    text.tick x=(px(x + 11.0)) y=(px(y + 30.0)) { (under(stage)) }
                }
            }
        }
    }
}

/// Kind and time.
fn under(stage: &StageRecord) -> String {
    let mark = match stage.status {
        StageStatus::Ran => "",
        StageStatus::Cached => ", cached",
    };
    format!("{} · {}{mark}", stage.kind, seconds(stage.seconds))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::example;

    #[test]
    fn a_stage_stands_right_of_what_it_reads_and_no_two_in_one_place() {
        let stages = example::run_output().results.stages;
        let place: HashMap<&str, usize> =
            stages.iter().enumerate().map(|(at, stage)| (stage.id.as_str(), at)).collect();
        let columns = columns(&stages, &place);
        let edges: Vec<(usize, usize)> = stages
            .iter()
            .enumerate()
            .flat_map(|(to, stage)| stage.inputs.iter().map(move |id| (id, to)))
            .map(|(id, to)| (place[id.as_str()], to))
            .collect();
        assert!(edges.len() >= 9, "{edges:?}");
        assert!(edges.iter().all(|&(from, to)| columns[from] < columns[to]));
        let rows = rows(&columns, &edges);
        let mut places: Vec<(usize, u64)> =
            columns.iter().copied().zip(rows.iter().map(|row| row.to_bits())).collect();
        places.sort_unstable();
        places.dedup();
        assert_eq!(places.len(), stages.len());
    }

    #[test]
    fn stages_of_older_runs_have_no_graph() {
        let mut results = example::run_output().results;
        results.stages.iter_mut().for_each(|stage| stage.inputs.clear());
        assert_eq!(figure(&results).into_string(), "");
    }
}
