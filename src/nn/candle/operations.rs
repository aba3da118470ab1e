//! Layers in candle's own operations, on images `[n, channels, height, width]`.
//!
//! Where candle's gradient is not PyTorch's, the layer is composed of operations whose gradient is.

use candle_core::{D, Result, Tensor};

/// `max(x, 0)`; its gradient at 0 is 0, candle's own is 1.
pub fn relu(x: &Tensor) -> Result<Tensor> {
    x.mul(&x.gt(0f32)?.to_dtype(x.dtype())?)
}

/// Convolution with a kernel `[height, width, in, out]`; `border` zeros go before and after.
///
/// Pixels that a stride leaves over are cut off first: candle's gradient takes the number of rows
/// left over for that of columns too.
pub fn conv(
    x: &Tensor,
    kernel: &Tensor,
    bias: Option<&Tensor>,
    border: (usize, usize),
    stride: usize,
) -> Result<Tensor> {
    let side = kernel.dim(0)?;
    let mut x = x.clone();
    for axis in [2, 3] {
        let padded = x.pad_with_zeros(axis, border.0, border.1)?;
        let n_read = (padded.dim(axis)? - side) / stride * stride + side;
        x = padded.narrow(axis, 0, n_read)?;
    }
    let kernel = kernel.permute((3, 2, 0, 1))?.contiguous()?;
    let y = x.contiguous()?.conv2d(&kernel, 0, stride, 1, 1)?;
    match bias {
        Some(bias) => y.broadcast_add(&bias.reshape((1, (), 1, 1))?),
        None => Ok(y),
    }
}

/// The values of each window, `[size * size, n, channels, height, width]`.
fn windows(x: &Tensor, size: usize, stride: usize) -> Result<Tensor> {
    let (_, _, height, width) = x.dims4()?;
    let every = |n: usize, from: usize| {
        let positions = (0..=(n - size) / stride).map(|i| (i * stride + from) as u32);
        Tensor::new(positions.collect::<Vec<u32>>(), x.device())
    };
    let mut shifted = Vec::with_capacity(size * size);
    for row in 0..size {
        let rows = x.index_select(&every(height, row)?, 2)?;
        for column in 0..size {
            shifted.push(rows.index_select(&every(width, column)?, 3)?);
        }
    }
    Tensor::stack(&shifted, 0)
}

/// Maximum over windows; the first of equals passes the gradient on.
pub fn max_pool(x: &Tensor, size: usize, stride: usize) -> Result<Tensor> {
    let windows = windows(x, size, stride)?;
    windows.gather(&windows.argmax_keepdim(0)?, 0)?.squeeze(0)
}

/// Mean over windows.
pub fn avg_pool(x: &Tensor, size: usize, stride: usize) -> Result<Tensor> {
    windows(x, size, stride)?.mean(0)
}

/// Mean over all positions, `[n, channels]`.
pub fn global_avg_pool(x: &Tensor) -> Result<Tensor> {
    x.flatten_from(2)?.mean(D::Minus1)
}

/// Vectors in the order height, width, channel; vectors stay what they are.
pub fn flatten(x: &Tensor) -> Result<Tensor> {
    match x.rank() {
        4 => x.permute((0, 2, 3, 1))?.flatten_from(1),
        _ => Ok(x.clone()),
    }
}

/// Values in the order of [`flatten`] back in the shape of `like`.
pub fn unflatten(values: &Tensor, like: &Tensor) -> Result<Tensor> {
    match like.dims() {
        &[n, channels, height, width] => {
            values.reshape((n, height, width, channels))?.permute((0, 3, 1, 2))?.contiguous()
        }
        dims => values.reshape(dims),
    }
}

/// Mean and variance per channel of images or vectors; the variance divides by the number of values.
pub fn moments(x: &Tensor) -> Result<(Tensor, Tensor)> {
    let by_channel = x.transpose(0, 1)?.flatten_from(1)?;
    let mean = by_channel.mean(1)?;
    let variance = by_channel.broadcast_sub(&mean.unsqueeze(1)?)?.sqr()?.mean(1)?;
    Ok((mean, variance))
}

/// `(x - mean) / sqrt(variance + eps) * scale + shift`, per channel.
pub fn normalise(
    x: &Tensor,
    (mean, variance): (&Tensor, &Tensor),
    (scale, shift): (&Tensor, &Tensor),
    eps: f64,
) -> Result<Tensor> {
    let mut dims = vec![1; x.rank()];
    dims[1] = scale.elem_count();
    let factor = (scale / (variance + eps)?.sqrt()?)?.reshape(dims.as_slice())?;
    let centred = x.broadcast_sub(&mean.reshape(dims.as_slice())?)?;
    centred.broadcast_mul(&factor)?.broadcast_add(&shift.reshape(dims.as_slice())?)
}
