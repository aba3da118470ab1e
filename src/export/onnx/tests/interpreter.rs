//! Runs a written file by the operators' definitions, slowly and in double precision.
//!
//! Reads the file's bytes, so that nothing of the writer is shared. `Cast` to `float` rounds; all else is
//! `f64`.

use std::collections::HashMap;

use ndarray::{ArrayD, Axis, IxDyn, Slice};

use crate::export::onnx::proto::reader::{all, fields, text};

type Tensor = ArrayD<f64>;

/// A decoded file.
pub struct File<'a> {
    pub nodes: Vec<Node<'a>>,
    constants: HashMap<String, Tensor>,
    /// Names and dimensions of inputs and outputs; `-1` is the number of images.
    pub ports: Vec<(String, Vec<i64>)>,
}

pub struct Node<'a> {
    pub operator: String,
    pub domain: String,
    inputs: Vec<String>,
    outputs: Vec<String>,
    attributes: HashMap<String, &'a [u8]>,
}

fn packed(bytes: &[u8]) -> Vec<i64> {
    // As a message of one field for each integer would be read.
    let mut tagged = Vec::new();
    let mut is_start = true;
    for &byte in bytes {
        if is_start {
            tagged.push(8);
        }
        tagged.push(byte);
        is_start = byte < 0x80;
    }
    fields(&tagged).iter().map(|field| field.int as i64).collect()
}

fn tensor(bytes: &[u8]) -> Tensor {
    let dims: Vec<usize> =
        all(bytes, 1).iter().flat_map(|b| packed(b)).map(|n| n as usize).collect();
    let element = fields(bytes).iter().find(|field| field.number == 2).unwrap().int;
    let raw = all(bytes, 9)[0];
    let values: Vec<f64> = match element {
        1 => raw.chunks(4).map(|b| f32::from_le_bytes(b.try_into().unwrap()).into()).collect(),
        2 => raw.iter().map(|&b| b.into()).collect(),
        6 => raw.chunks(4).map(|b| i32::from_le_bytes(b.try_into().unwrap()).into()).collect(),
        7 => raw.chunks(8).map(|b| i64::from_le_bytes(b.try_into().unwrap()) as f64).collect(),
        11 => raw.chunks(8).map(|b| f64::from_le_bytes(b.try_into().unwrap())).collect(),
        other => panic!("element type {other}"),
    };
    Tensor::from_shape_vec(IxDyn(&dims), values).unwrap()
}

impl<'a> File<'a> {
    pub fn decode(bytes: &'a [u8]) -> Self {
        let graph = all(bytes, 7)[0];
        let names = |bytes: &[u8], number| {
            all(bytes, number).iter().map(|b| String::from_utf8(b.to_vec()).unwrap()).collect()
        };
        let node = |bytes: &'a [u8]| Node {
            operator: text(bytes, 4),
            domain: text(bytes, 7),
            inputs: names(bytes, 1),
            outputs: names(bytes, 2),
            attributes: all(bytes, 5).into_iter().map(|b| (text(b, 1), b)).collect(),
        };
        let port = |bytes: &&[u8]| {
            let shape = all(all(all(bytes, 2)[0], 1)[0], 2)[0];
            let dim =
                |b: &&[u8]| fields(b).iter().find(|f| f.number == 1).map_or(-1, |f| f.int as i64);
            (text(bytes, 1), all(shape, 1).iter().map(dim).collect())
        };
        File {
            nodes: all(graph, 1).into_iter().map(node).collect(),
            constants: all(graph, 5).into_iter().map(|b| (text(b, 8), tensor(b))).collect(),
            ports: [11, 12].iter().flat_map(|&n| all(graph, n)).map(|b| port(&b)).collect(),
        }
    }

    /// Labels and scores of images.
    pub fn run(&self, images: Tensor) -> (Tensor, Tensor) {
        let mut values = self.constants.clone();
        values.insert("images".to_owned(), images);
        for node in &self.nodes {
            let inputs: Vec<&Tensor> = node.inputs.iter().map(|name| &values[name]).collect();
            let outputs = node.run(&inputs);
            assert_eq!(outputs.len(), node.outputs.len(), "{}", node.operator);
            values.extend(node.outputs.iter().cloned().zip(outputs));
        }
        (values["label"].clone(), values["scores"].clone())
    }
}

fn broadcast(a: &Tensor, b: &Tensor, f: impl Fn(f64, f64) -> f64) -> Tensor {
    let n = a.ndim().max(b.ndim());
    let padded = |t: &Tensor| [vec![1; n - t.ndim()], t.shape().to_vec()].concat();
    let (left, right) = (padded(a), padded(b));
    let shape: Vec<usize> = left.iter().zip(&right).map(|(a, b)| *a.max(b)).collect();
    let spread = |t: &Tensor, own: &[usize]| {
        let t = t.as_standard_layout().into_owned().into_shape_with_order(IxDyn(own)).unwrap();
        t.broadcast(IxDyn(&shape)).unwrap().to_owned()
    };
    let (left, right) = (spread(a, &left), spread(b, &right));
    ndarray::Zip::from(&left).and(&right).map_collect(|&a, &b| f(a, b))
}

fn product(a: &Tensor, b: &Tensor) -> Tensor {
    let two = |t: &Tensor| t.clone().into_dimensionality::<ndarray::Ix2>().unwrap();
    two(a).dot(&two(b)).into_dyn()
}

fn by_row(x: &Tensor, f: impl Fn(&mut [f64])) -> Tensor {
    let mut x = x.as_standard_layout().into_owned();
    for mut row in x.rows_mut() {
        f(row.as_slice_mut().unwrap());
    }
    x
}

fn softmax(row: &mut [f64]) {
    let largest = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    row.iter_mut().for_each(|v| *v = (*v - largest).exp());
    let sum: f64 = row.iter().sum();
    row.iter_mut().for_each(|v| *v /= sum);
}

impl Node<'_> {
    fn int(&self, name: &str) -> Option<i64> {
        let field = fields(self.attributes.get(name)?).into_iter().find(|field| field.number == 3);
        field.map(|field| field.int as i64)
    }

    fn ints(&self, name: &str) -> Vec<i64> {
        self.attributes.get(name).map_or_else(Vec::new, |bytes| packed(all(bytes, 8)[0]))
    }

    fn tensor(&self, name: &str) -> Tensor {
        tensor(all(self.attributes[name], 5)[0])
    }

    fn run(&self, x: &[&Tensor]) -> Vec<Tensor> {
        let one = match self.operator.as_str() {
            "Identity" => x[0].clone(),
            "Cast" if self.int("to") == Some(1) => x[0].mapv(|v| f64::from(v as f32)),
            "Cast" => x[0].clone(),
            "Add" => broadcast(x[0], x[1], |a, b| a + b),
            "Sub" => broadcast(x[0], x[1], |a, b| a - b),
            "Mul" => broadcast(x[0], x[1], |a, b| a * b),
            "Div" => broadcast(x[0], x[1], |a, b| a / b),
            "Pow" => broadcast(x[0], x[1], f64::powf),
            "Max" => broadcast(x[0], x[1], f64::max),
            "Equal" => broadcast(x[0], x[1], |a, b| f64::from(u8::from(a == b))),
            "Greater" => broadcast(x[0], x[1], |a, b| f64::from(u8::from(a > b))),
            "Where" => {
                // What is not chosen may be infinite, so no arithmetic.
                let shape = broadcast(x[1], x[2], |a, _| a);
                let chosen = broadcast(x[0], &shape, |c, _| c);
                let (a, b) =
                    (broadcast(x[1], &chosen, |a, _| a), broadcast(x[2], &chosen, |b, _| b));
                ndarray::Zip::from(&chosen)
                    .and(&a)
                    .and(&b)
                    .map_collect(|&c, &a, &b| if c != 0.0 { a } else { b })
            }
            "Neg" => x[0].mapv(|v| -v),
            "Abs" => x[0].mapv(f64::abs),
            "Exp" => x[0].mapv(f64::exp),
            "Cos" => x[0].mapv(f64::cos),
            "Tanh" => x[0].mapv(f64::tanh),
            "Sigmoid" => x[0].mapv(|v| 1.0 / (1.0 + (-v).exp())),
            "Sqrt" => x[0].mapv(f64::sqrt),
            "Reciprocal" => x[0].mapv(f64::recip),
            "Relu" => x[0].mapv(|v| v.max(0.0)),
            "Mean" => {
                let sum = x[1..].iter().fold(x[0].clone(), |sum, x| sum + *x);
                sum / x.len() as f64
            }
            "MatMul" | "MatMulInteger" => product(x[0], x[1]),
            "Gemm" => match x.get(2) {
                Some(bias) => broadcast(&product(x[0], x[1]), bias, |a, b| a + b),
                None => product(x[0], x[1]),
            },
            "Softmax" => by_row(x[0], softmax),
            "LogSoftmax" => by_row(x[0], |row| {
                softmax(row);
                row.iter_mut().for_each(|v| *v = v.ln());
            }),
            "ReduceSum" => {
                let axis = Axis(x[1][0] as usize);
                let sum = x[0].sum_axis(axis);
                if self.int("keepdims") == Some(0) { sum } else { sum.insert_axis(axis) }
            }
            "ReduceMax" => {
                let largest = |lane: ndarray::ArrayView1<f64>| {
                    lane.iter().copied().fold(f64::NEG_INFINITY, f64::max)
                };
                x[0].map_axis(Axis(1), largest).insert_axis(Axis(1))
            }
            "ArgMax" => x[0].map_axis(Axis(1), |row| {
                (0..row.len()).fold(0, |best, i| if row[i] > row[best] { i } else { best }) as f64
            }),
            "Concat" => {
                let views: Vec<_> = x.iter().map(|x| x.view()).collect();
                ndarray::concatenate(Axis(1), &views).unwrap()
            }
            "Gather" => {
                let axis = Axis(self.int("axis").unwrap_or(0) as usize);
                let idx: Vec<usize> = x[1].iter().map(|&v| v as usize).collect();
                let taken = x[0].select(axis, &idx);
                if x[0].ndim() == 1 {
                    taken.into_shape_with_order(x[1].raw_dim()).unwrap()
                } else {
                    taken
                }
            }
            "Unsqueeze" => x[0].clone().insert_axis(Axis(x[1][0] as usize)),
            "Flatten" => {
                let n = x[0].shape()[0];
                let flat = x[0].as_standard_layout().into_owned();
                let n_values = flat.len() / n;
                flat.into_shape_with_order(IxDyn(&[n, n_values])).unwrap()
            }
            "Transpose" => {
                let order: Vec<usize> = self.ints("perm").iter().map(|&n| n as usize).collect();
                x[0].clone().permuted_axes(IxDyn(&order)).as_standard_layout().into_owned()
            }
            "Slice" => {
                assert_eq!((x[1][0], x[4][0]), (-1.0, -1.0), "only whole axes turned around");
                let turned = Slice::new(0, None, -1);
                x[0].slice_axis(Axis(x[3][0] as usize), turned).to_owned()
            }
            "BatchNormalization" => {
                let eps = fields(self.attributes["epsilon"]);
                let eps = eps.iter().find(|field| field.number == 2).unwrap().bytes;
                let eps = f64::from(f32::from_le_bytes(eps.try_into().unwrap()));
                let mut y = x[0].clone();
                for (channel, mut y) in y.axis_iter_mut(Axis(1)).enumerate() {
                    let [scale, shift, mean, variance] = [1, 2, 3, 4].map(|i| x[i][channel]);
                    y.mapv_inplace(|v| scale * (v - mean) / (variance + eps).sqrt() + shift);
                }
                y
            }
            "Conv" => self.conv(x),
            "MaxPool" => self.pool(x[0], |window| window.fold(f64::NEG_INFINITY, f64::max)),
            "AveragePool" => {
                let size: i64 = self.ints("kernel_shape").iter().product();
                self.pool(x[0], |window| window.sum::<f64>() / size as f64)
            }
            "TopK" => return self.top_k(x[0], x[1][0] as usize),
            "TreeEnsembleClassifier" => return self.trees(x[0]),
            other => panic!("operator {other}"),
        };
        vec![one]
    }

    fn conv(&self, x: &[&Tensor]) -> Tensor {
        let (pads, strides) = (self.ints("pads"), self.ints("strides"));
        let (w, stride) = (x[1], strides[0] as usize);
        let [n, c, h, width] = x[0].shape().try_into().unwrap();
        let (before, after, side) = (pads[0] as usize, pads[2] as usize, w.shape()[2]);
        let out = |n: usize| (n + before + after - side) / stride + 1;
        let shape = [n, w.shape()[0], out(h), out(width)];
        Tensor::from_shape_fn(IxDyn(&shape), |at| {
            let mut sum = x.get(2).map_or(0.0, |bias| bias[at[1]]);
            for (channel, i, j) in ndarray::indices((c, side, side)) {
                let (row, column) = (at[2] * stride + i, at[3] * stride + j);
                if (before..h + before).contains(&row) && (before..width + before).contains(&column)
                {
                    sum += x[0][[at[0], channel, row - before, column - before]]
                        * w[[at[1], channel, i, j]];
                }
            }
            sum
        })
    }

    fn pool(&self, x: &Tensor, of: impl Fn(&mut dyn Iterator<Item = f64>) -> f64) -> Tensor {
        let (size, stride) = (self.ints("kernel_shape"), self.ints("strides"));
        let out =
            |axis: usize| (x.shape()[axis + 2] - size[axis] as usize) / stride[axis] as usize + 1;
        let shape = [x.shape()[0], x.shape()[1], out(0), out(1)];
        Tensor::from_shape_fn(IxDyn(&shape), |at| {
            let (down, across) = (at[2] * stride[0] as usize, at[3] * stride[1] as usize);
            let places = ndarray::indices((size[0] as usize, size[1] as usize)).into_iter();
            of(&mut places.map(|(i, j)| x[[at[0], at[1], down + i, across + j]]))
        })
    }

    fn top_k(&self, x: &Tensor, k: usize) -> Vec<Tensor> {
        assert_eq!(self.int("largest"), Some(0));
        let mut found =
            [Tensor::zeros(IxDyn(&[x.shape()[0], k])), Tensor::zeros(IxDyn(&[x.shape()[0], k]))];
        for (nth, row) in x.rows().into_iter().enumerate() {
            let mut order: Vec<usize> = (0..row.len()).collect();
            order.sort_by(|&a, &b| row[a].total_cmp(&row[b]).then(a.cmp(&b)));
            for (place, &idx) in order[..k].iter().enumerate() {
                found[0][[nth, place]] = row[idx];
                found[1][[nth, place]] = idx as f64;
            }
        }
        found.into()
    }

    fn trees(&self, x: &Tensor) -> Vec<Tensor> {
        let [trees, features, lefts, rights] =
            ["nodes_treeids", "nodes_featureids", "nodes_truenodeids", "nodes_falsenodeids"]
                .map(|name| self.ints(name));
        let thresholds = self.tensor("nodes_values_as_tensor");
        let modes: Vec<&[u8]> = all(self.attributes["nodes_modes"], 9);
        let [leaf_trees, leaf_nodes, classes] =
            ["class_treeids", "class_nodeids", "class_ids"].map(|name| self.ints(name));
        let weights = self.tensor("class_weights_as_tensor");
        let base = self.tensor("base_values_as_tensor");
        let mut leaves: HashMap<(i64, i64), Vec<(usize, f64)>> = HashMap::new();
        for (i, &class) in classes.iter().enumerate() {
            let leaf = leaves.entry((leaf_trees[i], leaf_nodes[i])).or_default();
            leaf.push((class as usize, weights[i]));
        }
        let roots: Vec<usize> =
            (0..trees.len()).filter(|&i| i == 0 || trees[i] != trees[i - 1]).collect();
        let mut sums = Tensor::zeros(IxDyn(&[x.shape()[0], base.len()]));
        for (row, mut sums) in x.rows().into_iter().zip(sums.rows_mut()) {
            sums.assign(&base.view().into_dimensionality::<ndarray::Ix1>().unwrap());
            for &root in &roots {
                let mut at = root;
                while modes[at] == b"BRANCH_LEQ" {
                    let is_left = row[features[at] as usize] <= thresholds[at];
                    at = root + if is_left { lefts[at] } else { rights[at] } as usize;
                }
                for &(class, weight) in &leaves[&(trees[root], (at - root) as i64)] {
                    sums[class] += weight;
                }
            }
        }
        let labels = sums.map_axis(Axis(1), |row| {
            (0..row.len()).fold(0, |best, i| if row[i] > row[best] { i } else { best }) as f64
        });
        vec![labels, sums.mapv(|v| f64::from(v as f32))]
    }
}
