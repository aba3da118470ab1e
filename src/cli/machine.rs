//! What machine a run was made on.

use serde_json::{Map, Value, json};

/// CPU, instruction sets, cores, memory, operating system, program version and the command, for
/// provenance.
pub fn describe(command: &str) -> Map<String, Value> {
    let n_cores = std::thread::available_parallelism().map_or(1, usize::from);
    let mut machine = Map::new();
    machine.insert("cpu".into(), json!(linux_field("/proc/cpuinfo", "model name")));
    machine.insert("instruction_sets".into(), json!(crate::kernels::instruction_sets()));
    machine.insert("cores".into(), json!(n_cores));
    let memory = linux_field("/proc/meminfo", "MemTotal")
        .and_then(|text| text.split_whitespace().next()?.parse::<u64>().ok());
    machine.insert("memory_bytes".into(), json!(memory.map(|kib| kib * 1024)));
    machine.insert("os".into(), json!(std::env::consts::OS));
    machine.insert("arch".into(), json!(std::env::consts::ARCH));
    machine.insert("version".into(), json!(env!("CARGO_PKG_VERSION")));
    machine.insert("command".into(), json!(command));
    machine
}

/// The value behind the first `key : value` line, where the system has such a file.
fn linux_field(path: &str, key: &str) -> Option<String> {
    let text = std::fs::read_to_string(path).ok()?;
    let line = text.lines().find(|line| line.starts_with(key))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}
