//! Gradients against finite differences and candle's own sweep; facts about candle we lean on.

use candle_core::{CustomOp1, CustomOp3, Device, Tensor, Var};

use super::*;
use crate::data::Rng;
use crate::kernels::nn::im2col::ConvShape;

fn draw(shape: &[usize], purpose: &str) -> Tensor {
    let mut rng = Rng::new(11, &[purpose]);
    let values =
        (0..shape.iter().product()).map(|_| rng.uniform_f32(-1.0, 1.0)).collect::<Vec<f32>>();
    Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
}

fn list(tensor: &Tensor) -> Vec<f32> {
    with_values([tensor], |[values]| values.to_vec()).unwrap()
}

/// Compares the gradient of `sum(projection * forward(input))` with differences of step 1e-3,
/// within 1e-2. Where the differences to both sides disagree, the step crosses a kink of a ReLU or
/// a change of maximum: such values are left out, and are at most half.
fn check(input: &Tensor, analytic: &Tensor, forward: impl Fn(&Tensor) -> f64, what: &str) {
    let (values, analytic) = (list(input), list(analytic));
    let at_rest = forward(input);
    let mut n_kinks = 0;
    for i in 0..values.len() {
        let slope = |step: f32| {
            let mut moved = values.clone();
            moved[i] += step;
            let moved = Tensor::from_vec(moved, input.shape(), &Device::Cpu).unwrap();
            (forward(&moved) - at_rest) / f64::from(step)
        };
        let (left, right) = (slope(-1e-3), slope(1e-3));
        if (left - right).abs() > 1e-2 {
            n_kinks += 1;
            continue;
        }
        let (numeric, analytic) = ((left + right) / 2.0, f64::from(analytic[i]));
        assert!((numeric - analytic).abs() < 1e-2, "{what} at {i}: {analytic}, not {numeric}");
    }
    assert!(n_kinks * 2 <= values.len(), "{what}: {n_kinks} kinks in {}", values.len());
}

fn project(y: &Tensor, projection: &Tensor) -> f64 {
    list(y).iter().zip(list(projection)).map(|(a, b)| f64::from(*a) * f64::from(b)).sum()
}

fn check_three<C: CustomOp3>(op: &C, [x, w, b]: [&Tensor; 3], has_input_grad: bool, what: &str) {
    let y = x.apply_op3_no_bwd(w, b, op).unwrap();
    let projection = draw(y.dims(), "projection");
    let (gx, gw, gb) = op.bwd(x, w, b, &y, &projection).unwrap();
    let run = |x: &Tensor, w: &Tensor, b: &Tensor| {
        project(&x.apply_op3_no_bwd(w, b, op).unwrap(), &projection)
    };
    assert_eq!(gx.is_some(), has_input_grad, "{what}");
    if let Some(gx) = gx {
        check(x, &gx, |x| run(x, w, b), &format!("{what}: input"));
    }
    check(w, &gw.unwrap(), |w| run(x, w, b), &format!("{what}: weights"));
    check(b, &gb.unwrap(), |b| run(x, w, b), &format!("{what}: bias"));
}

#[test]
fn convolution_gradients_match_finite_differences() {
    for in_channels in [1, 2] {
        for (kernel, pad_before, pad_after) in [(3, 0, 0), (3, 1, 1), (4, 1, 2)] {
            for (relu, pool) in [(true, true), (false, true), (true, false), (false, false)] {
                for needs_input_grad in [true, false] {
                    let shape = ConvShape {
                        height: 6,
                        width: 7,
                        in_channels,
                        kernel,
                        pad_before,
                        pad_after,
                        out_channels: 16,
                    };
                    let op = Conv::new(shape, relu, pool, needs_input_grad, &Buffers::default());
                    let x = draw(&[3, shape.n_in()], "x");
                    let w = draw(&[kernel, kernel, in_channels, 16], "w");
                    let what = format!("{shape:?} relu {relu} pool {pool}");
                    check_three(&op, [&x, &w, &draw(&[16], "b")], needs_input_grad, &what);
                }
            }
        }
    }
}

#[test]
fn dense_gradients_match_finite_differences() {
    for relu in [true, false] {
        let op = Dense { relu, needs_input_grad: true, buffers: Buffers::default() };
        let (x, w, b) = (draw(&[4, 9], "x"), draw(&[9, 5], "w"), draw(&[5], "b"));
        check_three(&op, [&x, &w, &b], true, "dense");
    }
}

#[test]
fn other_gradients_match_finite_differences() {
    let buffers = Buffers::default();
    let x = draw(&[3, 4 * 5 * 2], "x");
    let ops: [Box<dyn CustomOp1>; 3] = [
        Box::new(Relu { buffers: buffers.clone() }),
        Box::new(MaxPool::new((4, 5, 2), &buffers)),
        Box::new(Dropout::new(120, 0.4, 1, "test", &buffers)),
    ];
    for op in &ops {
        let run = |x: &Tensor| {
            let (storage, layout) = x.storage_and_layout();
            let candle_core::Storage::Cpu(storage) = &*storage else { panic!("not on the CPU") };
            let (storage, shape) = op.cpu_fwd(storage, layout).unwrap();
            let candle_core::CpuStorage::F32(values) = storage else { panic!("not f32") };
            Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
        };
        let y = run(&x);
        let projection = draw(y.dims(), "projection");
        let grad = op.bwd(&x, &y, &projection).unwrap().unwrap();
        check(&x, &grad, |x| project(&run(x), &projection), op.name());
    }
    let scores = draw(&[4, 6], "scores");
    let (op, sums) = CrossEntropy::new(vec![0, 5, 2, 2]);
    let loss = |scores: &Tensor| f64::from(list(&scores.apply_op1_no_bwd(&op).unwrap())[0]);
    let mean = scores.apply_op1_no_bwd(&op).unwrap();
    let one = Tensor::ones((), candle_core::DType::F32, &Device::Cpu).unwrap();
    let grad = op.bwd(&scores, &mean, &one).unwrap().unwrap();
    let sum = lock(&sums).loss;
    assert!((sum / 4.0 - loss(&scores)).abs() < 1e-6);
    check(&scores, &grad, loss, "cross_entropy");
}

#[test]
fn dropout_keeps_its_share_and_its_mean() {
    let x = Tensor::ones((100, 1000), candle_core::DType::F32, &Device::Cpu).unwrap();
    let op = Dropout::new(100_000, 0.25, 1, "test", &Buffers::default());
    let y = list(&x.apply_op1_no_bwd(&op).unwrap());
    let n_dropped = y.iter().filter(|v| **v == 0.0).count();
    // Five standard deviations of a binomial: 5 sqrt(100000 * 0.25 * 0.75) = 685.
    assert!(n_dropped.abs_diff(25_000) < 685, "{n_dropped}");
    assert!(y.iter().all(|v| *v == 0.0 || *v == (1.0f64 / 0.75) as f32));
}

#[test]
fn candles_own_sweep_gives_the_same_gradients() {
    let buffers = Buffers::default();
    let shape = ConvShape {
        height: 9,
        width: 9,
        in_channels: 1,
        kernel: 3,
        pad_before: 0,
        pad_after: 0,
        out_channels: 16,
    };
    let x = draw(&[20, 81], "x");
    let var = |shape: &[usize], name: &str| Var::from_tensor(&draw(shape, name)).unwrap();
    let (w1, b1) = (var(&[3, 3, 1, 16], "w1"), var(&[16], "b1"));
    let (w2, b2) = (var(&[144, 4], "w2"), var(&[4], "b2"));
    let conv = || Conv::new(shape, true, true, false, &buffers);
    let dense = || Dense { relu: false, needs_input_grad: true, buffers: buffers.clone() };
    let labels: Vec<usize> = (0..20).map(|i| i % 4).collect();
    let hidden = x.apply_op3(&w1, &b1, conv()).unwrap();
    let scores = hidden.apply_op3(&w2, &b2, dense()).unwrap();
    let loss = scores.apply_op1(CrossEntropy::new(labels.clone()).0).unwrap();
    let store = loss.backward().unwrap();

    let (op, _) = CrossEntropy::new(labels);
    let (conv, dense) = (conv(), dense());
    let hidden = x.apply_op3_no_bwd(&w1, &b1, &conv).unwrap();
    let scores = hidden.apply_op3_no_bwd(&w2, &b2, &dense).unwrap();
    let loss = scores.apply_op1_no_bwd(&op).unwrap();
    let one = Tensor::ones((), candle_core::DType::F32, &Device::Cpu).unwrap();
    let grad = op.bwd(&scores, &loss, &one).unwrap().unwrap();
    let (grad, gw2, gb2) = dense.bwd(&hidden, &w2, &b2, &scores, &grad).unwrap();
    let (_, gw1, gb1) = conv.bwd(&x, &w1, &b1, &hidden, &grad.unwrap()).unwrap();
    for (var, ours) in [(&w1, gw1), (&b1, gb1), (&w2, gw2), (&b2, gb2)] {
        assert_eq!(list(store.get(var).unwrap()), list(&ours.unwrap()));
    }
}

/// Why candle's pooling is not used: if this fails, candle has mended it.
#[test]
fn candles_pooling_still_gives_a_wrong_gradient() {
    let image = Tensor::new(&[[[[1f32, 2.0], [3.0, 4.0]]]], &Device::Cpu).unwrap();
    let image = Var::from_tensor(&image).unwrap();
    let store = image.max_pool2d(2).unwrap().sum_all().unwrap().backward().unwrap();
    let grad = store.get(&image).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
    assert_eq!(grad, [0.0, 0.0, 0.0, 0.25], "1 at the maximum would be right");
}

/// Why everything random is drawn from our generator: if this fails, candle can be seeded.
#[test]
fn candles_cpu_generator_still_cannot_be_seeded() {
    assert!(Device::Cpu.set_seed(1).is_err());
}
