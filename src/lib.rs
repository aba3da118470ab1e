//! Which classifier for these images, what does a classical head on CNN features buy, and what
//! does it cost?
//!
//! The map of the house; arrows point down only, and `tests/it/architecture.rs` reads the
//! `use crate::` lines to keep it so:
//!
//! ```text
//! cli                one file per subcommand; alone uses clap, alone prints
//! engine   bench     graph, plan, run, journal │ implementations side by side, what size costs
//! config   cache     TOML -> checked and typed │ keys, store, locks
//! stage              one file per stage kind; thin
//! serve              a web server for the models of a run
//! explain            what speaks for a decision, as plain pictures
//! export             fitted models as files for other programs: ONNX, tensors, tables
//! model              a fitted model from image to scores
//! learn nn report    classical learners (linfa) │ networks (candle) │ tables, figures, HTML
//! metrics            pure functions of labels and scores; significance tests
//! data               images, labels, readers, registry, splits, seeded generator
//! kernels progress   all unsafe and SIMD code │ the one way up for progress and interruption
//! meter              what a piece of work costs: wall time, CPU time, peak memory
//! nearest            the nearest known name to a misspelt one
//! ```
#![deny(unsafe_code)]

pub mod bench;
pub mod cache;
pub mod cli;
pub mod config;
pub mod data;
pub mod engine;
pub mod explain;
pub mod export;
pub mod kernels;
pub mod learn;
pub mod meter;
pub mod metrics;
pub mod model;
pub mod nearest;
pub mod nn;
pub mod progress;
pub mod report;
pub mod serve;
pub mod stage;
