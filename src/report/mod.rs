//! Results to tables, figures and pages.

mod results;

pub use results::{
    Comparison, DatasetCard, GalleryImage, ModelResult, NetworkCard, Results, RunOutput,
    StageRecord, StageStatus,
};
