//! The nearest known name to a misspelt one; every room's errors suggest by this one rule.

/// The candidate most likely meant by `found`, if any is near: at most a third of the letters
/// differ (Damerau-Levenshtein, case ignored), or one contains the other.
pub fn nearest<'a>(found: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let found = found.to_lowercase();
    let distance = |candidate: &str| {
        let candidate = candidate.to_lowercase();
        let n_letters = found.chars().count().max(candidate.chars().count());
        let n_edits = strsim::damerau_levenshtein(&found, &candidate);
        let contained = found.len().min(candidate.len()) >= 3
            && (found.contains(&candidate) || candidate.contains(&found));
        (n_edits <= (n_letters / 3).max(1) || contained).then_some(n_edits)
    };
    candidates
        .into_iter()
        .filter_map(|candidate| Some((distance(candidate)?, candidate)))
        .min_by_key(|(n_edits, _)| *n_edits)
        .map(|(_, candidate)| candidate)
}
