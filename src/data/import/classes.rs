//! Labels as they are written to classes by number.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;

use super::ImportError;

/// Most classes: what compares classes by pairs holds a table of their square.
const MAX_CLASSES: usize = 4096;

/// Orders names as people count: numbers by value if all are numbers, else by letters.
pub(super) fn ordered(names: impl IntoIterator<Item = String>) -> Vec<String> {
    let mut names: Vec<String> = BTreeSet::from_iter(names).into_iter().collect();
    let values: Option<Vec<f64>> = names.iter().map(|name| number(name)).collect();
    if values.is_some() {
        names.sort_by(|a, b| {
            let (a, b) = (number(a).unwrap_or_default(), number(b).unwrap_or_default());
            a.total_cmp(&b)
        });
    }
    names
}

fn number(name: &str) -> Option<f64> {
    name.parse().ok().filter(|value: &f64| value.is_finite())
}

/// Class names and the class of each label, part by part.
///
/// # Errors   more than 4,096 different labels
pub(super) fn number_labels(
    path: &Path,
    labels: [Vec<String>; 3],
) -> Result<(Vec<String>, [Vec<usize>; 3]), ImportError> {
    let mut seen: HashMap<&str, usize> = HashMap::new();
    for label in labels.iter().flatten() {
        let n_seen = seen.len();
        seen.entry(label).or_insert(n_seen);
    }
    let found = seen.len();
    if found > MAX_CLASSES {
        return Err(ImportError::TooManyClasses { path: path.to_owned(), found, max: MAX_CLASSES });
    }
    let class_names = ordered(seen.keys().map(|name| (*name).to_owned()));
    let class_of: HashMap<&str, usize> =
        class_names.iter().enumerate().map(|(class, name)| (name.as_str(), class)).collect();
    let numbered = labels
        .each_ref()
        .map(|labels| labels.iter().map(|label| class_of[label.as_str()]).collect());
    Ok((class_names, numbered))
}
