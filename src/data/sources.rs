//! Where data sets are looked for.

use std::path::PathBuf;

/// Places in the order they are tried; then the network.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// `--data DIR`; if given, it is the only place.
    pub explicit: Option<PathBuf>,
    /// `PIPELINE_DATA`.
    pub environment: Option<PathBuf>,
    /// Downloads land here: the user's cache directory.
    pub downloads: Option<PathBuf>,
    /// Base URL that replaces the registry's own.
    pub mirror: Option<String>,
}
