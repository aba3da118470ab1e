//! How the score of a search hangs on its parameters: a heat map where candidates form a grid,
//! else a panel for each number.

use maud::{Markup, html};
use serde_json::Value;

use super::search::{compare_values, name};
use super::svg::{Axis, linear_ticks, log_ticks, px, range, text_width, tick_label};
use crate::report::format::{count, parameter, percent};
use crate::report::{CandidateRecord, SearchRecord};

/// Most columns and rows of a heat map.
const MAX_SIDE: usize = 30;

/// The figure that fits the candidates.
pub(super) fn figure(search: &SearchRecord) -> Markup {
    if let Some(map) = HeatMap::of(search) {
        return html! { (map.svg(search, 640.0, "wide")) (map.svg(search, 360.0, "narrow")) };
    }
    let numbers: Vec<&str> = search
        .searched
        .iter()
        .map(String::as_str)
        .filter(|name| {
            let values = search.candidates.iter().filter_map(|one| one.params.get(*name)?.as_f64());
            range(values).is_some_and(|(lo, hi)| hi > lo)
        })
        .collect();
    html! {
        div.pair {
            @for name in &numbers {
                div { (panel(search, name, 570.0, "wide")) (panel(search, name, 360.0, "narrow")) }
            }
        }
    }
}

/// Candidates by the value of one parameter and the values of all others.
struct HeatMap<'a> {
    /// Parameter of the columns.
    column: &'a str,
    columns: Vec<&'a Value>,
    /// The other parameters in words.
    rows: Vec<String>,
    /// Candidate of each cell, `[row][column]`.
    cells: Vec<Vec<Option<usize>>>,
}

impl<'a> HeatMap<'a> {
    /// `None` if there is one parameter, or the candidates do not fill half of a map that people
    /// can read.
    fn of(search: &'a SearchRecord) -> Option<Self> {
        // Numbers go to the right, so that their order can be seen.
        let read_by_all = |name: &&String| {
            search.candidates.iter().all(|candidate| candidate.params.contains_key(*name))
        };
        let is_number = |name: &&String| search.candidates[0].params[*name].is_number();
        let mut names: Vec<&String> = search.searched.iter().filter(read_by_all).collect();
        names.sort_by_key(|name| !is_number(name));
        let column = names.first()?;
        let value = |candidate: &'a CandidateRecord| &candidate.params[*column];
        let row = |candidate: &CandidateRecord| {
            let mut others = candidate.clone();
            others.params.shift_remove(*column);
            name(&others)
        };
        let mut columns: Vec<&Value> = Vec::new();
        let mut rows: Vec<(&CandidateRecord, String)> = Vec::new();
        for candidate in &search.candidates {
            if !columns.contains(&value(candidate)) {
                columns.push(value(candidate));
            }
            let row = row(candidate);
            if rows.iter().all(|(_, other)| *other != row) {
                rows.push((candidate, row));
            }
        }
        let n_cells = columns.len() * rows.len();
        if rows.len() < 2
            || columns.len() < 2
            || columns.len().max(rows.len()) > MAX_SIDE
            || 2 * search.candidates.len() < n_cells
        {
            return None;
        }
        columns.sort_by(|a, b| compare_values(Some(a), Some(b)));
        rows.sort_by(|(a, _), (b, _)| {
            let by = |name: &String| compare_values(a.params.get(name), b.params.get(name));
            let others = search.searched.iter().filter(|name| name != column);
            others.map(by).find(|order| order.is_ne()).unwrap_or(std::cmp::Ordering::Equal)
        });
        let rows: Vec<String> = rows.into_iter().map(|(_, row)| row).collect();
        let mut cells = vec![vec![None; columns.len()]; rows.len()];
        for (idx, candidate) in search.candidates.iter().enumerate() {
            let (of_candidate, x) = (row(candidate), value(candidate));
            let y = rows.iter().position(|row| *row == of_candidate)?;
            let x = columns.iter().position(|column| *column == x)?;
            cells[y][x] = Some(idx);
        }
        Some(HeatMap { column, columns, rows, cells })
    }

    fn svg(&self, search: &SearchRecord, width: f64, class: &str) -> Markup {
        let widest = self.rows.iter().map(|row| text_width(row, 12.0)).fold(30.0, f64::max);
        let gutter = widest.min(0.4 * width) + 12.0;
        let cell_width = ((width - gutter - 2.0) / self.columns.len() as f64).min(112.0);
        let cell_height = (0.55 * cell_width).clamp(22.0, 52.0);
        let top = 26.0;
        let right = gutter + cell_width * self.columns.len() as f64;
        let bottom = top + cell_height * self.rows.len() as f64;
        let font = (0.24 * cell_width).clamp(6.0, 15.0);
        let means = search.candidates.iter().map(|candidate| candidate.mean);
        let (lo, hi) = range(means).unwrap_or((0.0, 1.0));
        let scale = Axis::linear(lo, hi, 0.06, 1.0);
        let has_room = cell_height >= 2.6 * font;
        html! {
            svg.plot.(class) style={ "max-width: " (px(right + 2.0)) "px" }
                viewBox={ "0 0 " (px(right + 2.0)) " " (px(bottom + 2.0)) } role="img"
                aria-label={ "Mean accuracy by " (search.searched.join(" and ")) } {
                text.axis x=(px(gutter - 8.0)) y="15" text-anchor="end" { (self.column) }
                @for (x, value) in self.columns.iter().enumerate() {
                    text.tick x=(px(gutter + (x as f64 + 0.5) * cell_width)) y="15" text-anchor="middle" { (parameter(value)) }
                }
                @for (y, (name, cells)) in self.rows.iter().zip(&self.cells).enumerate() {
                    @let at = top + y as f64 * cell_height;
                    text.tick x=(px(gutter - 8.0)) y=(px(at + cell_height / 2.0)) dy="0.35em" text-anchor="end" { (name) }
                    @for (x, cell) in cells.iter().enumerate() {
                        @let left = gutter + x as f64 * cell_width;
                        g {
                            @if let Some(candidate) = cell.map(|idx| &search.candidates[idx]) {
                                @let depth = scale.at(candidate.mean);
                                @let tone = if depth > 0.6 { "on" } else { "off" };
                                @let middle = px(left + cell_width / 2.0);
                                title { (describe(search, candidate)) }
                                rect.hit x=(px(left)) y=(px(at)) width=(px(cell_width)) height=(px(cell_height)) fill-opacity=(format!("{depth:.2}")) {}
                                text.count.(tone) x=(middle) y=(px(at + cell_height * if has_room { 0.36 } else { 0.5 })) dy="0.35em" text-anchor="middle" font-size=(px(font)) { (percent(candidate.mean)) }
                                @if has_room {
                                    text.count.(tone) x=(middle) y=(px(at + cell_height * 0.74)) dy="0.35em" text-anchor="middle" font-size=(px(0.75 * font)) { "± " (percent(candidate.std)) }
                                }
                            }
                            rect.cell x=(px(left)) y=(px(at)) width=(px(cell_width)) height=(px(cell_height)) {}
                        }
                    }
                }
                @for (y, cells) in self.cells.iter().enumerate() {
                    @if let Some(x) = cells.iter().position(|cell| *cell == Some(search.best)) {
                        rect.chosen x=(px(gutter + x as f64 * cell_width)) y=(px(top + y as f64 * cell_height)) width=(px(cell_width)) height=(px(cell_height)) {}
                    }
                }
            }
        }
    }
}

fn describe(search: &SearchRecord, candidate: &CandidateRecord) -> String {
    let images = search.rounds.get(candidate.round).map_or(0, |round| round.n_samples);
    format!(
        "{}: {} ± {} %, rank {}, on {} images",
        name(candidate),
        percent(candidate.mean),
        percent(candidate.std),
        candidate.rank,
        count(images as u64)
    )
}

/// Mean and deviation against one number; joined where no other parameter is searched.
fn panel(search: &SearchRecord, name: &str, width: f64, class: &str) -> Markup {
    let mut points: Vec<(f64, usize)> = search
        .candidates
        .iter()
        .enumerate()
        .filter_map(|(idx, candidate)| Some((candidate.params.get(name)?.as_f64()?, idx)))
        .collect();
    points.sort_by(|a, b| a.0.total_cmp(&b.0));
    let Some((lo, hi)) = range(points.iter().map(|point| point.0)) else { return html! {} };
    let ends = points.iter().map(|&(_, idx)| &search.candidates[idx]);
    let ends = ends.flat_map(|one| [one.mean - one.std, one.mean + one.std]);
    let (least, most) = range(ends).unwrap_or((0.0, 1.0));
    let pad = 0.06 * (most - least).max(0.002);
    let (least, most) = (100.0 * (least - pad), 100.0 * (most + pad));
    let (left, right, top, bottom) = (46.0, width - 12.0, 26.0, 226.0);
    // A grid of powers is read by its ratios.
    let is_log = lo > 0.0 && hi / lo >= 20.0;
    let (x_axis, x_ticks) = if is_log {
        (Axis::log(lo, hi, left + 14.0, right - 14.0), log_ticks(lo, hi))
    } else {
        (Axis::linear(lo, hi, left + 14.0, right - 14.0), linear_ticks(lo, hi, 6))
    };
    let y_axis = Axis::linear(least, most, bottom, top);
    let y_ticks = linear_ticks(least, most, 5);
    let is_joined = search.searched.len() == 1;
    let line: Vec<String> = points
        .iter()
        .map(|&(value, idx)| {
            let mean = 100.0 * search.candidates[idx].mean;
            format!("{},{}", px(x_axis.at(value)), px(y_axis.at(mean)))
        })
        .collect();
    let tick_text =
        |tick: f64| if is_log { parameter(&tick.into()) } else { tick_label(tick, &x_ticks) };
    html! {
        svg.plot.(class) style={ "max-width: " (px(width)) "px" } viewBox={ "0 0 " (px(width)) " 260" }
            role="img" aria-label={ "Mean accuracy by " (name) } {
            @for &tick in &y_ticks {
                @let y = px(y_axis.at(tick));
                line.grid x1=(px(left)) x2=(px(right)) y1=(y) y2=(y) {}
                text.tick x=(px(left - 8.0)) y=(y) dy="0.35em" text-anchor="end" { (tick_label(tick, &y_ticks)) }
            }
            @for &tick in &x_ticks {
                text.tick x=(px(x_axis.at(tick))) y=(px(bottom + 18.0)) text-anchor="middle" { (tick_text(tick)) }
            }
            text.axis x=(px(left)) y="12" { "accuracy on held-out folds, %" }
            text.axis x=(px(right)) y="258" text-anchor="end" { (name) }
            g.neural {
                @if is_joined { polyline.curve points=(line.join(" ")) {} }
                @for &(value, idx) in &points {
                    @let candidate = &search.candidates[idx];
                    @let x = x_axis.at(value);
                    @let ends = [-1.0, 1.0].map(|side| y_axis.at(100.0 * (candidate.mean + side * candidate.std)));
                    g {
                        title { (describe(search, candidate)) }
                        line.whisker x1=(px(x)) x2=(px(x)) y1=(px(ends[0])) y2=(px(ends[1])) {}
                        @for end in ends {
                            line.whisker x1=(px(x - 4.0)) x2=(px(x + 4.0)) y1=(px(end)) y2=(px(end)) {}
                        }
                        circle.dot.picked[idx == search.best] cx=(px(x)) cy=(px(y_axis.at(100.0 * candidate.mean))) r=(if idx == search.best { "6" } else { "4" }) {}
                    }
                }
            }
        }
    }
}
