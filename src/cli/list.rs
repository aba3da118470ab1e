//! `pipeline list`: shipped pipelines and stage kinds.

use std::io::Write;

use serde_json::json;

use crate::config::{Overrides, Pipeline, shipped};
use crate::stage::{Accepts, Field, KINDS, Kind};

/// Arguments of `list`.
#[derive(clap::Args)]
#[command(after_help = "Example:\n  pipeline list --json")]
pub struct Args {
    /// Print one JSON document.
    #[arg(long)]
    json: bool,
}

/// Prints the shipped pipelines, and the kinds of stages with their parameters.
pub fn run(args: Args) -> anyhow::Result<()> {
    let mut pipelines = Vec::new();
    for name in shipped::names() {
        let text = shipped::text(name).unwrap_or_default();
        pipelines.push(Pipeline::parse(text, name, KINDS, &Overrides::default())?);
    }
    let mut out = std::io::stdout().lock();
    if args.json {
        let document = json!({
            "pipelines": pipelines.iter().map(|pipeline| json!({
                "name": pipeline.name,
                "title": pipeline.title,
                "stages": pipeline.stages.iter().map(|stage| &stage.id).collect::<Vec<_>>(),
            })).collect::<Vec<_>>(),
            "kinds": KINDS.iter().map(|kind| kind_json(kind)).collect::<Vec<_>>(),
        });
        writeln!(out, "{}", serde_json::to_string_pretty(&document)?)?;
        return Ok(());
    }
    writeln!(out, "Pipelines")?;
    for pipeline in &pipelines {
        writeln!(
            out,
            "  {:12} {}, {} stages",
            pipeline.name,
            pipeline.title,
            pipeline.stages.len()
        )?;
    }
    writeln!(out, "\nKinds of stages")?;
    for kind in KINDS {
        writeln!(out, "  {:12} {}", kind.name, kind.doc)?;
        for field in kind.fields {
            let default = field.default.unwrap_or("required");
            writeln!(out, "    {:16} {} [{default}]", field.name, field.doc)?;
            if let Accepts::Table(fields) = field.accepts {
                for field in fields {
                    writeln!(out, "      {:14} {}", field.name, field.doc)?;
                }
            }
        }
    }
    Ok(())
}

fn kind_json(kind: &Kind) -> serde_json::Value {
    json!({
        "name": kind.name,
        "doc": kind.doc,
        "inputs": kind.inputs.iter().map(|input| json!({
            "name": input.name, "accepts": input.accepts, "many": input.many,
            "required": input.required, "doc": input.doc,
        })).collect::<Vec<_>>(),
        "parameters": kind.fields.iter().map(|field| field_json(kind, field)).collect::<Vec<_>>(),
        "produces": kind.produces,
    })
}

fn field_json(kind: &Kind, field: &Field) -> serde_json::Value {
    let accepts = match &field.accepts {
        Accepts::Boolean => json!("boolean"),
        Accepts::Integer { min, max } => json!({ "integer": [min, max] }),
        Accepts::IntegerList { min, max, .. } => json!({ "integer_list": [min, max] }),
        Accepts::Number { min, max, above_min } => {
            json!({ "number": [min, max], "excludes_min": above_min })
        }
        Accepts::WordOrNumber { words, above } => json!({ "words": words, "number_above": above }),
        Accepts::WordOrInteger { words, min } => json!({ "words": words, "integer_from": min }),
        Accepts::WordOrSize { words, max } => json!({ "words": words, "height_width": [1, max] }),
        Accepts::WordOrTexts { words } => json!({ "words": words, "list": "text" }),
        Accepts::Choice(words) => json!({ "words": words }),
        Accepts::ChoiceOf(words) => json!({ "words": words() }),
        Accepts::NameOrFile { names, .. } => json!({ "words": names(), "file": "toml" }),
        Accepts::Text => json!("text"),
        Accepts::Table(fields) => json!({
            "table": fields.iter().map(|field| field_json(kind, field)).collect::<Vec<_>>()
        }),
        Accepts::Grid { .. } => json!("grid"),
        Accepts::Fixed { .. } => json!("parameters"),
    };
    json!({
        "name": field.name,
        "doc": field.doc,
        "accepts": accepts,
        "default": field.default_value(),
        "cost_only": kind.cost_only.contains(&field.name),
    })
}
