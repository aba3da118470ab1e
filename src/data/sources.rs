//! Where data sets are looked for.

use std::path::PathBuf;

/// Places in the order they are tried; then the network.
///
/// In each place the files of data set `NAME` are looked for in `PLACE/NAME`, then in `PLACE`.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// `--data DIR`; if given, it is the only place.
    pub explicit: Option<PathBuf>,
    /// `PIPELINE_DATA`.
    pub environment: Option<PathBuf>,
    /// Downloads land here, in a directory per data set: the user's cache directory.
    pub downloads: Option<PathBuf>,
    /// Base URL that replaces the registry's own.
    pub mirror: Option<String>,
}

impl Sources {
    /// `hybrid-pipeline` in the user's cache directory, if the user has one.
    pub fn user_downloads() -> Option<PathBuf> {
        dirs::cache_dir().map(|dir| dir.join("hybrid-pipeline"))
    }
}
