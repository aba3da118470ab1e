//! How far weights on a model's features reach back: through affine maps to the pixels, or to a layer of
//! a network.

use ndarray::{Array2, ArrayView2};

use super::ExplainError;
use crate::data::Features;
use crate::model::{Chain, Link};
use crate::progress::Progress;

/// Rows sent through a map at a time.
const N_ROWS_PER_CHUNK: usize = 256;

/// Weights where they reach.
pub enum Reach {
    /// On pixels (a byte counts as itself / 255), `[n_vectors, n_pixels]`.
    Pixels(Array2<f64>),
    /// On what the layer gives that the chain begins with, `[n_vectors, n_values]`.
    Layer(Array2<f64>),
}

/// Weights on the features of `chain`, `[n_vectors, n_features]`, taken back to its beginning; none
/// where a map on the way is not affine.
///
/// # Errors   as the maps of the chain
/// # Cost     a row for every input of every map on the way
pub fn reach(
    chain: &Chain,
    weights: ArrayView2<'_, f64>,
    progress: &dyn Progress,
) -> Result<Option<Reach>, ExplainError> {
    let mut weights = weights.to_owned();
    for (nth, link) in chain.links.iter().enumerate().rev() {
        match link.as_ref() {
            Link::Unit => {}
            Link::Map(map) if map.is_affine() => {
                let n_inputs = n_entering(chain, nth)?;
                let respond = |rows: Array2<f32>| -> Result<Array2<f64>, ExplainError> {
                    Ok(match map.transform(&Features::Floats(rows), progress)? {
                        Features::Floats(out) => out.mapv(f64::from),
                        Features::Bytes(out) => out.mapv(|v| f64::from(v) / 255.0),
                    })
                };
                let zero = respond(Array2::zeros((1, n_inputs)))?;
                let mut back = Array2::zeros((weights.nrows(), n_inputs));
                for start in (0..n_inputs).step_by(N_ROWS_PER_CHUNK) {
                    let end = n_inputs.min(start + N_ROWS_PER_CHUNK);
                    let one =
                        |(row, column): (usize, usize)| f32::from(u8::from(column == start + row));
                    let rows = Array2::from_shape_fn((end - start, n_inputs), one);
                    let slopes = respond(rows)? - &zero;
                    back.slice_mut(ndarray::s![.., start..end]).assign(&weights.dot(&slopes.t()));
                }
                weights = back;
            }
            Link::Layer { .. } => return Ok(Some(Reach::Layer(weights))),
            Link::Map(_) | Link::Hog { .. } => return Ok(None),
        }
    }
    Ok(Some(Reach::Pixels(weights)))
}

/// Features that enter link `nth`.
fn n_entering(chain: &Chain, nth: usize) -> Result<usize, ExplainError> {
    // One black image says it for every kind of link.
    let shorter = Chain { input: chain.input.clone(), links: chain.links[..nth].to_vec() };
    let black = Array2::zeros((1, chain.input.shape.n_pixels()));
    Ok(shorter.features(black.view(), &crate::progress::Silent)?.n_features())
}
