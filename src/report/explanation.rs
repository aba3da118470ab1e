//! One decision explained: the page of `pipeline explain` and its pictures as files.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::format::count;
use super::html::{POLICY, STYLE};
use crate::data::{DataError, Picture, class_colour};

/// Longer side of a drawn picture, pixels: of an image, of a map, of a sheet of tiles.
const SIDES: [usize; 3] = [224, 480, 720];

/// What the page adds to the style of the report.
const MORE_STYLE: &str = "
.decision { display: flex; flex-wrap: wrap; gap: 24px 40px; align-items: flex-start; }
.decision img, .exhibit img { display: block; max-width: 100%; height: auto; image-rendering: pixelated; border: 1px solid var(--line); }
.exhibit { display: flex; flex-wrap: wrap; gap: 20px 24px; margin-top: 18px; }
.exhibit figure { margin: 0; max-width: 100%; }
.exhibit figcaption { max-width: 224px; margin-top: 6px; }
.exhibit .wide figcaption { max-width: none; }
.scores { flex: 1 1 320px; max-width: 520px; }
.scores td.score-bar { width: 45%; min-width: 90px; }
.scores td.score-bar span { display: block; height: 10px; border-radius: 2px; background: var(--hit); }
.classes { display: flex; flex-wrap: wrap; gap: 4px 16px; margin: 14px 0 0; padding: 0; list-style: none; font-size: 14px; }
.classes li span { display: inline-block; width: 12px; height: 12px; margin-right: 6px; border-radius: 50%; vertical-align: -1px; }
";

/// One way to look at a decision.
#[derive(Clone, Debug, PartialEq)]
pub struct Exhibit {
    /// Short name, such as `grad_cam`; its files begin with it.
    pub name: String,
    /// For people.
    pub title: String,
    /// How to read it, and what it does not say.
    pub note: String,
    /// The pictures.
    pub figures: Vec<Figure>,
    /// Whether the pictures have the colours of the classes.
    pub legend: bool,
}

/// A picture with a line below it.
#[derive(Clone, Debug, PartialEq)]
pub struct Figure {
    /// The line.
    pub caption: String,
    /// The picture.
    pub picture: Picture,
}

impl Exhibit {
    /// Without a legend.
    pub fn new(name: &str, title: &str, note: String, figures: Vec<Figure>) -> Self {
        let (name, title) = (name.to_owned(), title.to_owned());
        Exhibit { name, title, note, figures, legend: false }
    }
}

impl Figure {
    /// A picture with its line.
    pub fn new(caption: impl Into<String>, picture: Picture) -> Self {
        Figure { caption: caption.into(), picture }
    }
}

/// A decision and what speaks for it, ready to be shown.
#[derive(Clone, Debug)]
pub struct Explained {
    /// Pipeline and run.
    pub run: String,
    /// Title of the model.
    pub model: String,
    /// What was shown to it, such as `test image 17`.
    pub subject: String,
    /// The image.
    pub image: Picture,
    /// Names of the classes by label.
    pub class_names: Vec<String>,
    /// What the image is, if that is known.
    pub label: Option<String>,
    /// All classes, the largest first.
    pub scores: Vec<ExplainedScore>,
    /// Label of the class that the model gives.
    pub class: usize,
    /// `probability` or `score`.
    pub unit: &'static str,
    /// True for generated images.
    pub synthetic: bool,
    /// In their order.
    pub exhibits: Vec<Exhibit>,
}

/// A class with its score.
#[derive(Clone, Debug, PartialEq)]
pub struct ExplainedScore {
    /// Label.
    pub class: usize,
    /// Minus infinity where the model did not meet the class.
    pub value: f64,
}

/// Files with their names.
pub type Files = Vec<(String, Vec<u8>)>;

/// `index.html`, self-contained, and the PNG files of every exhibit: `NAME_1.png` and so on, or
/// `NAME.png` for one alone; with the name of each figure's file, exhibit by exhibit.
///
/// # Errors   for a picture whose pixels are not of its shape
pub fn explanation_files(explained: &Explained) -> Result<(Files, Vec<Vec<String>>), DataError> {
    let mut files = vec![("image.png".to_owned(), explained.image.png(SIDES[0])?)];
    let mut names = Vec::new();
    for exhibit in &explained.exhibits {
        let mut of_exhibit = Vec::new();
        for (nth, figure) in exhibit.figures.iter().enumerate() {
            let name = match exhibit.figures.len() {
                1 => format!("{}.png", exhibit.name),
                _ => format!("{}_{}.png", exhibit.name, nth + 1),
            };
            files.push((name.clone(), figure.picture.png(side(&figure.picture))?));
            of_exhibit.push(name);
        }
        names.push(of_exhibit);
    }
    let page = page(explained, &files, &names);
    files.insert(0, ("index.html".to_owned(), page.into_bytes()));
    Ok((files, names))
}

fn side(picture: &Picture) -> usize {
    match picture {
        Picture::Regions { .. } => SIDES[1],
        Picture::Sheet { .. } => SIDES[2],
        _ => SIDES[0],
    }
}

fn page(explained: &Explained, files: &[(String, Vec<u8>)], names: &[Vec<String>]) -> String {
    let Explained { run, model, subject, exhibits, .. } = explained;
    let winner = class_name(explained, explained.class);
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="color-scheme" content="light dark";
                link rel="icon" href="data:,";
                title { (winner) " · " (model) " · " (subject) }
                style { (PreEscaped(STYLE)) (PreEscaped(MORE_STYLE)) }
            }
            body {
                @if explained.synthetic {
                    div.banner role="alert" { (super::SYNTHETIC_NOTICE) }
                }
                main {
                    header {
                        p.eyebrow { (run) " · " (model) " · " (subject) }
                        h1 { "Why " (winner) "?" }
                        p.answer { (explanation_sentence(explained)) }
                        div.decision {
                            (picture(&files[0].1, &explained.image, "the image"))
                            (scores(explained))
                        }
                        nav {
                            @for exhibit in exhibits {
                                a href={ "#" (exhibit.name) } { (exhibit.title) }
                            }
                        }
                    }
                    @for (exhibit, names) in exhibits.iter().zip(names) {
                        section id=(exhibit.name) {
                            h2 { (exhibit.title) }
                            p.note { (exhibit.note) }
                            @if exhibit.legend { (legend(explained)) }
                            div.exhibit {
                                @for (figure, name) in exhibit.figures.iter().zip(names) {
                                    figure.wide[side(&figure.picture) > SIDES[0]] {
                                        @if let Some((_, png)) = files.iter().find(|(file, _)| file == name) {
                                            (picture(png, &figure.picture, &figure.caption))
                                        }
                                        figcaption { (figure.caption) }
                                    }
                                }
                            }
                        }
                    }
                    footer { "Written by hybrid-pipeline " (env!("CARGO_PKG_VERSION")) ". Every picture is beside this page as a PNG file." }
                }
            }
        }
    };
    page.into_string()
}

/// The decision in a sentence or two.
pub fn explanation_sentence(explained: &Explained) -> String {
    let value = |class: usize| {
        let score = explained.scores.iter().find(|score| score.class == class);
        score.map_or(f64::NEG_INFINITY, |score| score.value)
    };
    let unit = explained.unit;
    let mut text = format!(
        "{} says {}, with a {unit} of {}",
        explained.model,
        class_name(explained, explained.class),
        number(value(explained.class))
    );
    let second = explained.scores.iter().find(|score| score.class != explained.class);
    if let Some(second) = second.filter(|second| second.value.is_finite()) {
        let name = class_name(explained, second.class);
        text.push_str(&format!("; next comes {name} with {}", number(second.value)));
    }
    match &explained.label {
        Some(label) if label == class_name(explained, explained.class) => {
            text.push_str(". The label agrees.");
        }
        Some(label) => text.push_str(&format!(". The label says {label}.")),
        None => text.push('.'),
    }
    text
}

/// The largest scores with bars.
fn scores(explained: &Explained) -> Markup {
    const N_SHOWN: usize = 10;
    let finite = || explained.scores.iter().map(|score| score.value).filter(|v| v.is_finite());
    let low = match explained.unit {
        "probability" => 0.0,
        _ => finite().fold(f64::INFINITY, f64::min),
    };
    let high = match explained.unit {
        "probability" => 1.0,
        _ => finite().fold(f64::NEG_INFINITY, f64::max),
    };
    let share = |value: f64| match value.is_finite() && high > low {
        true => ((value - low) / (high - low) * 100.0).clamp(0.0, 100.0),
        false => 0.0,
    };
    let n_left = explained.scores.len().saturating_sub(N_SHOWN);
    html! {
        div.scores {
            table {
                thead { tr { th { "Class" } th.figure { (explained.unit) } th { } } }
                tbody {
                    @for score in explained.scores.iter().take(N_SHOWN) {
                        tr.best[score.class == explained.class] {
                            th { (class_name(explained, score.class)) }
                            td.figure { (number(score.value)) }
                            td.score-bar { span style={ "width: " (format!("{:.1}", share(score.value))) "%" } {} }
                        }
                    }
                }
            }
            @if n_left > 0 { p.note { "and " (count(n_left as u64)) " more classes" } }
        }
    }
}

fn legend(explained: &Explained) -> Markup {
    let n_classes = explained.class_names.len();
    html! {
        ul.classes {
            @for (class, name) in explained.class_names.iter().enumerate() {
                @let [red, green, blue] = class_colour(class, n_classes);
                li {
                    span style={ "background: rgb(" (red) "," (green) "," (blue) ")" } {}
                    (name)
                }
            }
        }
    }
}

fn class_name(explained: &Explained, class: usize) -> &str {
    explained.class_names.get(class).map_or("?", String::as_str)
}

/// Three digits behind the point; a dash for a class that the model did not meet.
fn number(value: f64) -> String {
    if value.is_finite() { format!("{value:.3}") } else { "–".to_owned() }
}

fn picture(png: &[u8], picture: &Picture, alt: &str) -> Markup {
    let (height, width) = picture.size();
    let factor = (side(picture) / height.max(width).max(1)).clamp(1, 32);
    html! {
        img src={ "data:image/png;base64," (STANDARD.encode(png)) } alt=(alt)
            width=(width * factor) height=(height * factor);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::ImageShape;

    fn explained() -> Explained {
        let shape = ImageShape { height: 2, width: 2, channels: 1 };
        let photo = Picture::Photo { pixels: vec![0, 80, 160, 255], shape };
        let figure = |caption: &str| Figure::new(caption, photo.clone());
        let score = |class, value| ExplainedScore { class, value };
        Explained {
            run: "example/20260102T030405Z".to_owned(),
            model: "SVM <b>".to_owned(),
            subject: "test image 7".to_owned(),
            image: photo.clone(),
            class_names: vec!["boot & shoe".to_owned(), "bag".to_owned(), "coat".to_owned()],
            label: Some("bag".to_owned()),
            scores: vec![score(0, 1.25), score(1, 0.5), score(2, f64::NEG_INFINITY)],
            class: 0,
            unit: "score",
            synthetic: false,
            exhibits: vec![
                Exhibit::new("one", "Alone", "A note.".to_owned(), vec![figure("first")]),
                Exhibit {
                    legend: true,
                    ..Exhibit::new("two", "Pair", String::new(), vec![figure("a"), figure("b")])
                },
            ],
        }
    }

    #[test]
    fn every_figure_is_a_file_and_in_the_page() {
        let (files, names) = explanation_files(&explained()).unwrap();
        assert_eq!(names, [vec!["one.png"], vec!["two_1.png", "two_2.png"]]);
        let found: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(found, ["index.html", "image.png", "one.png", "two_1.png", "two_2.png"]);
        let page = String::from_utf8(files[0].1.clone()).unwrap();
        assert_eq!(page.matches("data:image/png;base64,iVBOR").count(), 4);
        assert_eq!(page.matches("background: rgb(").count(), 3, "a colour for each class");
    }

    #[test]
    fn the_sentence_names_winner_runner_up_and_label() {
        let mut explained = explained();
        let found = explanation_sentence(&explained);
        let expected = "SVM <b> says boot & shoe, with a score of 1.250; next comes bag with 0.500. \
                        The label says bag.";
        assert_eq!(found, expected);
        explained.label = Some("boot & shoe".to_owned());
        assert!(explanation_sentence(&explained).ends_with("The label agrees."));
    }

    #[test]
    fn names_are_escaped_and_classes_that_were_not_met_have_no_number() {
        let (files, _) = explanation_files(&explained()).unwrap();
        let page = String::from_utf8(files[0].1.clone()).unwrap();
        assert!(page.contains("SVM &lt;b&gt;") && page.contains("boot &amp; shoe"));
        assert!(!page.contains("inf") && page.contains("<td class=\"figure\">–</td>"));
    }
}
