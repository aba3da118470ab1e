//! What a piece of work costs: wall time, CPU time, peak memory.

use std::time::Instant;

use cpu_time::ProcessTime;

/// What a piece of work took, all threads of the process counted.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Used {
    /// Wall time, seconds.
    pub seconds: f64,
    /// CPU time of all threads of the process, seconds.
    pub cpu_seconds: f64,
    /// Peak resident memory of the process meanwhile; absent where the system cannot tell.
    pub peak_rss_bytes: Option<u64>,
}

/// Measures from its making to [`Meter::stop`].
pub struct Meter {
    started: Instant,
    cpu_started: Option<ProcessTime>,
    peak_is_ours: bool,
}

impl Meter {
    /// Begins; one at a time: the peak is the process's and is set back here.
    pub fn start() -> Self {
        Meter {
            peak_is_ours: reset_peak_rss(),
            started: Instant::now(),
            cpu_started: ProcessTime::try_now().ok(),
        }
    }

    /// What was used since.
    pub fn stop(&self) -> Used {
        let cpu = self.cpu_started.and_then(|started| started.try_elapsed().ok());
        Used {
            seconds: self.started.elapsed().as_secs_f64(),
            cpu_seconds: cpu.map_or(0.0, |cpu| cpu.as_secs_f64()),
            peak_rss_bytes: self.peak_is_ours.then(|| status_bytes("VmHWM:")).flatten(),
        }
    }
}

/// Memory that the process holds now; absent where the system cannot tell.
pub fn resident_bytes() -> Option<u64> {
    status_bytes("VmRSS:")
}

/// Sets the process's peak to what it holds now; false where that cannot be done (proc(5)).
fn reset_peak_rss() -> bool {
    cfg!(target_os = "linux") && std::fs::write("/proc/self/clear_refs", "5").is_ok()
}

fn status_bytes(key: &str) -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(key))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peak_memory_is_that_of_the_measured_part() {
        if !reset_peak_rss() {
            eprintln!("skipped: this system cannot reset the peak");
            return;
        }
        let n_bytes = 256 << 20;
        let meter = Meter::start();
        // Held until the end: a test beside this one may reset the peak at any time.
        let buffer = std::hint::black_box(vec![1u8; n_bytes]);
        let big = meter.stop().peak_rss_bytes.unwrap();
        drop(buffer);
        assert!(big >= n_bytes as u64, "{big}");
    }
}
