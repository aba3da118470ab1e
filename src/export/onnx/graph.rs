//! An ONNX graph in the making: nodes, the constants they read, and both as a file.

use std::collections::BTreeMap;

use super::proto::Message;
use crate::export::ExportError;

/// Operator sets written: of `ai.onnx` and of `ai.onnx.ml`.
pub const OPSET: i64 = 17;
/// As [`OPSET`].
pub const ML_OPSET: i64 = 3;
/// Version of the file format that has both.
const IR_VERSION: i64 = 8;
/// A protocol buffer holds up to this many bytes.
const MAX_BYTES: usize = i32::MAX as usize;

/// Operators of `ai.onnx.ml`.
const ML_OPERATORS: &[&str] = &["SVMClassifier", "TreeEnsembleClassifier"];

/// Type of the elements of a tensor, by its number in the format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Element {
    Float = 1,
    Byte = 2,
    Int32 = 6,
    Int64 = 7,
    Double = 11,
}

/// A tensor that a node makes, or a constant, by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value(String);

/// A tensor of the file.
#[derive(Clone, Debug)]
pub struct Constant {
    element: Element,
    shape: Vec<usize>,
    /// Little-endian.
    bytes: Vec<u8>,
}

macro_rules! constant {
    ($name:ident, $type:ty, $element:ident) => {
        /// # Panics   if the values are not as many as the shape says
        pub fn $name(shape: &[usize], values: impl IntoIterator<Item = $type>) -> Self {
            let bytes: Vec<u8> = values.into_iter().flat_map(<$type>::to_le_bytes).collect();
            let n_bytes = shape.iter().product::<usize>() * size_of::<$type>();
            assert_eq!(bytes.len(), n_bytes, "a value for each place of {shape:?}");
            Constant { element: Element::$element, shape: shape.to_vec(), bytes }
        }
    };
}

impl Constant {
    constant!(floats, f32, Float);
    constant!(doubles, f64, Double);
    constant!(bytes, u8, Byte);
    constant!(ints, i64, Int64);
    constant!(ints32, i32, Int32);

    fn message(&self, name: &str) -> Message {
        let dims: Vec<i64> = self.shape.iter().map(|&n| n as i64).collect();
        let message = Message::new().ints(1, &dims).int(2, self.element as i64);
        message.text(8, name).bytes(9, &self.bytes)
    }
}

/// An attribute of a node.
#[derive(Clone, Debug)]
pub enum Attribute {
    Int(i64),
    Ints(Vec<i64>),
    Float(f32),
    Text(&'static str),
    Texts(Vec<&'static str>),
    Floats(Vec<f32>),
    Tensor(Constant),
}

impl Attribute {
    /// Numbers and types of `AttributeProto`.
    fn message(&self, name: &str) -> Message {
        let message = Message::new().text(1, name);
        match self {
            Attribute::Float(value) => message.float(2, *value).int(20, 1),
            Attribute::Int(value) => message.int(3, *value).int(20, 2),
            Attribute::Text(value) => message.text(4, value).int(20, 3),
            Attribute::Tensor(value) => message.message(5, value.message("")).int(20, 4),
            Attribute::Floats(values) => {
                let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
                message.bytes(7, &bytes).int(20, 6)
            }
            Attribute::Ints(values) => message.ints(8, values).int(20, 7),
            Attribute::Texts(values) => {
                values.iter().fold(message, |message, value| message.text(9, value)).int(20, 8)
            }
        }
    }
}

struct Node {
    operator: &'static str,
    inputs: Vec<String>,
    outputs: Vec<String>,
    attributes: Vec<(&'static str, Attribute)>,
}

/// Nodes in the order in which they compute.
#[derive(Default)]
pub struct Graph {
    nodes: Vec<Node>,
    constants: Vec<(String, Constant)>,
}

impl Graph {
    /// A tensor from outside.
    pub fn input(name: &str) -> Value {
        Value(name.to_owned())
    }

    pub fn constant(&mut self, constant: Constant) -> Value {
        let name = format!("constant_{}", self.constants.len());
        self.constants.push((name.clone(), constant));
        Value(name)
    }

    /// One number of a type.
    pub fn scalar(&mut self, element: Element, value: f64) -> Value {
        self.constant(match element {
            Element::Float => Constant::floats(&[], [value as f32]),
            Element::Double => Constant::doubles(&[], [value]),
            Element::Byte => Constant::bytes(&[], [value as u8]),
            Element::Int32 => Constant::ints32(&[], [value as i32]),
            Element::Int64 => Constant::ints(&[], [value as i64]),
        })
    }

    /// Adds a node of one output.
    pub fn op(&mut self, operator: &'static str, inputs: &[&Value]) -> Value {
        self.op_with(operator, inputs, Vec::new())
    }

    /// As [`Graph::op`], with attributes.
    pub fn op_with(
        &mut self,
        operator: &'static str,
        inputs: &[&Value],
        attributes: Vec<(&'static str, Attribute)>,
    ) -> Value {
        let [value] = self.node(operator, inputs, attributes);
        value
    }

    /// Adds a node of `N` outputs.
    pub fn node<const N: usize>(
        &mut self,
        operator: &'static str,
        inputs: &[&Value],
        attributes: Vec<(&'static str, Attribute)>,
    ) -> [Value; N] {
        let nth = self.nodes.len();
        let outputs: [Value; N] =
            std::array::from_fn(|output| Value(format!("{operator}_{nth}_{output}")));
        self.nodes.push(Node {
            operator,
            inputs: inputs.iter().map(|value| value.0.clone()).collect(),
            outputs: outputs.iter().map(|value| value.0.clone()).collect(),
            attributes,
        });
        outputs
    }

    pub fn cast(&mut self, value: &Value, to: Element) -> Value {
        self.op_with("Cast", &[value], vec![("to", Attribute::Int(to as i64))])
    }

    /// `value operator number`, elementwise.
    pub fn with_number(
        &mut self,
        operator: &'static str,
        value: &Value,
        (element, number): (Element, f64),
    ) -> Value {
        let number = self.scalar(element, number);
        self.op(operator, &[value, &number])
    }

    /// `[n, 1]` sums of rows.
    pub fn sum_rows(&mut self, value: &Value) -> Value {
        let axes = self.constant(Constant::ints(&[1], [1]));
        self.op_with("ReduceSum", &[value, &axes], vec![("keepdims", Attribute::Int(1))])
    }

    /// Position of the largest value of each row, the first of equals, `[n]`.
    pub fn arg_max(&mut self, value: &Value) -> Value {
        let attributes = vec![("axis", Attribute::Int(1)), ("keepdims", Attribute::Int(0))];
        self.op_with("ArgMax", &[value], attributes)
    }

    pub fn softmax(&mut self, value: &Value) -> Value {
        self.op_with("Softmax", &[value], vec![("axis", Attribute::Int(1))])
    }

    /// Columns side by side.
    pub fn columns(&mut self, values: &[&Value]) -> Value {
        self.op_with("Concat", values, vec![("axis", Attribute::Int(1))])
    }

    /// Columns of a matrix by position.
    pub fn take_columns(&mut self, value: &Value, columns: &[usize]) -> Value {
        let idx = Constant::ints(&[columns.len()], columns.iter().map(|&column| column as i64));
        let idx = self.constant(idx);
        self.op_with("Gather", &[value, &idx], vec![("axis", Attribute::Int(1))])
    }

    /// How often each operator occurs.
    pub fn operators(&self) -> BTreeMap<&'static str, usize> {
        let mut counts = BTreeMap::new();
        self.nodes.iter().for_each(|node| *counts.entry(node.operator).or_insert(0) += 1);
        counts
    }

    /// Gives a value the name of an output.
    pub fn output(&mut self, value: &Value, name: &str) {
        self.nodes.push(Node {
            operator: "Identity",
            inputs: vec![value.0.clone()],
            outputs: vec![name.to_owned()],
            attributes: Vec::new(),
        });
    }

    /// The graph as a file.
    ///
    /// # Errors   [`ExportError::TooLarge`]
    pub fn into_file(self, outside: &Outside) -> Result<Vec<u8>, ExportError> {
        let mut graph = Message::new();
        let mut uses_ml = false;
        for node in &self.nodes {
            let mut message = Message::new();
            message = node.inputs.iter().fold(message, |message, name| message.text(1, name));
            message = node.outputs.iter().fold(message, |message, name| message.text(2, name));
            message = message.text(4, node.operator);
            for (name, attribute) in &node.attributes {
                message = message.message(5, attribute.message(name));
            }
            if ML_OPERATORS.contains(&node.operator) {
                uses_ml = true;
                message = message.text(7, "ai.onnx.ml");
            }
            graph = graph.message(1, message);
        }
        graph = graph.text(2, "pipeline");
        let n_bytes = self.constants.iter().map(|(_, constant)| constant.bytes.len()).sum();
        if n_bytes > MAX_BYTES {
            return Err(ExportError::TooLarge { found: n_bytes, limit: MAX_BYTES });
        }
        for (name, constant) in self.constants {
            graph = graph.message(5, constant.message(&name));
        }
        for port in &outside.inputs {
            graph = graph.message(11, port.message());
        }
        for port in &outside.outputs {
            graph = graph.message(12, port.message());
        }
        let opset = |domain, version| Message::new().text(1, domain).int(2, version);
        let mut model = Message::new()
            .int(1, IR_VERSION)
            .text(2, "pipeline")
            .text(3, env!("CARGO_PKG_VERSION"))
            .text(6, &outside.doc)
            .message(7, graph)
            .message(8, opset("", OPSET));
        if uses_ml {
            model = model.message(8, opset("ai.onnx.ml", ML_OPSET));
        }
        for (key, value) in &outside.metadata {
            model = model.message(14, Message::new().text(1, key).text(2, value));
        }
        let bytes = model.into_bytes();
        if bytes.len() > MAX_BYTES {
            return Err(ExportError::TooLarge { found: bytes.len(), limit: MAX_BYTES });
        }
        Ok(bytes)
    }
}

/// What a file says to those who use it.
pub struct Outside {
    pub doc: String,
    pub metadata: Vec<(String, String)>,
    pub inputs: Vec<Port>,
    pub outputs: Vec<Port>,
}

/// An input or output; its first dimension is the number of images.
pub struct Port {
    pub name: &'static str,
    pub element: Element,
    /// The other dimensions.
    pub shape: Vec<usize>,
    pub doc: String,
}

impl Port {
    fn message(&self) -> Message {
        let mut shape = Message::new().message(1, Message::new().text(2, "n"));
        for &n in &self.shape {
            shape = shape.message(1, Message::new().int(1, n as i64));
        }
        let tensor = Message::new().int(1, self.element as i64).message(2, shape);
        let message = Message::new().text(1, self.name);
        message.message(2, Message::new().message(1, tensor)).text(3, &self.doc)
    }
}
