//! One file over HTTP: retried, resumed, checked while it streams, renamed when it is right.
//!
//! The transfer runs on a thread of its own, so that a stalled server never delays Ctrl-C. What
//! arrives goes to a temporary file in the final directory; only a file of the right SHA-256 gets
//! its final name, by an atomic rename.

use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;

use super::DataError;
use crate::progress::Progress;

/// Starts the names of files that are still arriving.
const TEMPORARY_PREFIX: &str = ".download-";

/// How patient a download is.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// Attempts in all, at least 1.
    pub n_attempts: u32,
    /// An attempt ends when nothing arrives for this long.
    pub stall: Duration,
    /// Pause before the second attempt; it doubles each time.
    pub backoff: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Patience {
            n_attempts: 4,
            stall: Duration::from_secs(20),
            backoff: Duration::from_millis(500),
        }
    }
}

/// A file that is known before it is there.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// Address.
    pub url: &'a str,
    /// Size in bytes.
    pub n_bytes: u64,
    /// SHA-256, lower-case hexadecimal.
    pub sha256: &'a str,
}

/// What the transfer thread reports.
enum Event {
    /// The body starts at this byte: 0, or where the last attempt ended.
    Body(u64),
    Chunk(Vec<u8>),
    End,
    Status(u16),
    Failed(String),
}

/// How an attempt ended.
enum Outcome {
    Complete,
    Retry(DataError),
    GiveUp(DataError),
}

/// The bytes so far with their sum.
struct Partial {
    file: NamedTempFile,
    hasher: Sha256,
    n_bytes: u64,
}

/// Downloads into `path`, whose directory must exist.
///
/// `n_before` of `n_total` bytes of a larger whole are done already; they only shape the progress.
pub fn download(
    wanted: &Wanted<'_>,
    path: &Path,
    patience: &Patience,
    (n_before, n_total): (u64, u64),
    progress: &dyn Progress,
) -> Result<(), DataError> {
    let directory = path.parent().unwrap_or(Path::new("."));
    let file = tempfile::Builder::new()
        .prefix(TEMPORARY_PREFIX)
        .tempfile_in(directory)
        .map_err(DataError::io(directory))?;
    let mut partial = Partial { file, hasher: Sha256::new(), n_bytes: 0 };
    let mut attempt = 1;
    loop {
        let mut report = |n_bytes: u64| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            progress.update(n_before + n_bytes, n_total, &name);
        };
        match try_once(wanted, path, patience, &mut partial, &mut report, progress) {
            Outcome::Complete => break,
            Outcome::GiveUp(error) => return Err(error),
            Outcome::Retry(error) if attempt >= patience.n_attempts => {
                return Err(match error {
                    DataError::Download { url, reason, .. } => {
                        DataError::Download { url, n_attempts: attempt, reason }
                    }
                    other => other,
                });
            }
            Outcome::Retry(_) => {
                wait(patience.backoff * 2u32.saturating_pow(attempt - 1), progress)?;
            }
        }
        attempt += 1;
    }
    let io = |source| DataError::Io { path: path.to_owned(), source };
    partial.file.as_file().sync_all().map_err(io)?;
    readable_by_all(partial.file.as_file()).map_err(io)?;
    partial.file.persist(path).map_err(|error| io(error.error))?;
    Ok(())
}

/// Removes what a killed download left in a directory more than a day ago.
///
/// Best effort: a leftover costs space, never correctness.
pub fn remove_leftovers(directory: &Path) {
    let Ok(entries) = std::fs::read_dir(directory) else { return };
    for entry in entries.flatten() {
        let ours = entry.file_name().to_string_lossy().starts_with(TEMPORARY_PREFIX);
        let modified = entry.metadata().and_then(|metadata| metadata.modified()).ok();
        let age = modified.and_then(|modified| modified.elapsed().ok()).unwrap_or_default();
        if ours && age > Duration::from_secs(24 * 3600) {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

/// Temporary files are private; data are not.
fn readable_by_all(file: &std::fs::File) -> std::io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        file.set_permissions(std::fs::Permissions::from_mode(0o644))?;
    }
    #[cfg(not(unix))]
    let _ = file;
    Ok(())
}

fn try_once(
    wanted: &Wanted<'_>,
    path: &Path,
    patience: &Patience,
    partial: &mut Partial,
    report: &mut dyn FnMut(u64),
    progress: &dyn Progress,
) -> Outcome {
    let failed = |reason: String| {
        Outcome::Retry(DataError::Download { url: wanted.url.to_owned(), n_attempts: 1, reason })
    };
    let io = |source| Outcome::GiveUp(DataError::Io { path: path.to_owned(), source });
    let events = start_transfer(wanted.url, partial.n_bytes, patience.stall);
    let mut last_sign = Instant::now();
    loop {
        if progress.interrupted() {
            return Outcome::GiveUp(DataError::Interrupted);
        }
        let event = match events.recv_timeout(Duration::from_millis(50)) {
            Ok(event) => event,
            // The transport has timeouts of its own; this one also covers name look-up and headers
            // that trickle in.
            Err(RecvTimeoutError::Timeout) if last_sign.elapsed() > 2 * patience.stall => {
                return failed(format!("no answer for {:.1} s", last_sign.elapsed().as_secs_f32()));
            }
            Err(RecvTimeoutError::Timeout) => continue,
            Err(RecvTimeoutError::Disconnected) => return failed("the transfer broke off".into()),
        };
        last_sign = Instant::now();
        match event {
            Event::Body(start) if start == partial.n_bytes => {}
            Event::Body(_) => {
                if let Err(error) = partial.restart() {
                    return io(error);
                }
            }
            Event::Chunk(bytes) => {
                if let Err(error) = partial.append(&bytes) {
                    return io(error);
                }
                report(partial.n_bytes);
                if partial.n_bytes > wanted.n_bytes {
                    return mismatch(wanted, path, partial);
                }
            }
            Event::End if partial.n_bytes < wanted.n_bytes => {
                return failed(format!(
                    "it ended after {} of {} bytes",
                    partial.n_bytes, wanted.n_bytes
                ));
            }
            Event::End if hex(partial.hasher.clone()) == wanted.sha256 => return Outcome::Complete,
            Event::End => return mismatch(wanted, path, partial),
            Event::Status(status) => {
                let error = DataError::HttpStatus { url: wanted.url.to_owned(), status };
                // Range not satisfiable: what we hold is not a part of what the server has.
                if status == 416 && partial.restart().is_ok() {
                    return Outcome::Retry(error);
                }
                let passing = status >= 500 || matches!(status, 408 | 425 | 429);
                return if passing { Outcome::Retry(error) } else { Outcome::GiveUp(error) };
            }
            Event::Failed(reason) => return failed(reason),
        }
    }
}

/// Wrong bytes are worth another attempt, from the start.
fn mismatch(wanted: &Wanted<'_>, path: &Path, partial: &mut Partial) -> Outcome {
    let error = DataError::ChecksumMismatch {
        path: path.to_owned(),
        found: hex(partial.hasher.clone()),
        expected: wanted.sha256.to_owned(),
    };
    match partial.restart() {
        Ok(()) => Outcome::Retry(error),
        Err(_) => Outcome::GiveUp(error),
    }
}

impl Partial {
    fn append(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.file.write_all(bytes)?;
        self.hasher.update(bytes);
        self.n_bytes += bytes.len() as u64;
        Ok(())
    }

    fn restart(&mut self) -> std::io::Result<()> {
        self.file.as_file().set_len(0)?;
        self.file.seek(SeekFrom::Start(0))?;
        self.hasher = Sha256::new();
        self.n_bytes = 0;
        Ok(())
    }
}

/// The thread ends by itself soon after the receiver is dropped, at the latest when the server
/// stalls for `stall`.
fn start_transfer(url: &str, start: u64, stall: Duration) -> Receiver<Event> {
    let (sender, receiver) = sync_channel(8);
    let url = url.to_owned();
    std::thread::spawn(move || {
        let last = transfer(&url, start, stall, &sender).unwrap_or_else(Event::Failed);
        // Nobody listens any more if the user interrupted.
        let _ = sender.send(last);
    });
    receiver
}

fn transfer(
    url: &str,
    start: u64,
    stall: Duration,
    events: &SyncSender<Event>,
) -> Result<Event, String> {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .timeout_per_read(Some(stall))
        .timeout_recv_response(Some(stall))
        .timeout_connect(Some(stall))
        .timeout_resolve(Some(stall))
        .http_status_as_error(false)
        .accept_encoding("identity")
        .user_agent(concat!("hybrid-pipeline/", env!("CARGO_PKG_VERSION")))
        .build()
        .into();
    let mut request = agent.get(url);
    if start > 0 {
        request = request.header("range", format!("bytes={start}-"));
    }
    let response = request.call().map_err(|error| error.to_string())?;
    let body_start = match response.status().as_u16() {
        200 => 0,
        206 => {
            let range = response.headers().get("content-range").and_then(|v| v.to_str().ok());
            match range.and_then(range_start) {
                Some(found) if found == start => start,
                _ => return Err(format!("content range {range:?}, expected one from {start}")),
            }
        }
        status => return Ok(Event::Status(status)),
    };
    let stopped = |_| "nobody listens".to_owned();
    events.send(Event::Body(body_start)).map_err(stopped)?;
    let mut body = response.into_body().into_reader();
    loop {
        let mut chunk = vec![0u8; 1 << 16];
        match body.read(&mut chunk) {
            Ok(0) => return Ok(Event::End),
            Ok(n) => {
                chunk.truncate(n);
                events.send(Event::Chunk(chunk)).map_err(stopped)?;
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.to_string()),
        }
    }
}

/// First byte of `bytes 100-199/200`.
fn range_start(value: &str) -> Option<u64> {
    value.strip_prefix("bytes ")?.split('-').next()?.trim().parse().ok()
}

fn wait(pause: Duration, progress: &dyn Progress) -> Result<(), DataError> {
    let end = Instant::now() + pause;
    while let Some(left) = end.checked_duration_since(Instant::now()) {
        if progress.interrupted() {
            return Err(DataError::Interrupted);
        }
        std::thread::sleep(left.min(Duration::from_millis(50)));
    }
    Ok(())
}

/// SHA-256 of a file, lower-case hexadecimal.
pub fn sha256_of(path: &Path) -> Result<String, DataError> {
    let mut file = std::fs::File::open(path).map_err(DataError::io(path))?;
    let mut hasher = Sha256::new();
    let mut chunk = vec![0u8; 1 << 16];
    loop {
        match file.read(&mut chunk) {
            Ok(0) => return Ok(hex(hasher)),
            Ok(n) => hasher.update(&chunk[..n]),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(DataError::io(path)(error)),
        }
    }
}

fn hex(hasher: Sha256) -> String {
    hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sum_of_a_file_is_the_published_one_of_abc() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("abc");
        std::fs::write(&path, "abc").unwrap();
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(sha256_of(&path).unwrap(), expected);
    }

    #[test]
    fn only_a_range_with_a_start_is_understood() {
        assert_eq!(range_start("bytes 100-199/200"), Some(100));
        assert_eq!(range_start("bytes */200"), None);
        assert_eq!(range_start("lines 1-2/3"), None);
    }
}
