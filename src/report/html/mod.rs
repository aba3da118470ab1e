//! One self-contained page per run: no network, light and dark, screen and paper.
//!
//! All of it is readable without script; the page's own script sorts and filters tables and lets any
//! two models be compared.

mod axes;
#[cfg(test)]
mod browser_tests;
mod classes;
mod compare;
mod cost;
mod curves;
mod explain;
mod graph;
mod grid;
mod growth;
mod headline;
mod models;
mod names;
mod reported;
mod robustness;
mod scatter;
mod scores;
mod search;
mod search_plot;
mod sections;
mod seeds;
mod sprite;
pub(super) mod svg;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest, Sha256};

pub use headline::headline;
pub(super) use sections::machine_rows;

use super::RunOutput;
use super::tables::SYNTHETIC_NOTICE;

pub(super) const STYLE: &str = concat!(include_str!("figure.css"), include_str!("style.css"));
/// The page may load nothing: no script, no frame, no address but its own data.
pub(super) const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src data:";

/// What sorts, filters and compares.
const SCRIPT: &str = include_str!("script.js");

/// As [`POLICY`], and this page's script, known by its hash.
fn policy() -> String {
    format!("{POLICY}; script-src 'sha256-{}'", STANDARD.encode(Sha256::digest(SCRIPT)))
}

/// Id, title and body of a part of the page.
type Section = (&'static str, &'static str, Markup);

/// The parts of a page that have something to show.
fn parts(output: &RunOutput) -> Vec<Section> {
    let results = &output.results;
    let has_models = !results.models.is_empty();
    let all = [
        (
            !grid::placed(results).is_empty(),
            ("grid", "Every learner on every input", grid::table(results)),
        ),
        (has_models, ("summary", "All models", sections::summary(results))),
        (has_models, ("cost", "Accuracy against cost", cost::figures(results))),
        (
            !reported::models(results).is_empty(),
            ("reported", "Reported and reached", reported::figure(results)),
        ),
        (
            !growth::series(results).is_empty(),
            ("growth", "What more images cost and bring", growth::figure(results)),
        ),
        (has_models, ("comparisons", "Which differences are real", sections::comparisons(results))),
        (
            compare::is_there(results),
            ("pairs", "Two models side by side", compare::section(output)),
        ),
        (
            !search::searches(results).is_empty(),
            ("search", "Search for parameters", search::sections(results)),
        ),
        (
            !output.robustness.is_empty(),
            ("robustness", "When the images change", robustness::section(output)),
        ),
        (!output.networks.is_empty(), ("training", "Training", curves::figures(&output.networks))),
        (has_models, ("confusion", "What is taken for what", classes::heat_maps(results))),
        (has_models, ("classes", "Easy and hard classes", classes::f1_plot(results))),
        (has_models, ("models", "Each model", models::sections(output))),
        (
            !output.scatters.is_empty(),
            ("scatter", "The test images in a plane", scatter::figures(output)),
        ),
        (!output.samples.is_empty(), ("samples", "The images", sections::samples(output))),
        (!output.axes.is_empty(), ("axes", "What the reductions look at", axes::figures(output))),
        (!output.misclassified.is_empty(), ("mistakes", "Mistakes", sections::gallery(output))),
        (explain::is_there(output), ("why", "Why", explain::figures(output))),
        (
            !output.networks.is_empty(),
            ("networks", "Networks", sections::networks(&output.networks)),
        ),
        (
            true,
            ("stages", "Stages", html! { (graph::figure(results)) (sections::stages(results)) }),
        ),
        (true, ("provenance", "Provenance", sections::provenance(output))),
    ];
    all.into_iter().filter_map(|(is_there, section)| is_there.then_some(section)).collect()
}

/// Name and drawing of every figure that is not of a single model, as it stands in the page; of those
/// that are drawn for wide and for narrow pages the wide one.
pub(super) fn figure_svgs(output: &RunOutput) -> Vec<(String, String)> {
    let output = of_first_seed(output);
    let mut found = Vec::new();
    for (id, _, body) in parts(&output).into_iter().filter(|(id, ..)| *id != "models") {
        let body = body.into_string();
        let drawn = body.split("<svg class=\"").skip(1).filter_map(|part| {
            let (class, _) = part.split_once('"')?;
            let is_figure = class.starts_with("plot") || class == "graph";
            let (svg, _) = part.split_once("</svg>")?;
            let is_shown = is_figure && !class.contains("narrow");
            is_shown.then(|| format!("<svg class=\"{svg}</svg>"))
        });
        found.extend(drawn.enumerate().map(|(nth, svg)| (format!("{id}-{}", nth + 1), svg)));
    }
    found
}

/// The whole of `report.html`.
///
/// Every text of the run (titles, class names, the pipeline file) is escaped.
pub fn page(output: &RunOutput) -> String {
    let output = &of_first_seed(output);
    let results = &output.results;
    let sections = parts(output);
    let mark = if results.is_synthetic() { "SYNTHETIC · " } else { "" };
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta http-equiv="Content-Security-Policy" content=(policy());
                meta name="color-scheme" content="light dark";
                link rel="icon" href="data:,";
                title { (mark) (output.title) " · " (results.dataset.name) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                @if results.is_synthetic() {
                    div.banner role="alert" { (SYNTHETIC_NOTICE) }
                }
                main {
                    header {
                        p.eyebrow { (results.pipeline) " · " (results.dataset.name) " · " (started(&results.run)) }
                        h1 { (output.title) }
                        (headline::answer(results))
                        nav {
                            @for (id, title, _) in &sections {
                                a href={ "#" (id) } { (title) }
                            }
                        }
                    }
                    @for (id, title, body) in &sections {
                        section id=(id) { h2 { (title) } (body) }
                    }
                    footer { "Written by hybrid-pipeline " (env!("CARGO_PKG_VERSION")) ". The same figures for programs stand beside this page." }
                }
                script { (PreEscaped(SCRIPT)) }
            }
        }
    };
    page.into_string()
}

/// What the figures of single models show: of a run with several seeds the first.
pub(super) fn of_first_seed(output: &RunOutput) -> RunOutput {
    if output.results.seeds.is_empty() {
        return output.clone();
    }
    let mut first = RunOutput { results: output.results.of_first_seed(), ..output.clone() };
    let is_shown = |id: &str| first.results.model(id).is_some();
    first.networks.retain(|network| is_shown(&network.id));
    first.misclassified.retain(|(id, _)| is_shown(id));
    let evaluations = &first.results.evaluations;
    first.why.retain(|(id, _)| evaluations.iter().any(|evaluation| evaluation.id == *id));
    first.scores.retain(|(id, _)| is_shown(id));
    first.disagreements.retain(|(_, found)| found.models.iter().all(|id| is_shown(id)));
    first
}

/// `20260102T030405Z` as `2026-01-02 03:04 UTC`; any other run name as it is.
pub(super) fn started(run: &str) -> String {
    let digits = |from: usize, to: usize| {
        run.get(from..to).filter(|part| part.bytes().all(|byte| byte.is_ascii_digit()))
    };
    match (digits(0, 4), digits(4, 6), digits(6, 8), digits(9, 11), digits(11, 13)) {
        (Some(year), Some(month), Some(day), Some(hour), Some(minute)) => {
            format!("{year}-{month}-{day} {hour}:{minute} UTC")
        }
        _ => run.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{SearchRound, example};
    use super::*;

    /// The page without its images, whose letters are chance.
    fn without_images(page: &str) -> String {
        let mut parts = page.split("base64,");
        let first = parts.next().unwrap_or_default().to_owned();
        parts.fold(first, |text, part| text + part.split_once('"').map_or("", |(_, rest)| rest))
    }

    #[test]
    fn page_answers_first_and_holds_every_section() {
        let page = page(&example::run_output());
        let answer = page.find("class=\"answer\"").unwrap();
        let mut last = answer;
        for id in [
            "summary",
            "cost",
            "reported",
            "comparisons",
            "pairs",
            "search",
            "training",
            "confusion",
            "classes",
            "models",
            "scatter",
            "samples",
            "axes",
            "mistakes",
            "networks",
            "stages",
            "provenance",
        ] {
            let at = page.find(&format!("<section id=\"{id}\"")).unwrap();
            assert!(at > last, "{id} is out of order");
            last = at;
        }
        let page = without_images(&page);
        assert!(!page.contains("NaN") && !page.contains("inf,"));
    }

    #[test]
    fn page_names_nothing_outside_itself() {
        let page = page(&example::run_output());
        for forbidden in
            ["http://", "https://", "<script src", "url(", "@import", "//cdn", "fetch("]
        {
            assert!(!page.contains(forbidden), "{forbidden}");
        }
    }

    #[test]
    fn the_policy_allows_this_script_and_no_other() {
        let page = page(&example::run_output());
        let (_, from) = page.rsplit_once("<script>").unwrap();
        let (script, _) = from.split_once("</script>").unwrap();
        let hash = STANDARD.encode(Sha256::digest(script));
        assert!(
            page.contains(&format!("script-src &#39;sha256-{hash}&#39;\""))
                || page.contains(&format!("script-src 'sha256-{hash}'\""))
        );
        assert_eq!(page.matches("<script").count(), 2, "the data and the script");
    }

    #[test]
    fn every_svg_element_is_closed() {
        let page = page(&example::run_output());
        for name in ["svg", "g", "line", "polyline", "circle", "rect", "path", "text", "title"] {
            let opened = page.matches(&format!("<{name} ")).count()
                + page.matches(&format!("<{name}>")).count();
            assert_eq!(opened, page.matches(&format!("</{name}>")).count(), "<{name}>");
        }
    }

    #[test]
    fn every_text_of_the_run_is_escaped() {
        const ATTACK: &str = "<script>alert('\"&')</script>";
        let mut output = example::run_output();
        output.title = ATTACK.to_owned();
        output.run_toml = ATTACK.to_owned();
        let results = &mut output.results;
        results.pipeline = ATTACK.to_owned();
        results.run = ATTACK.to_owned();
        results.dataset.name = ATTACK.to_owned();
        results.dataset.class_names.fill(ATTACK.to_owned());
        let mut second = results.evaluations[0].clone();
        second.title = ATTACK.to_owned();
        second.dataset = results.dataset.clone();
        results.evaluations.push(second);
        results.machine.insert(ATTACK.to_owned(), ATTACK.into());
        for model in &mut results.models {
            model.title = ATTACK.to_owned();
            model.input = ATTACK.to_owned();
            model.family = ATTACK.to_owned();
            model.per_class.iter_mut().for_each(|class| class.class = ATTACK.to_owned());
        }
        for model in &mut results.models {
            let Some(mut record) = model.search() else { continue };
            record.searched.fill(ATTACK.to_owned());
            for candidate in &mut record.candidates {
                candidate.params = [(ATTACK.to_owned(), ATTACK.into())].into_iter().collect();
                candidate.warning = Some(ATTACK.to_owned());
            }
            model.details.insert("search".to_owned(), serde_json::to_value(record).unwrap());
        }
        for stage in &mut results.stages {
            stage.id = ATTACK.to_owned();
            stage.kind = ATTACK.to_owned();
            stage.params = [(ATTACK.to_owned(), ATTACK.into())].into_iter().collect();
            stage.digest = ATTACK.to_owned();
        }
        for network in &mut output.networks {
            network.id = ATTACK.to_owned();
            network.architecture = ATTACK.to_owned();
            network.layers.iter_mut().for_each(|layer| layer.layer = ATTACK.to_owned());
        }
        let page = page(&output);
        assert!(!page.contains("<script>alert"), "a text was not escaped");
        assert_eq!(page.matches("<script").count(), 2, "the data and the script");
        assert!(page.contains("&lt;script&gt;"));
    }

    #[test]
    fn empty_and_broken_runs_still_make_a_page() {
        let mut output = example::run_output();
        output.networks[0].history[2].train_loss = f64::NAN;
        output.networks[0].history[3].validation_loss = Some(f64::INFINITY);
        output.networks[1].history.truncate(1);
        output.results.models[0].predict_seconds = 0.0;
        output.results.models[1].fit_seconds = 0.0;
        output.results.comparisons.clear();
        assert!(!without_images(&page(&output)).contains("NaN"));
        output.results.models.truncate(1);
        assert!(page(&output).contains("test images right"));
        output.results.models.clear();
        output.networks.clear();
        output.samples.clear();
        output.misclassified.clear();
        output.disagreements.clear();
        output.scores.clear();
        assert!(page(&output).contains("No model was evaluated"));
    }

    #[test]
    fn a_search_shows_a_heat_map_or_panels_and_a_row_for_each_candidate() {
        let output = example::run_output();
        let section = search::sections(&output.results).into_string();
        // Each figure twice, for wide and for narrow pages.
        assert_eq!(section.matches("Mean accuracy by c and kernel").count(), 2);
        assert_eq!(section.matches("Mean accuracy by c\"").count(), 4, "a grid and random draws");
        assert_eq!(section.matches("Mean accuracy by gamma\"").count(), 2);
        assert_eq!(section.matches("class=\"chosen\"").count(), 2);
        assert_eq!(section.matches("tr class=\"best\"").count(), 3);
        assert_eq!(section.matches("aria-label=\"Folds: ").count(), 6 + 5 + 40);
    }

    #[test]
    fn rounds_of_halving_and_unread_parameters_are_shown() {
        let mut output = example::run_output();
        let model = output.results.models.iter_mut().find(|model| model.id == "raw_rbf").unwrap();
        let mut record = model.search().unwrap();
        record.rounds.push(SearchRound { n_candidates: 2, n_samples: 60_001 });
        record.candidates[record.best].round = 1;
        record.candidates[0].params.shift_remove("kernel");
        model.details.insert("search".to_owned(), serde_json::to_value(record).unwrap());
        output.results.models.retain(|model| model.id == "raw_rbf");
        let section = search::sections(&output.results).into_string();
        assert!(section.contains("then the best 2 on 60,001"), "{section}");
        assert!(section.contains("<td class=\"figure\">–</td>"), "{section}");
    }

    #[test]
    fn the_answer_is_of_the_first_evaluation_when_there_are_several() {
        let mut output = example::run_output();
        let results = &mut output.results;
        let mut second = results.evaluations[0].clone();
        second.id = "other".to_owned();
        second.title = "80/20 split".to_owned();
        second.dataset.n_test = 777;
        results.evaluations.push(second);
        let last = results.models.last_mut().unwrap();
        last.evaluation = "other".to_owned();
        last.accuracy = 1.0;
        let answer = headline(results);
        assert!(answer.contains(" of 4,000 test images right, the most of 8 models"), "{answer}");
        let page = page(&output);
        assert!(page.contains("<th>Data</th>") && page.contains("<td>80/20 split</td>"));
        assert!(
            page.contains("80/20 split · example: 54,000 training, 6,000 validation, 777 test")
        );
    }

    #[test]
    fn synthetic_runs_say_so_loudly() {
        let mut output = example::run_output();
        assert!(!page(&output).contains("class=\"banner\""));
        output.results.evaluations[0].dataset.synthetic = true;
        let page = page(&output);
        assert!(page.contains("class=\"banner\"") && page.contains("<title>SYNTHETIC"));
        assert_eq!(page.matches("class=\"synthetic\"").count(), output.results.models.len());
    }

    #[test]
    fn several_seeds_are_one_row_a_model_with_comparisons_over_seeds() {
        let output = example::seeds_output();
        let page = page(&output);
        let rows = sections::summary(&output.results.of_first_seed()).into_string();
        assert_eq!(rows.matches("<tr class=\"best\"").count(), 1);
        assert_eq!(rows.matches(" ± ").count(), 7 + 1, "seven models and the note");
        assert_eq!(rows.matches("no seed changes it").count(), 2);
        assert!(page.contains("mean and standard deviation over 3 seeds"));
        assert!(page.contains("p, McNemar") && page.contains("With seed 42 alone"));
        assert!(page.contains(" over 3 seeds, p"), "the head is compared over seeds");
        let heat_maps = page.matches("aria-label=\"Confusion matrix of").count();
        assert_eq!(heat_maps, 9 + 2, "one a model, and the featured ones");
        assert!(!without_images(&page).contains("NaN"));
    }
}
