//! The figures of a page as files of their own.

use super::RunOutput;
use super::html::{STYLE, figure_svgs};

/// A figure that stands alone.
pub(super) struct Figure {
    /// Section of the page and number within it, such as `cost-1`.
    pub name: String,
    /// The drawing, with the colours of the light theme.
    pub svg: String,
}

/// Every wide figure of a page, but for those of single models.
pub(super) fn figures(output: &RunOutput) -> Vec<Figure> {
    let colours = colours();
    let rules = resolved(include_str!("html/figure.css"), &colours);
    let standalone = |(name, svg): (String, String)| {
        Some(Figure { svg: standalone(&resolved(&svg, &colours), &rules)?, name })
    };
    figure_svgs(output).into_iter().filter_map(standalone).collect()
}

/// The drawing with its own namespace, size, style and ground.
fn standalone(svg: &str, rules: &str) -> Option<String> {
    let (_, from) = svg.split_once("viewBox=\"")?;
    let (view, _) = from.split_once('"')?;
    let [_, _, width, height] = view.split(' ').collect::<Vec<_>>()[..] else { return None };
    let (head, body) = svg.split_once('>')?;
    // A graph has its size already.
    let size = match head.contains(" width=") {
        true => String::new(),
        false => format!(" width=\"{width}\" height=\"{height}\""),
    };
    Some(format!(
        "{head} xmlns=\"http://www.w3.org/2000/svg\"{size} font-family=\"{FONTS}\">\n\
         <style>{rules}</style>\n<rect x=\"-14\" y=\"-14\" width=\"200%\" height=\"200%\" fill=\"{GROUND}\"></rect>\n{body}\n"
    ))
}

const FONTS: &str = "Inter, Ubuntu, 'DejaVu Sans', Arial, sans-serif";
const GROUND: &str = "#fbfaf7";

/// The variables of the light theme, longest names first, so that none is taken for another.
fn colours() -> Vec<(String, String)> {
    let root = STYLE.split_once(":root {").and_then(|(_, from)| from.split_once('}'));
    let declarations = root.map_or("", |(declarations, _)| declarations).split(';');
    let pair = |declaration: &str| {
        let (name, value) = declaration.split_once(':')?;
        Some((format!("var({})", name.trim()), value.trim().to_owned()))
    };
    declarations.filter_map(pair).filter(|(name, _)| name.starts_with("var(--")).collect()
}

fn resolved(text: &str, colours: &[(String, String)]) -> String {
    colours.iter().fold(text.to_owned(), |text, (name, value)| text.replace(name, value))
}

#[cfg(test)]
mod tests {
    use super::super::example;
    use super::*;

    #[test]
    fn figures_need_nothing_of_the_page() {
        let found = figures(&example::run_output());
        let names: Vec<&str> = found.iter().map(|figure| figure.name.as_str()).collect();
        for name in
            ["cost-1", "cost-2", "reported-1", "training-1", "confusion-1", "scatter-2", "stages-1"]
        {
            assert!(names.contains(&name), "{name} is not among {names:?}");
        }
        for Figure { name, svg } in &found {
            assert!(svg.starts_with("<svg ") && svg.trim_end().ends_with("</svg>"), "{name}");
            assert!(svg.contains("xmlns=") && svg.contains(" width="), "{name}");
            assert!(!svg.contains("var(--"), "{name} has a colour of the page");
        }
    }
}
