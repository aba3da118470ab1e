//! Parameters of `cnn`: one line each, defaults as PyTorch's where it has one.

use crate::nn::Architecture;
use crate::stage::architecture::check;
use crate::stage::{Accepts, Condition, Field, TRANSFORMS};

/// In the order of the docs: what is trained, how long, by which rule and rate, what is kept.
pub const FIELDS: &[Field] = &[
    field(
        "architecture",
        "layers, by the name of a published network or in a file of your own, `NAME.toml`",
        Accepts::NameOrFile { names: Architecture::names, check },
        None,
    ),
    field("epochs", "passes over the training images", count(1), Some("10")),
    field(
        "batch_size",
        "images per optimiser step",
        Accepts::Integer { min: 1, max: 65_536 },
        Some("128"),
    ),
    field(
        "optimizer",
        "update rule, as PyTorch defines it",
        Accepts::Choice(&["adam", "adamw", "sgd"]),
        Some("\"adam\""),
    ),
    field(
        "learning_rate",
        "step size, the greatest of a schedule",
        above_zero(10.0),
        Some("0.001"),
    ),
    read_if("optimizer", &["sgd"], field("momentum", "momentum", share(), Some("0.9"))),
    read_if(
        "optimizer",
        &["sgd"],
        field("nesterov", "momentum in Nesterov's form", Accepts::Boolean, Some("false")),
    ),
    read_if(
        "optimizer",
        &["adam", "adamw"],
        field("beta1", "decay of the mean of the gradients", share(), Some("0.9")),
    ),
    read_if(
        "optimizer",
        &["adam", "adamw"],
        field("beta2", "decay of the mean of their squares", share(), Some("0.999")),
    ),
    field(
        "weight_decay",
        "L2 penalty (`adam`, `sgd`) or decoupled decay (`adamw`)",
        from_zero(1.0),
        Some("0.0"),
    ),
    field(
        "decay_bias_and_norm",
        "decay biases and batch normalisation too, as PyTorch does",
        Accepts::Boolean,
        Some("true"),
    ),
    field(
        "schedule",
        "how the step size changes, as PyTorch's schedulers change it",
        Accepts::Choice(&["constant", "step", "cosine", "one_cycle", "plateau"]),
        Some("\"constant\""),
    ),
    read_if(
        "schedule",
        &["step"],
        field("step_epochs", "epochs between two drops of the step size", count(1), Some("10")),
    ),
    read_if(
        "schedule",
        &["step"],
        field("step_factor", "what a drop multiplies by", above_zero(1.0), Some("0.1")),
    ),
    read_if(
        "schedule",
        &["cosine"],
        field("final_learning_rate", "step size at the end", from_zero(10.0), Some("0.0")),
    ),
    read_if(
        "schedule",
        &["one_cycle"],
        field("pct_start", "share of the steps that go up", above_zero(MOST_SHARE), Some("0.3")),
    ),
    read_if(
        "schedule",
        &["one_cycle"],
        field("div_factor", "`learning_rate` over the first step size", divisor(), Some("25.0")),
    ),
    read_if(
        "schedule",
        &["one_cycle"],
        field("final_div_factor", "first step size over the last", divisor(), Some("10000.0")),
    ),
    read_if(
        "schedule",
        &["plateau"],
        field("plateau_factor", "what a drop multiplies by", above_zero(MOST_SHARE), Some("0.1")),
    ),
    read_if(
        "schedule",
        &["plateau"],
        field(
            "plateau_patience",
            "epochs without a better validation loss that cause no drop",
            count(0),
            Some("10"),
        ),
    ),
    read_if(
        "schedule",
        &["plateau"],
        field("min_learning_rate", "least step size", from_zero(10.0), Some("0.0")),
    ),
    field(
        "warmup_epochs",
        "epochs over which the step size first grows linearly",
        count(0),
        Some("0"),
    ),
    field(
        "label_smoothing",
        "share of a label spread over all classes, while training",
        share(),
        Some("0.0"),
    ),
    field(
        "clip_norm",
        "greatest norm of all gradients together; 0 any",
        from_zero(1e9),
        Some("0.0"),
    ),
    field(
        "ema_decay",
        "decay of the moving average of the weights that is judged and kept; 0 none",
        share(),
        Some("0.0"),
    ),
    field(
        "early_stopping",
        "epochs without a better validation loss after which training ends; 0 never",
        count(0),
        Some("0"),
    ),
    field(
        "keep",
        "epoch whose weights are kept; the last one without validation images",
        Accepts::Choice(&["best_loss", "best_accuracy", "last"]),
        Some("\"best_loss\""),
    ),
    field(
        "initialisation",
        "first weights: uniform as PyTorch's layers, or Glorot's uniform and no bias, as Keras's",
        Accepts::Choice(&["pytorch", "glorot"]),
        Some("\"pytorch\""),
    ),
    field(
        "freeze",
        "layers that do not learn, such as those that `init_from` gave",
        Accepts::WordOrTexts { words: &["none", "all_but_last"] },
        Some("\"none\""),
    ),
    field(
        "augment",
        "changes that training images go through anew in every epoch",
        Accepts::Table(TRANSFORMS),
        Some("{}"),
    ),
    field(
        "engine",
        "who computes: our kernels, candle on the CPU, or on a GPU (a build with `cuda`)",
        Accepts::Choice(&["native", "candle", "candle_cuda"]),
        Some("\"native\""),
    ),
    read_if(
        "engine",
        &["native"],
        field(
            "precision",
            "what convolutions multiply: f32 numbers, or bf16 numbers added up in f32",
            Accepts::Choice(&["f32", "bf16"]),
            Some("\"f32\""),
        ),
    ),
];

const MOST_SHARE: f64 = 0.999_999;

const fn field(
    name: &'static str,
    doc: &'static str,
    accepts: Accepts,
    default: Option<&'static str>,
) -> Field {
    Field { name, doc, accepts, default, read_if: None }
}

const fn read_if(other: &'static str, is_one_of: &'static [&'static str], field: Field) -> Field {
    Field { read_if: Some(Condition { field: other, is_one_of }), ..field }
}

const fn count(min: i64) -> Accepts {
    Accepts::Integer { min, max: 100_000 }
}

const fn share() -> Accepts {
    from_zero(MOST_SHARE)
}

const fn from_zero(max: f64) -> Accepts {
    Accepts::Number { min: 0.0, max, above_min: false }
}

const fn above_zero(max: f64) -> Accepts {
    Accepts::Number { min: 0.0, max, above_min: true }
}

const fn divisor() -> Accepts {
    Accepts::Number { min: 1.0, max: 1e9, above_min: false }
}
