//! A checked pipeline back to TOML, with every parameter that it reads.

use std::fmt::Write;

use serde_json::Value;

use super::Pipeline;

impl Pipeline {
    /// The resolved pipeline: overrides applied, defaults written out. Parsing it gives an equal
    /// pipeline, also after defaults change.
    pub fn to_toml(&self) -> String {
        let mut out = String::new();
        line(&mut out, "name", &quoted(&self.name));
        line(&mut out, "title", &quoted(&self.title));
        if let Some(description) = &self.description {
            line(&mut out, "description", &quoted(description));
        }
        line(&mut out, "seed", &self.seed.to_string());
        for stage in &self.stages {
            let _ = match stage.own_seed() {
                Some(_) => writeln!(out, "\n[stage.{}]", quoted(&stage.id)),
                None => writeln!(out, "\n[stage.{}]", stage.id),
            };
            line(&mut out, "kind", &quoted(stage.kind.name));
            if let Some(title) = &stage.title {
                line(&mut out, "title", &quoted(title));
            }
            if let Some(reported) = stage.reported {
                line(&mut out, "reported", &toml::Value::from(reported).to_string());
            }
            if let Some(cell) = &stage.cell {
                let (row, column) = (quoted(&cell.row), quoted(&cell.column));
                line(&mut out, "cell", &format!("{{ row = {row}, column = {column} }}"));
            }
            if !stage.inputs.is_empty() {
                let inputs: Vec<String> = stage
                    .inputs
                    .iter()
                    .map(|(name, ids)| {
                        let many =
                            stage.kind.inputs.iter().any(|spec| spec.name == name && spec.many);
                        let ids: Vec<String> = ids.iter().map(|id| quoted(id)).collect();
                        let ids = ids.join(", ");
                        if many { format!("{name} = [{ids}]") } else { format!("{name} = {ids}") }
                    })
                    .collect();
                line(&mut out, "inputs", &format!("{{ {} }}", inputs.join(", ")));
            }
            for (name, value) in &stage.params {
                line(&mut out, name, &toml_value(value));
            }
        }
        out
    }
}

fn line(out: &mut String, key: &str, value: &str) {
    let _ = writeln!(out, "{key} = {value}");
}

fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}

/// A parameter; JSON and TOML write booleans and numbers alike.
fn toml_value(value: &Value) -> String {
    match value {
        Value::String(text) => quoted(text),
        Value::Array(items) => {
            format!("[{}]", items.iter().map(toml_value).collect::<Vec<_>>().join(", "))
        }
        Value::Object(members) if members.is_empty() => "{}".to_owned(),
        Value::Object(members) => {
            let members =
                members.iter().map(|(key, value)| format!("{key} = {}", toml_value(value)));
            format!("{{ {} }}", members.collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}
