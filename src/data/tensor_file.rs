//! The one file format of artifacts: safetensors, with a JSON document in its metadata.
//!
//! A header of eight bytes length and JSON, then the tensors' bytes, little-endian. Any
//! safetensors reader opens it; our document is the metadata entry `document`. Tensors are written
//! from and read into their final memory, without an intermediate copy of the file.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{BufWriter, Read, Write};
use std::path::Path;

use ndarray::{ArrayD, CowArray, Dimension, IxDyn};
use safetensors::tensor::{Dtype, Metadata, TensorInfo};
use serde_json::Value;

/// An n-dimensional array of one of the element types we store.
#[derive(Clone, Debug, PartialEq)]
pub enum Tensor<'a> {
    /// Bytes.
    U8(CowArray<'a, u8, IxDyn>),
    /// Unsigned 32-bit integers.
    U32(CowArray<'a, u32, IxDyn>),
    /// Single precision.
    F32(CowArray<'a, f32, IxDyn>),
    /// Double precision.
    F64(CowArray<'a, f64, IxDyn>),
}

/// Why a tensor file could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum TensorFileError {
    /// Reading or writing failed.
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// The bytes are not a tensor file.
    #[error("not a tensor file: {0}")]
    Malformed(String),
    /// A tensor that the reader needs is absent or of another type.
    #[error("tensor `{name}` of type {expected} is missing")]
    Missing {
        /// Tensor asked for.
        name: String,
        /// Element type asked for.
        expected: &'static str,
    },
}

/// A JSON document and named tensors.
#[derive(Clone, Debug, PartialEq)]
pub struct TensorFile<'a> {
    /// Everything that is not an array.
    pub document: Value,
    tensors: BTreeMap<String, Tensor<'a>>,
}

macro_rules! element {
    ($element:ty, $variant:ident, $insert:ident, $take:ident, $name:literal) => {
        /// Adds a tensor; it must be in row-major order.
        pub fn $insert<D: Dimension>(
            &mut self,
            name: &str,
            values: impl Into<CowArray<'a, $element, D>>,
        ) {
            let values = values.into().into_dyn();
            assert!(values.is_standard_layout(), "tensor `{name}` is not row-major");
            self.tensors.insert(name.to_owned(), Tensor::$variant(values));
        }

        /// Removes and returns a tensor with the number of dimensions of `D`; one of another type
        /// stays.
        pub fn $take<D: Dimension>(
            &mut self,
            name: &str,
        ) -> Result<ndarray::Array<$element, D>, TensorFileError> {
            let missing = || TensorFileError::Missing { name: name.to_owned(), expected: $name };
            if !matches!(self.tensors.get(name), Some(Tensor::$variant(_))) {
                return Err(missing());
            }
            match self.tensors.remove(name) {
                Some(Tensor::$variant(values)) => {
                    values.into_owned().into_dimensionality().map_err(|_| missing())
                }
                _ => Err(missing()),
            }
        }
    };
}

impl<'a> TensorFile<'a> {
    /// A file with a document and no tensors.
    pub fn new(document: Value) -> Self {
        TensorFile { document, tensors: BTreeMap::new() }
    }

    element!(u8, U8, insert_u8, take_u8, "u8");
    element!(u32, U32, insert_u32, take_u32, "u32");
    element!(f32, F32, insert_f32, take_f32, "f32");
    element!(f64, F64, insert_f64, take_f64, "f64");

    /// Tensors with their names, in name order.
    pub fn tensors(&self) -> impl Iterator<Item = (&str, &Tensor<'a>)> {
        self.tensors.iter().map(|(name, tensor)| (name.as_str(), tensor))
    }

    /// Moves every tensor whose name starts with `prefix` and a dot out, under the rest of the name.
    pub fn take_prefixed(&mut self, prefix: &str) -> TensorFile<'a> {
        let mut taken = TensorFile::new(Value::Null);
        let start = format!("{prefix}.");
        let names: Vec<String> =
            self.tensors.keys().filter(|name| name.starts_with(&start)).cloned().collect();
        for name in names {
            if let Some(tensor) = self.tensors.remove(&name) {
                taken.tensors.insert(name[start.len()..].to_owned(), tensor);
            }
        }
        taken
    }

    /// Adds every tensor of `other` under `prefix.`.
    pub fn insert_prefixed(&mut self, prefix: &str, other: TensorFile<'a>) {
        for (name, tensor) in other.tensors {
            self.tensors.insert(format!("{prefix}.{name}"), tensor);
        }
    }

    /// Total bytes of the tensors.
    pub fn n_bytes(&self) -> usize {
        self.tensors.values().map(|tensor| tensor.bytes().len()).sum()
    }

    /// BLAKE3 over names and values, hexadecimal: what tells two sets of weights apart.
    pub fn digest(&self) -> String {
        let mut hasher = blake3::Hasher::new();
        for (name, tensor) in &self.tensors {
            hasher.update(&(name.len() as u64).to_le_bytes());
            hasher.update(name.as_bytes());
            hasher.update(tensor.bytes());
        }
        hasher.finalize().to_hex().to_string()
    }

    /// The same file, sharing no memory with what it was made of.
    pub fn into_owned(self) -> TensorFile<'static> {
        let owned = |(name, tensor): (String, Tensor<'a>)| (name, tensor.into_owned());
        TensorFile {
            document: self.document,
            tensors: self.tensors.into_iter().map(owned).collect(),
        }
    }

    /// Writes the file; the caller makes it atomic and durable (temporary name, sync, rename).
    pub fn write(&self, path: &Path) -> Result<(), TensorFileError> {
        let mut out = BufWriter::new(File::create(path)?);
        self.write_to(&mut out)?;
        out.flush()?;
        Ok(())
    }

    /// As [`TensorFile::write`], into memory or elsewhere.
    pub fn write_to(&self, out: &mut impl Write) -> Result<(), TensorFileError> {
        let malformed =
            |error: &dyn std::fmt::Display| TensorFileError::Malformed(error.to_string());
        let mut offset = 0;
        let mut infos = Vec::with_capacity(self.tensors.len());
        for (name, tensor) in &self.tensors {
            let end = offset + tensor.bytes().len();
            let info = TensorInfo {
                dtype: tensor.dtype(),
                shape: tensor.shape().to_vec(),
                data_offsets: (offset, end),
            };
            infos.push((name.clone(), info));
            offset = end;
        }
        let document = serde_json::to_string(&self.document).map_err(|e| malformed(&e))?;
        let entries = HashMap::from([("document".to_owned(), document)]);
        let metadata = Metadata::new(Some(entries), infos).map_err(|e| malformed(&e))?;
        let mut header = serde_json::to_vec(&metadata).map_err(|e| malformed(&e))?;
        header.resize(header.len().next_multiple_of(8), b' ');

        out.write_all(&(header.len() as u64).to_le_bytes())?;
        out.write_all(&header)?;
        for tensor in self.tensors.values() {
            out.write_all(tensor.bytes())?;
        }
        Ok(())
    }
}

impl TensorFile<'static> {
    /// Reads a file that [`TensorFile::write`] (or any safetensors writer) made.
    pub fn read(path: &Path) -> Result<Self, TensorFileError> {
        let malformed = |what: String| TensorFileError::Malformed(what);
        let mut file = File::open(path)?;
        let n_file = file.metadata()?.len();
        let mut length = [0u8; 8];
        file.read_exact(&mut length)?;
        let n_header = u64::from_le_bytes(length);
        if n_header > n_file.saturating_sub(8) {
            return Err(malformed(format!("header of {n_header} bytes in a file of {n_file}")));
        }
        let mut header = vec![0u8; n_header as usize];
        file.read_exact(&mut header)?;
        let metadata: Metadata =
            serde_json::from_slice(&header).map_err(|e| malformed(e.to_string()))?;
        let n_body = n_file - 8 - n_header;
        let mut infos: Vec<(String, TensorInfo)> =
            metadata.tensors().into_iter().map(|(name, info)| (name, info.clone())).collect();
        infos.sort_by_key(|(_, info)| info.data_offsets);
        if infos.last().map_or(0, |(_, info)| info.data_offsets.1 as u64) != n_body {
            return Err(malformed(format!("{n_body} bytes of tensors, the header says otherwise")));
        }
        let document = match metadata.metadata().as_ref().and_then(|m| m.get("document")) {
            Some(text) => serde_json::from_str(text).map_err(|e| malformed(e.to_string()))?,
            None => Value::Null,
        };
        let mut read = TensorFile::new(document);
        for (name, info) in infos {
            let tensor = Tensor::read(&mut file, &info)?;
            read.tensors.insert(name, tensor);
        }
        Ok(read)
    }
}

impl Tensor<'_> {
    fn dtype(&self) -> Dtype {
        match self {
            Tensor::U8(_) => Dtype::U8,
            Tensor::U32(_) => Dtype::U32,
            Tensor::F32(_) => Dtype::F32,
            Tensor::F64(_) => Dtype::F64,
        }
    }

    fn into_owned(self) -> Tensor<'static> {
        match self {
            Tensor::U8(values) => Tensor::U8(values.into_owned().into()),
            Tensor::U32(values) => Tensor::U32(values.into_owned().into()),
            Tensor::F32(values) => Tensor::F32(values.into_owned().into()),
            Tensor::F64(values) => Tensor::F64(values.into_owned().into()),
        }
    }

    /// Size of each dimension.
    pub fn shape(&self) -> &[usize] {
        match self {
            Tensor::U8(values) => values.shape(),
            Tensor::U32(values) => values.shape(),
            Tensor::F32(values) => values.shape(),
            Tensor::F64(values) => values.shape(),
        }
    }

    /// The values in memory order.
    pub fn bytes(&self) -> &[u8] {
        let row_major = "checked when the tensor was inserted";
        match self {
            Tensor::U8(values) => values.as_slice().expect(row_major),
            Tensor::U32(values) => bytemuck::cast_slice(values.as_slice().expect(row_major)),
            Tensor::F32(values) => bytemuck::cast_slice(values.as_slice().expect(row_major)),
            Tensor::F64(values) => bytemuck::cast_slice(values.as_slice().expect(row_major)),
        }
    }

    fn read(file: &mut File, info: &TensorInfo) -> Result<Tensor<'static>, TensorFileError> {
        fn array<T: bytemuck::Pod>(
            file: &mut File,
            info: &TensorInfo,
        ) -> Result<CowArray<'static, T, IxDyn>, TensorFileError> {
            let n_values = info.shape.iter().product::<usize>();
            let n_bytes = info.data_offsets.1 - info.data_offsets.0;
            if n_values.checked_mul(size_of::<T>()) != Some(n_bytes) {
                return Err(TensorFileError::Malformed(format!(
                    "{n_bytes} bytes for a tensor of shape {:?}",
                    info.shape
                )));
            }
            let mut values = vec![T::zeroed(); n_values];
            file.read_exact(bytemuck::cast_slice_mut(&mut values))?;
            let shaped = ArrayD::from_shape_vec(IxDyn(&info.shape), values)
                .map_err(|e| TensorFileError::Malformed(e.to_string()))?;
            Ok(CowArray::from(shaped))
        }
        match info.dtype {
            Dtype::U8 => Ok(Tensor::U8(array(file, info)?)),
            Dtype::U32 => Ok(Tensor::U32(array(file, info)?)),
            Dtype::F32 => Ok(Tensor::F32(array(file, info)?)),
            Dtype::F64 => Ok(Tensor::F64(array(file, info)?)),
            other => Err(TensorFileError::Malformed(format!("element type {other:?}"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array1, Array2, array};

    fn example() -> TensorFile<'static> {
        let mut file = TensorFile::new(serde_json::json!({"kind": "test", "n": 3}));
        file.insert_u8("pixels", array![[1u8, 2, 3], [4, 5, 6]]);
        file.insert_f32("weights", array![0.5f32, -1.5]);
        file.insert_f64("alpha", Array1::<f64>::zeros(0));
        file
    }

    #[test]
    fn round_trip_keeps_everything() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.safetensors");
        example().write(&path).unwrap();
        assert_eq!(TensorFile::read(&path).unwrap(), example());
        let bytes = std::fs::read(&path).unwrap();
        let foreign = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        assert_eq!(foreign.tensor("pixels").unwrap().data(), &[1, 2, 3, 4, 5, 6]);
    }

    #[test]
    fn damaged_files_are_refused_at_every_length() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.safetensors");
        example().write(&path).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        for n_kept in 0..bytes.len() {
            std::fs::write(&path, &bytes[..n_kept]).unwrap();
            assert!(TensorFile::read(&path).is_err(), "{n_kept} of {} bytes", bytes.len());
        }
    }

    #[test]
    fn taking_an_absent_or_differently_typed_tensor_is_an_error() {
        let mut file = example();
        assert!(file.take_f32::<ndarray::Ix2>("pixels").is_err());
        assert!(file.take_u8::<ndarray::Ix2>("nothing").is_err());
        // The failed attempt left it there.
        let pixels: Array2<u8> = file.take_u8("pixels").unwrap();
        assert_eq!(pixels.dim(), (2, 3));
    }
}
