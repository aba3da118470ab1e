//! A data set as an artifact.

use ndarray::{Array1, Array2, CowArray, Ix1, Ix2};
use serde::{Deserialize, Serialize};

use super::{Dataset, ImageSet, ImageShape, ImageStep, TensorFile, TensorFileError};

/// Everything of a data set that is not an array.
#[derive(Serialize, Deserialize)]
struct Card {
    name: String,
    class_names: Vec<String>,
    train_shape: ImageShape,
    test_shape: ImageShape,
    synthetic: bool,
    /// Left out where there are none, so that digests of such data sets stay as they were.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    steps: Vec<ImageStep>,
}

impl Dataset {
    /// The data set as named tensors; the pixels are borrowed.
    pub fn to_tensors(&self) -> TensorFile<'_> {
        let card = Card {
            name: self.name.clone(),
            class_names: self.class_names.clone(),
            train_shape: self.train.shape,
            test_shape: self.test.shape,
            synthetic: self.synthetic,
            steps: self.steps.clone(),
        };
        let document = serde_json::to_value(card).unwrap_or_default();
        let mut file = TensorFile::new(document);
        let narrow = |values: &[usize]| -> Array1<u32> {
            values.iter().map(|&value| value as u32).collect()
        };
        for (part, images) in [("train", &self.train), ("test", &self.test)] {
            file.insert_u8(&format!("{part}.pixels"), row_major(&images.pixels));
            file.insert_u32(&format!("{part}.labels"), images.labels.mapv(|label| label as u32));
        }
        file.insert_u32("validation_idx", narrow(&self.validation_idx));
        file
    }

    /// The data set that [`Dataset::to_tensors`] wrote; every promise of the type is checked.
    pub fn from_tensors(mut file: TensorFile<'static>) -> Result<Self, TensorFileError> {
        let malformed = |what: &str| TensorFileError::Malformed(format!("data set: {what}"));
        let card: Card =
            serde_json::from_value(file.document.clone()).map_err(|e| malformed(&e.to_string()))?;
        let n_classes = card.class_names.len();
        let mut images = |part: &str, shape: ImageShape| -> Result<ImageSet, TensorFileError> {
            let pixels: Array2<u8> = file.take_u8::<Ix2>(&format!("{part}.pixels"))?;
            let labels = file.take_u32::<Ix1>(&format!("{part}.labels"))?;
            let n_pixels = shape
                .height
                .checked_mul(shape.width)
                .and_then(|area| area.checked_mul(shape.channels));
            if n_pixels != Some(pixels.ncols()) || pixels.nrows() != labels.len() {
                return Err(malformed("counts of images, labels and pixels differ"));
            }
            let labels = labels.mapv(|label| label as usize);
            if labels.iter().any(|&label| label >= n_classes) {
                return Err(malformed("a label is not below the number of classes"));
            }
            Ok(ImageSet { shape, pixels, labels })
        };
        let train = images("train", card.train_shape)?;
        let test = images("test", card.test_shape)?;
        let validation_idx: Vec<usize> =
            file.take_u32::<Ix1>("validation_idx")?.iter().map(|&row| row as usize).collect();
        if !validation_idx.is_sorted_by(|a, b| a < b)
            || validation_idx.last().is_some_and(|&row| row >= train.len())
        {
            return Err(malformed("validation rows are not ascending rows of the training images"));
        }
        Ok(Dataset {
            name: card.name,
            class_names: card.class_names,
            train,
            validation_idx,
            test,
            synthetic: card.synthetic,
            steps: card.steps,
        })
    }
}

fn row_major(pixels: &Array2<u8>) -> CowArray<'_, u8, Ix2> {
    pixels.as_standard_layout()
}

#[cfg(test)]
mod tests {
    use crate::data::{Dataset, ImageStep, TensorFile, TensorFileError, garments};

    fn example() -> Dataset {
        let mut dataset = garments::generate(30, 10, 5);
        dataset.validation_idx = vec![1, 5, 29];
        dataset.steps = vec![ImageStep::Invert, ImageStep::Fit(dataset.train.shape)];
        dataset
    }

    #[test]
    fn round_trip_through_a_file_keeps_everything() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("dataset.safetensors");
        example().to_tensors().write(&path).unwrap();
        let read = Dataset::from_tensors(TensorFile::read(&path).unwrap()).unwrap();
        assert_eq!(read, example());
    }

    #[test]
    fn a_stored_data_set_that_breaks_its_promises_is_refused() {
        let breaks: [fn(&mut Dataset); 3] = [
            |dataset| dataset.train.labels[0] = 99,
            |dataset| dataset.validation_idx = vec![5, 5],
            |dataset| dataset.test.shape.width += 1,
        ];
        for (case, break_it) in breaks.into_iter().enumerate() {
            let mut dataset = example();
            break_it(&mut dataset);
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("dataset.safetensors");
            dataset.to_tensors().write(&path).unwrap();
            let found = Dataset::from_tensors(TensorFile::read(&path).unwrap());
            assert!(matches!(found, Err(TensorFileError::Malformed(_))), "case {case}");
        }
    }
}
