//! The fitted models and the data of a finished run, from its results and the cache.

use std::io;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use ndarray::Array2;
use rayon::prelude::*;

use super::outcome::UsageError;
use crate::cache::{CacheError, Cost, InputProvenance, Lookup, Provenance, Store};
use crate::data::{
    DataError, Dataset, DecodeLimits, ImageInput, Labels, TensorFile, image_files, read_image,
};
use crate::export::{self, Manifest};
use crate::model::{Adjust, Chain, Model, SimilarIndex, compared_by};
use crate::nearest::nearest;
use crate::progress::Progress;
use crate::report::{self, ModelResult, Results};
use crate::stage::{Artifact, ArtifactType, FittedModel, KINDS};

/// Which run, and where its results of stages are.
#[derive(Clone, Debug, clap::Args)]
pub struct RunArgs {
    /// A run directory, NAME (its newest run) or NAME/RUN; to label images, also an exported model.
    run: String,
    /// Where runs are kept.
    #[arg(long, value_name = "DIR", default_value = "reports")]
    reports: PathBuf,
    /// Where results of stages are kept.
    #[arg(long, value_name = "DIR", env = "PIPELINE_CACHE", default_value = ".pipeline")]
    cache: PathBuf,
}

/// What is done to photographs first.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct AdjustArgs {
    /// Turn dark into light first: for dark things on a light ground.
    #[arg(long)]
    invert: bool,
    /// Cut the thing out, scale it and put it in the middle first.
    #[arg(long)]
    centre: bool,
}

impl AdjustArgs {
    /// As it is applied.
    pub fn adjust(self) -> Adjust {
        Adjust { invert: self.invert, centre: self.centre }
    }
}

/// A finished run whose artifacts can be read.
pub struct FinishedRun {
    /// What it found.
    pub results: Results,
    cache: PathBuf,
    store: Store,
}

/// A fitted model of a run.
pub struct Fitted {
    /// Stage that made it.
    pub id: String,
    /// Title for people.
    pub title: String,
    /// What labels new images.
    pub model: Model,
    /// What it is and says of the test images.
    pub facts: FittedModel,
}

impl RunArgs {
    /// As typed.
    pub fn name(&self) -> &str {
        &self.run
    }

    /// Whether it names an exported model, which has no data with it.
    pub fn is_exported(&self) -> bool {
        export::is_package(Path::new(&self.run))
    }

    /// The model named, or every evaluated model of the run; the one model of an exported directory.
    ///
    /// # Errors   as [`RunArgs::open`] and [`FinishedRun::model`], or an exported model that is damaged
    pub fn models(&self, named: Option<&str>) -> anyhow::Result<Vec<Fitted>> {
        if self.is_exported() {
            return Ok(vec![self.exported(named)?]);
        }
        let run = self.open()?;
        match named {
            Some(id) => Ok(vec![run.model(id)?]),
            None => run.results.models.iter().map(|model| run.model(&model.id)).collect(),
        }
    }

    fn exported(&self, named: Option<&str>) -> anyhow::Result<Fitted> {
        let (Manifest { model: known, .. }, model) = export::read(Path::new(&self.run))?;
        if let Some(named) = named.filter(|named| *named != known.id) {
            let message = format!("`{}` holds no model `{named}`", self.run);
            return Err(UsageError::new(message, format!("its model is `{}`", known.id)).into());
        }
        let facts = FittedModel {
            family: known.family,
            input: known.input,
            n_features: known.n_features,
            network: String::new(),
            model_bytes: known.model_bytes,
            details: known.details,
            tested_on: String::new(),
            predicted: Labels::zeros(0),
            scores: None,
        };
        Ok(Fitted { id: known.id, title: known.title, model, facts })
    }

    /// Finds the run and its cache.
    ///
    /// # Errors   if either is not there
    pub fn open(&self) -> anyhow::Result<FinishedRun> {
        let directory = report::find_run(&self.reports, &self.run)?;
        let results = report::read_results(&directory)?;
        // Looking at a model makes no cache.
        if !self.cache.is_dir() {
            let (what, root) = (self.run.clone(), self.cache.clone());
            let why = "there is no such directory".to_owned();
            return Err(CacheError::Gone { what, root, why }.into());
        }
        let store = Store::open(&self.cache)?;
        Ok(FinishedRun { results, cache: self.cache.clone(), store })
    }
}

impl FinishedRun {
    /// The model that a stage made.
    ///
    /// # Errors   if the run has no such model, or its artifact is gone
    pub fn model(&self, id: &str) -> anyhow::Result<Fitted> {
        let models = || self.results.stages.iter().filter(|stage| is_model(&stage.kind));
        if !models().any(|stage| stage.id == id) {
            let ids: Vec<&str> = models().map(|stage| stage.id.as_str()).collect();
            let hint = match nearest(id, ids.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("its models: {}", ids.join(", ")),
            };
            let message = format!("run `{}` has no model `{id}`", self.results.run);
            return Err(UsageError::new(message, hint).into());
        }
        let artifact = self.artifact(id)?;
        let model = artifact.predictor().ok_or_else(|| self.gone(id, "it is no model"))?;
        let facts = artifact.model().clone();
        let title = self.results.model(id).map_or(id, |model| model.title.as_str()).to_owned();
        Ok(Fitted { id: id.to_owned(), title, model, facts })
    }

    /// The data that a model was evaluated on; of a model that was not, those of the first
    /// evaluation.
    ///
    /// # Errors   if they are gone from the cache
    pub fn dataset(&self, id: &str) -> anyhow::Result<Dataset> {
        let data = self.data_stage(id);
        match self.artifact(&data)? {
            Artifact::Dataset(dataset) => Ok(dataset),
            _ => Err(self.gone(&data, "it is no data set")),
        }
    }

    /// The stage that made the data of [`FinishedRun::dataset`].
    fn data_stage(&self, id: &str) -> String {
        let of = |model: &ModelResult| self.results.evaluation_of(model);
        let evaluation = self.results.model(id).and_then(of).or(self.results.evaluations.first());
        evaluation.map_or(String::new(), |evaluation| evaluation.data.clone())
    }

    /// Images made ready to be searched by what a model compares, or by pixels: the training images,
    /// or those below a directory. Kept in the cache.
    ///
    /// # Errors   if model or data are gone from the cache, or an image cannot be read
    pub fn similar(
        &self,
        by: Option<&str>,
        within: Option<&Path>,
        progress: &dyn Progress,
    ) -> anyhow::Result<SimilarIndex> {
        let files = within.map(image_files).transpose()?;
        let data = self.data_stage(by.unwrap_or_default());
        let from = match &files {
            Some(files) => fingerprint(files)?,
            None => self.digest(&data),
        };
        let input = |name: &str, id: &str, digest: String| InputProvenance {
            input: name.to_owned(),
            many: false,
            stages: vec![(id.to_owned(), digest)],
        };
        let compared = by.unwrap_or("pixels");
        let made_from = Provenance {
            kind: "similar".to_owned(),
            version: 1,
            seed: None,
            params: serde_json::Map::new(),
            inputs: vec![
                input("data", &data, from),
                // Pixels of files are prepared as those of the data are.
                input("model", compared, self.digest(by.unwrap_or(&data))),
            ],
        };
        let key = made_from.key();
        if let Lookup::Hit(record) = self.store.lookup(&key)
            && let Ok(path) = self.store.verified(&record.digest)
            && let Ok(index) = TensorFile::read(&path).and_then(SimilarIndex::from_tensors)
        {
            return Ok(index);
        }
        let dataset = self.dataset(by.unwrap_or_default())?;
        let chain = match by {
            Some(id) => compared_by(&self.model(id)?.model),
            None => Chain::pixels(dataset.input()),
        };
        let index = match files {
            None => {
                let (pixels, labels) = (dataset.train.pixels, dataset.train.labels);
                SimilarIndex::build(chain, pixels, Some(labels), Vec::new(), progress)?
            }
            Some(files) => {
                let pixels = prepared(&files, &chain.input)?;
                let names = files.iter().map(|path| path.display().to_string()).collect();
                SimilarIndex::build(chain, pixels, None, names, progress)?
            }
        };
        let lock = self.store.lock(&key, &mut || !progress.interrupted())?;
        let written = |path: &Path| index.to_tensors().write(path).map_err(io::Error::other);
        self.store.put(&lock, made_from, Cost::default(), true, written)?;
        Ok(index)
    }

    /// Digest of what a stage made; empty for a stage that the run has not.
    fn digest(&self, id: &str) -> String {
        let stage = self.results.stages.iter().find(|stage| stage.id == id);
        stage.map_or(String::new(), |stage| stage.digest.clone())
    }

    /// What a stage made.
    ///
    /// # Errors   if it is gone from the cache
    pub fn artifact(&self, id: &str) -> anyhow::Result<Artifact> {
        let stage = self.results.stages.iter().find(|stage| stage.id == id);
        let stage = stage.ok_or_else(|| self.gone(id, "the run has no such stage"))?;
        let kind = KINDS.iter().find(|kind| kind.name == stage.kind);
        let kind = kind.ok_or_else(|| self.gone(id, "this program knows no such kind"))?;
        let path = self.store.verified(&stage.digest).map_err(|why| self.gone(id, &why))?;
        Artifact::read(kind.produces, &path).map_err(|error| self.gone(id, &error.to_string()))
    }

    fn gone(&self, what: &str, why: &str) -> anyhow::Error {
        let (what, root, why) = (what.to_owned(), self.cache.clone(), why.to_owned());
        CacheError::Gone { what, root, why }.into()
    }
}

/// Tells lists of files apart by their names, sizes and times.
fn fingerprint(files: &[PathBuf]) -> Result<String, DataError> {
    let mut hasher = blake3::Hasher::new();
    for path in files {
        let metadata =
            path.metadata().map_err(|source| DataError::Io { path: path.to_owned(), source })?;
        let modified = metadata.modified().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok());
        let nanos = modified.map_or(0, |since| since.as_nanos());
        hasher.update(path.as_os_str().as_encoded_bytes());
        hasher.update(&[0]);
        hasher.update(&metadata.len().to_le_bytes());
        hasher.update(&nanos.to_le_bytes());
    }
    Ok(hasher.finalize().to_hex().to_string())
}

/// The rows of image files, `[n_files, n_pixels]`.
fn prepared(files: &[PathBuf], input: &ImageInput) -> Result<Array2<u8>, DataError> {
    let row = |path: &PathBuf| Ok(input.row(&read_image(path, &DecodeLimits::default())?));
    let rows = files.par_iter().map(row).collect::<Result<Vec<Vec<u8>>, DataError>>()?;
    let shape = (rows.len(), input.shape.n_pixels());
    Ok(Array2::from_shape_vec(shape, rows.concat()).expect("every row has the pixels of the input"))
}

fn is_model(kind: &str) -> bool {
    let types = [ArtifactType::Classifier, ArtifactType::Network, ArtifactType::Ensemble];
    KINDS.iter().any(|known| known.name == kind && types.contains(&known.produces))
}
