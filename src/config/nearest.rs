//! How an unknown name is answered: the nearest one, then all that are allowed.

use crate::nearest::nearest;

/// `` `a`, `b`, `c` ``
pub(super) fn quoted<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    names.into_iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// The hint for an unknown name: the nearest, then all that are allowed.
pub(super) fn hint(found: &str, allowed: &[&str]) -> Option<String> {
    let list = quoted(allowed.iter().copied());
    match nearest(found, allowed.iter().copied()) {
        _ if allowed.is_empty() => None,
        Some(name) if allowed.len() == 1 => Some(format!("did you mean `{name}`?")),
        Some(name) => Some(format!("did you mean `{name}`? allowed: {list}")),
        None => Some(format!("allowed: {list}")),
    }
}
