//! `epoch.safetensors`: where a training stands after its last whole epoch.

use std::path::{Path, PathBuf};

use ndarray::{Array1, Array2};
use serde::{Deserialize, Serialize};

use super::architecture::Architecture;
use super::error::NnError;
use super::network::{Network, insert_weights, take_weights};
use super::optimizer;
use super::params::TrainParams;
use super::plan::Plan;
use super::train::Standing;
use crate::data::{Dataset, TensorFile, TensorFileError};
use crate::metrics::EpochRecord;
use crate::progress::Progress;

/// Raised whenever the same checkpoint would continue to other bits.
const VERSION: u32 = 2;

/// The file of a training, and a digest of everything that decides its result.
pub struct Fingerprint {
    path: PathBuf,
    digest: String,
}

impl Fingerprint {
    /// Hashes architecture, parameters, seed, training data and the network to start from.
    pub fn new(
        dir: &Path,
        architecture: &Architecture,
        data: &Dataset,
        params: &TrainParams,
        seed: u64,
        from: Option<&Network>,
    ) -> Result<Self, NnError> {
        let mut hasher = blake3::Hasher::new();
        let mut number = |value: usize| {
            hasher.update(&(value as u64).to_le_bytes());
        };
        number(VERSION as usize);
        number(seed as usize);
        let shape = data.train.shape;
        [shape.height, shape.width, shape.channels, data.n_classes(), data.train.len()]
            .into_iter()
            .for_each(&mut number);
        data.train.labels.iter().copied().for_each(&mut number);
        data.validation_idx.iter().copied().for_each(&mut number);
        for row in data.train.pixels.rows() {
            match row.as_slice() {
                Some(row) => hasher.update(row),
                None => hasher.update(&row.to_vec()),
            };
        }
        hasher.update(architecture.to_toml()?.as_bytes());
        hasher.update(serde_json::to_string(params).unwrap_or_default().as_bytes());
        if let Some(from) = from {
            hasher.update(from.to_tensors().digest().as_bytes());
        }
        let digest = hasher.finalize().to_hex().to_string();
        Ok(Fingerprint { path: dir.join("epoch.safetensors"), digest })
    }
}

#[derive(Serialize, Deserialize)]
struct Document {
    fingerprint: String,
    n_steps: u64,
}

/// Writes the checkpoint under a temporary name and renames it.
pub fn write(file: &Fingerprint, plan: &Plan, standing: &Standing) -> Result<(), NnError> {
    let failed = |source: TensorFileError| NnError::Checkpoint { path: file.path.clone(), source };
    let document =
        Document { fingerprint: file.digest.clone(), n_steps: standing.optimizer.n_steps };
    let document = serde_json::to_value(document)
        .map_err(|error| failed(TensorFileError::Malformed(error.to_string())))?;
    let mut tensors = TensorFile::new(document);
    insert_weights(&mut tensors, "weights.", plan, &standing.weights);
    insert_weights(&mut tensors, "best.", plan, &standing.best_weights);
    if let Some(average) = &standing.average {
        insert_weights(&mut tensors, "average.", plan, average);
    }
    let moments = standing.optimizer.m.iter().zip(&standing.optimizer.v);
    for (parameter, (m, v)) in plan.parameters.iter().zip(moments) {
        if !parameter.is_trained {
            continue;
        }
        tensors.insert_f32(&format!("m.{}", parameter.name), Array1::from(m.clone()));
        tensors.insert_f32(&format!("v.{}", parameter.name), Array1::from(v.clone()));
    }
    tensors.insert_f64("history", history_rows(&standing.history));
    let temporary = file.path.with_extension("tmp");
    let written = tensors
        .write(&temporary)
        .and_then(|()| std::fs::rename(&temporary, &file.path).map_err(TensorFileError::from));
    if written.is_err() {
        // What is half-written must not stay; the error that matters is the first one.
        let _ = std::fs::remove_file(&temporary);
    }
    written.map_err(failed)
}

/// Reads the checkpoint if there is one that fits; warns about one that does not.
pub fn read(
    file: &Fingerprint,
    plan: &Plan,
    params: &TrainParams,
    progress: &dyn Progress,
) -> Option<Standing> {
    if !file.path.exists() {
        return None;
    }
    match restore(file, plan, params) {
        Ok(standing) => Some(standing),
        Err(problem) => {
            let path = file.path.display();
            progress.warn(&format!("checkpoint `{path}` is not used: {problem}"));
            None
        }
    }
}

fn restore(file: &Fingerprint, plan: &Plan, params: &TrainParams) -> Result<Standing, String> {
    let text = |error: &dyn std::fmt::Display| error.to_string();
    let mut tensors = TensorFile::read(&file.path).map_err(|e| text(&e))?;
    let document = std::mem::take(&mut tensors.document);
    let Document { fingerprint, n_steps } =
        serde_json::from_value(document).map_err(|e| text(&e))?;
    if fingerprint != file.digest {
        return Err("it belongs to another training".into());
    }
    let weights = take_weights(&mut tensors, "weights.", plan).map_err(|e| text(&e))?;
    let best_weights = take_weights(&mut tensors, "best.", plan).map_err(|e| text(&e))?;
    let average = match params.ema_decay {
        Some(_) => Some(take_weights(&mut tensors, "average.", plan).map_err(|e| text(&e))?),
        None => None,
    };
    let mut moments = |prefix: &str| -> Result<Vec<Vec<f32>>, String> {
        let parameters = plan.parameters.iter().map(|parameter| {
            if !parameter.is_trained {
                return Ok(Vec::new());
            }
            let name = format!("{prefix}.{}", parameter.name);
            let values: Array1<f32> = tensors.take_f32(&name).map_err(|e| text(&e))?;
            if values.len() != parameter.n_values() {
                return Err(format!("`{name}` holds {} values", values.len()));
            }
            Ok(values.to_vec())
        });
        parameters.collect()
    };
    let optimizer = optimizer::State { n_steps, m: moments("m")?, v: moments("v")? };
    let history = history_records(&tensors.take_f64("history").map_err(|e| text(&e))?)?;
    Ok(Standing { weights, average, best_weights, optimizer, history })
}

/// Columns of [`history_rows`].
const N_FIGURES: usize = 6;

/// One row per epoch. Numbers in JSON may lose their last bit when read; tensors do not.
fn history_rows(history: &[EpochRecord]) -> Array2<f64> {
    let mut rows = Array2::zeros((history.len(), N_FIGURES));
    for (mut row, record) in rows.rows_mut().into_iter().zip(history) {
        let figures: [f64; N_FIGURES] = [
            record.train_loss,
            record.train_accuracy,
            record.validation_loss.unwrap_or(f64::NAN),
            record.validation_accuracy.unwrap_or(f64::NAN),
            record.learning_rate,
            record.seconds,
        ];
        row.iter_mut().zip(figures).for_each(|(to, from)| *to = from);
    }
    rows
}

fn history_records(rows: &Array2<f64>) -> Result<Vec<EpochRecord>, String> {
    if rows.ncols() != N_FIGURES {
        return Err(format!("its history has {} columns", rows.ncols()));
    }
    let present = |value: f64| Some(value).filter(|value| !value.is_nan());
    let records = rows.rows().into_iter().enumerate().map(|(position, row)| EpochRecord {
        epoch: position + 1,
        train_loss: row[0],
        train_accuracy: row[1],
        validation_loss: present(row[2]),
        validation_accuracy: present(row[3]),
        learning_rate: row[4],
        seconds: row[5],
    });
    Ok(records.collect())
}
