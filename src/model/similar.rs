//! Which images are most like an image: exact nearest neighbours by pixels or features.

use ndarray::{Array2, ArrayView2};
use serde_json::json;

use super::{Chain, ModelError};
use crate::data::{Labels, TensorFile, TensorFileError};
use crate::learn::knn::{Knn, Metric};
use crate::progress::Progress;

/// Images made ready for the search.
pub struct SimilarIndex {
    /// The way from pixels to what is compared.
    pub chain: Chain,
    /// The images as rows, `[n_images, n_pixels]`.
    pub pixels: Array2<u8>,
    /// Class of each; none where that is not known.
    pub labels: Option<Labels>,
    /// Name of each, such as its file; empty where a row's number is its name.
    pub names: Vec<String>,
    knn: Knn,
}

/// One image that was found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Similar {
    /// Its row.
    pub row: usize,
    /// Euclidean distance of the features; a byte counts as itself / 255.
    pub distance: f64,
}

impl SimilarIndex {
    /// An index of images, at least one.
    ///
    /// # Errors
    /// As [`Chain::features`]; no images.
    /// # Cost     the features once, and a copy of them
    pub fn build(
        chain: Chain,
        pixels: Array2<u8>,
        labels: Option<Labels>,
        names: Vec<String>,
        progress: &dyn Progress,
    ) -> Result<Self, ModelError> {
        let features = chain.features(pixels.view(), progress)?;
        let knn = Knn::of_rows(&features, Metric::Euclidean, progress)?;
        Ok(SimilarIndex { chain, pixels, labels, names, knn })
    }

    /// The `k` nearest images (all, if there are fewer) of each row of `pixels`, nearest first; of
    /// equal distances the smaller row.
    ///
    /// # Errors
    /// As [`Chain::features`].
    /// # Cost
    /// `n_queries * n_images * n_features`: one query among 60,000 rows of 128 features takes 2 ms on
    /// two cores of a Zen 5 machine
    pub fn search(
        &self,
        pixels: ArrayView2<'_, u8>,
        k: usize,
        progress: &dyn Progress,
    ) -> Result<Vec<Vec<Similar>>, ModelError> {
        let features = self.chain.features(pixels, progress)?;
        let k = k.clamp(1, self.pixels.nrows().max(1));
        let found = self.knn.kneighbors(&features, k, progress)?;
        let of_query = |query: usize| {
            let pairs = found.idx.row(query).to_vec().into_iter().zip(found.distances.row(query));
            pairs.map(|(row, &distance)| Similar { row, distance }).collect()
        };
        Ok((0..features.n_samples()).map(of_query).collect())
    }

    /// The index as named tensors.
    pub fn to_tensors(&self) -> TensorFile<'_> {
        let (chain, knn) =
            (self.chain.to_tensors(), crate::learn::Classifier::to_tensors(&self.knn));
        let mut file = TensorFile::new(json!({
            "chain": chain.document,
            "knn": knn.document,
            "names": self.names,
        }));
        file.insert_prefixed("chain", chain);
        file.insert_prefixed("knn", knn);
        file.insert_u8("pixels", self.pixels.view());
        if let Some(labels) = &self.labels {
            file.insert_u32("labels", labels.mapv(|label| label as u32));
        }
        file
    }

    /// Reads what [`SimilarIndex::to_tensors`] wrote, ready to be searched.
    ///
    /// # Errors
    /// If a part is missing or parts do not fit together.
    pub fn from_tensors(mut file: TensorFile<'static>) -> Result<Self, TensorFileError> {
        let malformed = |what: String| TensorFileError::Malformed(what);
        let mut part = |name: &str| {
            let mut tensors = file.take_prefixed(name);
            tensors.document = file.document[name].take();
            tensors
        };
        let (chain, knn) = (part("chain"), part("knn"));
        let chain = Chain::from_tensors(chain)?;
        let knn = Knn::from_tensors(knn).map_err(|error| malformed(error.to_string()))?;
        let names: Vec<String> = serde_json::from_value(file.document["names"].take())
            .map_err(|error| malformed(error.to_string()))?;
        let pixels: Array2<u8> = file.take_u8("pixels")?;
        let labels = file.take_u32::<ndarray::Ix1>("labels").ok();
        let labels: Option<Labels> = labels.map(|labels| labels.mapv(|label| label as usize));
        let n_images = pixels.nrows();
        let fits = pixels.ncols() == chain.input.shape.n_pixels()
            && knn.labels().len() == n_images
            && (names.is_empty() || names.len() == n_images)
            && labels.as_ref().is_none_or(|labels| labels.len() == n_images);
        if !fits {
            return Err(malformed("counts of images, names and features differ".to_owned()));
        }
        knn.pack();
        Ok(SimilarIndex { chain, pixels, labels, names, knn })
    }

    /// Name of an image: its own, or its row's number.
    pub fn name(&self, row: usize) -> String {
        self.names.get(row).cloned().unwrap_or_else(|| format!("#{row}"))
    }

    /// Class of an image, if known.
    pub fn class(&self, row: usize) -> Option<&str> {
        let label = *self.labels.as_ref()?.get(row)?;
        self.chain.input.class_names.get(label).map(String::as_str)
    }
}

/// Features by which a model compares images: those that its head reads, or what enters the last
/// layer of a network.
pub fn compared_by(model: &super::Model) -> Chain {
    match &model.head {
        super::Head::Network(network) => model.chain.then(super::Link::Layer {
            network: std::sync::Arc::clone(network),
            layer: "penultimate".to_owned(),
        }),
        _ => model.chain.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{ImageInput, ImageShape};
    use crate::progress::Silent;

    fn index() -> SimilarIndex {
        let shape = ImageShape { height: 1, width: 2, channels: 1 };
        let class_names = vec!["near".to_owned(), "far".to_owned()];
        let chain = Chain::pixels(ImageInput { shape, class_names, steps: Vec::new() });
        let pixels = ndarray::array![[0, 0], [255, 0], [255, 255], [255, 0]];
        let labels = Some(ndarray::array![0, 0, 1, 1]);
        SimilarIndex::build(chain, pixels, labels, Vec::new(), &Silent).unwrap()
    }

    #[test]
    fn nearest_come_first_and_of_equals_the_smaller_row() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("index");
        index().to_tensors().write(&path).unwrap();
        let stored = TensorFile::read(&path).unwrap();
        for index in [index(), SimilarIndex::from_tensors(stored).unwrap()] {
            let query = ndarray::array![[255u8, 10]];
            let found = &index.search(query.view(), 9, &Silent).unwrap()[0];
            let rows: Vec<usize> = found.iter().map(|similar| similar.row).collect();
            assert_eq!(rows, [1, 3, 2, 0]);
            assert!((found[0].distance - 10.0 / 255.0).abs() < 1e-12, "{found:?}");
            assert_eq!((index.class(3), index.name(3)), (Some("far"), "#3".to_owned()));
        }
    }

    #[test]
    fn rows_of_another_width_are_refused() {
        let query = ndarray::array![[1u8, 2, 3]];
        let error = index().search(query.view(), 1, &Silent).unwrap_err();
        assert!(matches!(error, ModelError::PixelCount { found: 3, expected: 2 }), "{error}");
    }
}
