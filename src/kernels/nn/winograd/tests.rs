//! Against the definition in `f64`.

use super::*;
use crate::data::Rng;

fn draw(n: usize, purpose: &str) -> Vec<f32> {
    let mut rng = Rng::new(3, &["winograd", purpose]);
    (0..n).map(|_| rng.uniform_f32(-1.0, 1.0)).collect()
}

fn plain(rows: &[f32]) -> Pending<'_> {
    Pending { rows, map: None }
}

/// Every product of an image value, a kernel value and an output value, by their positions.
fn visit(shape: &ConvShape, n: usize, mut visit: impl FnMut(usize, usize, usize)) {
    let (height, width) = (shape.out_height(), shape.out_width());
    let (n_in, n_out) = (shape.in_channels, shape.out_channels);
    for (image, y, x) in
        (0..n).flat_map(|i| (0..height).flat_map(move |y| (0..width).map(move |x| (i, y, x))))
    {
        for (ky, kx) in (0..3).flat_map(|ky| (0..3).map(move |kx| (ky, kx))) {
            let (row, col) = (y + ky, x + kx);
            let inside =
                |at: usize, n: usize| (shape.pad_before..n + shape.pad_before).contains(&at);
            if !inside(row, shape.height) || !inside(col, shape.width) {
                continue;
            }
            let (row, col) = (row - shape.pad_before, col - shape.pad_before);
            for (a, b) in (0..n_in).flat_map(|a| (0..n_out).map(move |b| (a, b))) {
                visit(
                    image * shape.n_in() + (row * shape.width + col) * n_in + a,
                    ((ky * 3 + kx) * n_in + a) * n_out + b,
                    ((image * height + y) * width + x) * n_out + b,
                );
            }
        }
    }
}

/// Largest difference relative to the largest value; with `bf16` root of mean squares in place of both.
fn difference(format: Format, found: &[f32], expected: &[f64]) -> f64 {
    let differences = found.iter().zip(expected).map(|(f, e)| f64::from(*f) - e);
    let size = |values: &mut dyn Iterator<Item = f64>| match format {
        Format::F32 => values.fold(0.0, |max: f64, v| max.max(v.abs())),
        Format::Bf16 => values.map(|v| v * v).sum::<f64>().sqrt(),
    };
    size(&mut { differences }) / size(&mut expected.iter().copied())
}

fn turned(shape: &ConvShape, weights: &[f32]) -> Vec<f32> {
    let (n_in, n_out) = (shape.in_channels, shape.out_channels);
    (0..weights.len())
        .map(|i| {
            let (tap, b, a) = (i / (n_in * n_out), i / n_in % n_out, i % n_in);
            weights[(tap * n_in + a) * n_out + b]
        })
        .collect()
}

/// Random values came to 1.1e-5 at most, and with `bf16` to 2.8e-2.
fn tolerance(format: Format) -> f64 {
    match format {
        Format::F32 => 2e-5,
        Format::Bf16 => 5e-2,
    }
}

#[test]
fn outputs_and_gradients_match_the_definition() {
    let sizes = [(4, 4), (7, 7), (8, 5), (11, 13), (3, 3)];
    let borders = [(0, 0), (1, 1), (0, 2), (3, 3)];
    for ((height, width), (pad_before, pad_after)) in
        sizes.into_iter().flat_map(|size| borders.map(|border| (size, border)))
    {
        for (in_channels, out_channels) in [(16, 16), (16, 48), (32, 16)] {
            let shape = ConvShape {
                height,
                width,
                in_channels,
                kernel: 3,
                stride: 1,
                pad_before,
                pad_after,
                out_channels,
            };
            for level in Cpu::all() {
                compare(&shape, level, Format::F32);
                compare(&shape, level, Format::Bf16);
            }
        }
    }
}

fn compare(shape: &ConvShape, level: Cpu, format: Format) {
    let tolerance = tolerance(format);
    let (n, n_weights) = (2, 9 * shape.in_channels * shape.out_channels);
    let n_out = n * shape.n_positions() * shape.out_channels;
    let (x, w, g) = (draw(n * shape.n_in(), "x"), draw(n_weights, "w"), draw(n_out, "g"));
    let bias = draw(shape.out_channels, "bias");
    let mut y: Vec<f64> = (0..n_out).map(|i| f64::from(bias[i % bias.len()])).collect();
    let (mut gx, mut gw) = (vec![0.0; x.len()], vec![0.0; w.len()]);
    visit(shape, n, |i, k, o| {
        y[o] += f64::from(x[i]) * f64::from(w[k]);
        gx[i] += f64::from(g[o]) * f64::from(w[k]);
        gw[k] += f64::from(g[o]) * f64::from(x[i]);
    });

    let mut kernel = vec![9.0; n_kernel_values(shape)];
    transform_kernel(level, shape, format, false, &w, &mut kernel);
    let mut scratch = vec![9.0; n_scratch(shape, n)];
    let mut out = vec![9.0; n_out];
    forward(level, shape, format, plain(&x), &kernel, &bias, false, &mut scratch, &mut out);
    assert!(
        difference(format, &out, &y) < tolerance,
        "{level:?} {format:?} {shape:?}: {}",
        difference(format, &out, &y)
    );
    let mut rectified = vec![9.0; n_out];
    forward(level, shape, format, plain(&x), &kernel, &bias, true, &mut scratch, &mut rectified);
    assert!(rectified.iter().zip(&out).all(|(r, o)| *r == o.max(0.0)));

    transform_kernel(level, shape, format, true, &turned(shape, &w), &mut kernel);
    let mut planes = vec![0.0; n_kernel_values(shape)];
    let mut grad_x = vec![9.0; x.len()];
    // Image by image: the second is added to the first.
    let (size_in, size_out) = (shape.n_in(), n_out / n);
    let mut scratch = vec![9.0; n_scratch(shape, 1)];
    for i in 0..n {
        let (from, to) = (i * size_in..(i + 1) * size_in, i * size_out..(i + 1) * size_out);
        let grads = Some(&mut grad_x[from.clone()]);
        let (x, g) = (&x[from], &g[to]);
        backward(
            level,
            shape,
            format,
            plain(x),
            g,
            &kernel,
            &mut scratch,
            i > 0,
            &mut planes,
            grads,
        );
    }
    let mut grad_w = vec![9.0; w.len()];
    kernel_gradient(level, shape, &planes, &mut grad_w);
    assert!(
        difference(format, &grad_x, &gx) < tolerance,
        "{level:?} {format:?} {shape:?}: {}",
        difference(format, &grad_x, &gx)
    );
    assert!(
        difference(format, &grad_w, &gw) < tolerance,
        "{level:?} {format:?} {shape:?}: {}",
        difference(format, &grad_w, &gw)
    );

    // Without the images' gradient, the kernel's is the same.
    let mut alone = vec![9.0; n_kernel_values(shape)];
    let mut scratch = vec![9.0; n_scratch(shape, n)];
    backward(level, shape, format, plain(&x), &g, &kernel, &mut scratch, false, &mut alone, None);
    kernel_gradient(level, shape, &alone, &mut grad_w);
    assert!(
        difference(format, &grad_w, &gw) < tolerance,
        "{level:?} {format:?} {shape:?}: {}",
        difference(format, &grad_w, &gw)
    );
}

#[test]
fn other_convolutions_are_left_to_others() {
    let shape = ConvShape {
        height: 8,
        width: 8,
        in_channels: 16,
        kernel: 3,
        stride: 1,
        pad_before: 1,
        pad_after: 1,
        out_channels: 32,
    };
    assert!(applies(&shape));
    assert!(!applies(&ConvShape { kernel: 5, ..shape }));
    assert!(!applies(&ConvShape { stride: 2, ..shape }));
    assert!(!applies(&ConvShape { in_channels: 1, ..shape }));
    assert!(!applies(&ConvShape { out_channels: 24, ..shape }));
}
