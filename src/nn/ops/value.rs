//! What a step gives to the steps that read it.
//!
//! Batch normalisation is a map of every channel, `y = scale x + shift` and ReLU if it follows, once the
//! statistics of the batch are known. The backward pass needs `x`; to write `y` beside it is another pass
//! over memory that no cache holds. So a value may be rows with a *pending* map: a reader that copies
//! them anyway maps what it copies, whenever it reads. For readers that cannot, the mapped rows are
//! written too. The arithmetic is the same, and so are the bits.

use super::Buffers;
use super::norm::Map;
use crate::kernels::nn::norm::{Affine, Pending};

/// Rows of a batch, and the map that is still to be applied to them.
#[derive(Default)]
pub struct Value {
    rows: Vec<f32>,
    map: Option<Map>,
    /// Where a reader cannot apply the map.
    mapped: Vec<f32>,
}

/// A value as a reader that applies maps sees it.
#[derive(Clone, Copy)]
pub struct Input<'a> {
    pub rows: &'a [f32],
    pub map: Option<&'a Map>,
}

impl Value {
    /// Rows to be read as they are.
    pub fn plain(rows: Vec<f32>) -> Self {
        Value { rows, ..Value::default() }
    }

    /// Rows with a pending map; `write` asks for the mapped rows too.
    pub fn pending(rows: Vec<f32>, map: Map, write: bool, buffers: &Buffers) -> Self {
        let mapped = if write { map.apply(&rows, buffers) } else { Vec::new() };
        Value { rows, map: Some(map), mapped }
    }

    /// Rows before a pending map.
    pub fn rows(&self) -> &[f32] {
        &self.rows
    }

    /// The pending map.
    pub fn map(&self) -> Option<&Map> {
        self.map.as_ref()
    }

    /// Rows after every map.
    pub fn mapped(&self) -> &[f32] {
        if self.map.is_some() { &self.mapped } else { &self.rows }
    }

    /// Rows for a reader that applies maps.
    pub fn input(&self) -> Input<'_> {
        match &self.map {
            Some(map) if self.mapped.is_empty() => Input { rows: &self.rows, map: Some(map) },
            _ => Input { rows: self.mapped(), map: None },
        }
    }

    /// The rows of a value without a map.
    pub fn into_rows(self) -> Vec<f32> {
        self.rows
    }

    /// Gives the memory back.
    pub fn release(self, buffers: &Buffers) {
        buffers.keep_floats(self.rows);
        buffers.keep_floats(self.mapped);
    }
}

impl<'a> Input<'a> {
    /// The map, as kernels take it.
    pub fn affine(&self) -> Option<Affine<'a>> {
        self.map.map(Map::affine)
    }

    /// Rows and map, as kernels take them.
    pub fn pending(&self) -> Pending<'a> {
        Pending { rows: self.rows, map: self.affine() }
    }
}
