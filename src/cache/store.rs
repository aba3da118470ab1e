//! The directory of artifacts and records.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::error::{CacheError, at};
use super::key::{Provenance, is_digest};
use super::lock::{self, KeyLock};
use super::record::{Cost, LastRun, Record};
use crate::stage::PastRun;

/// Raised when the layout changes; other versions live beside it, untouched.
const LAYOUT: &str = "v2";

/// Temporary files without a lock that are older than this were left by a killed process.
const STALE: Duration = Duration::from_secs(3600);

/// Bytes read between two updates of a digest; big enough for all threads to share.
const HASH_CHUNK: usize = 4 << 20;

/// A cache directory.
#[derive(Clone, Debug)]
pub struct Store {
    root: PathBuf,
}

/// What the cache knows of a key.
#[derive(Clone, Debug, PartialEq)]
pub enum Lookup {
    /// A record whose object is there, with the right size (its digest is checked when read).
    Hit(Box<Record>),
    /// Nothing.
    Miss,
    /// A record that cannot be used, and why.
    Damaged(String),
}

impl Store {
    /// Opens or creates the cache in `dir` and removes what killed processes left in `tmp/`.
    ///
    /// # Errors
    /// If the directory cannot be created or written.
    pub fn open(dir: &Path) -> Result<Store, CacheError> {
        let store = Store { root: dir.join(LAYOUT) };
        for room in ["objects", "keys", "last", "bench", "locks", "scratch", "tmp"] {
            let path = store.root.join(room);
            fs::create_dir_all(&path).map_err(at("create", &path))?;
        }
        store.mark()?;
        store.sweep();
        Ok(store)
    }

    /// The versioned directory that holds everything.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Looks a key up; reads one small file and the size of another.
    pub fn lookup(&self, key: &str) -> Lookup {
        let path = self.record_path(key);
        let record: Record = match read_json(&path) {
            Ok(Some(record)) => record,
            Ok(None) => return Lookup::Miss,
            Err(why) => return Lookup::Damaged(format!("its record is unreadable: {why}")),
        };
        if record.key != key || !is_digest(&record.digest) {
            return Lookup::Damaged("its record does not belong to its key".to_owned());
        }
        match fs::metadata(self.object_path(&record.digest)) {
            Ok(found) if found.len() == record.bytes => Lookup::Hit(Box::new(record)),
            Ok(found) => {
                let found = found.len();
                Lookup::Damaged(format!("it has {found} bytes, its record says {}", record.bytes))
            }
            Err(_) => Lookup::Damaged("its object is gone".to_owned()),
        }
    }

    /// Waits for the right to make the artifact of `key`; `keep_waiting` is asked several times a
    /// second while another process has it.
    ///
    /// # Errors
    /// [`CacheError::Interrupted`] once `keep_waiting` says no; else what the system refused.
    pub fn lock(
        &self,
        key: &str,
        keep_waiting: &mut dyn FnMut() -> bool,
    ) -> Result<KeyLock, CacheError> {
        lock::acquire(&self.root.join("locks").join(key), key, keep_waiting)
    }

    /// Stores what `write` writes to the path it is given, then its record. `reusable` false keeps
    /// the object and makes `key` a miss.
    ///
    /// # Errors
    /// If writing fails; then nothing is left behind.
    pub fn put(
        &self,
        lock: &KeyLock,
        provenance: Provenance,
        cost: Cost,
        reusable: bool,
        write: impl FnOnce(&Path) -> io::Result<()>,
    ) -> Result<Record, CacheError> {
        let key = lock.key();
        let tmp = self.temporary(key);
        write(&tmp.0).map_err(at("write", &tmp.0))?;
        let (digest, bytes) = digest_and_sync(&tmp.0).map_err(at("write", &tmp.0))?;
        let object = self.object_path(&digest);
        // Also over an object of the same name: it is the same, or damaged and now whole.
        tmp.rename_to(&object)?;
        let record = Record {
            key: key.to_owned(),
            provenance,
            digest,
            bytes,
            cost,
            created: jiff::Timestamp::now().to_string(),
        };
        if reusable {
            self.write_json(&self.record_path(key), key, &record)?;
        } else {
            self.forget(key);
        }
        Ok(record)
    }

    /// The path of an object whose bytes were just checked against its digest.
    ///
    /// # Errors
    /// What is wrong with it; the object is removed, so every key that names it is a miss.
    pub fn verified(&self, digest: &str) -> Result<PathBuf, String> {
        // The digest may come from a file of the user; a damaged object is removed.
        if !is_digest(digest) {
            return Err(format!("`{digest}` is no digest"));
        }
        let path = self.object_path(digest);
        match File::open(&path).and_then(|mut file| digest_of(&mut file)) {
            Ok((found, _)) if found == digest => Ok(path),
            Ok(_) => {
                self.discard(digest);
                Err("its bytes do not match its digest".to_owned())
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err("its object is gone".to_owned())
            }
            Err(error) => {
                self.discard(digest);
                Err(format!("it cannot be read: {error}"))
            }
        }
    }

    /// Removes an object that turned out to be unusable.
    pub fn discard(&self, digest: &str) {
        // It may be gone already; if it stays, the digest check refuses it again.
        let _ = fs::remove_file(self.object_path(digest));
    }

    /// Makes a key a miss; its object stays, others may share it.
    pub fn forget(&self, key: &str) {
        let _ = fs::remove_file(self.record_path(key));
    }

    /// The directory for checkpoints of a locked key, created if needed, with what an interrupted
    /// run left there.
    ///
    /// # Errors
    /// If it cannot be created.
    pub fn scratch(&self, lock: &KeyLock) -> Result<PathBuf, CacheError> {
        let path = self.scratch_path(lock.key());
        fs::create_dir_all(&path).map_err(at("create", &path))?;
        Ok(path)
    }

    /// Removes the checkpoints of a locked key.
    pub fn remove_scratch(&self, lock: &KeyLock) {
        let _ = fs::remove_dir_all(self.scratch_path(lock.key()));
    }

    /// What a stage was when it was last resolved; `None` if never, or if that is unreadable.
    pub fn last_run(&self, pipeline: &str, stage: &str) -> Option<LastRun> {
        read_json(&self.last_path(pipeline, stage)).ok().flatten()
    }

    /// Remembers what a stage is now; writes only if that is new.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn set_last_run(
        &self,
        pipeline: &str,
        stage: &str,
        last: &LastRun,
    ) -> Result<(), CacheError> {
        if self.last_run(pipeline, stage).as_ref() == Some(last) {
            return Ok(());
        }
        let path = self.last_path(pipeline, stage);
        if let Some(dir) = path.parent() {
            fs::create_dir_all(dir).map_err(at("create", dir))?;
        }
        self.write_json(&path, "last", last)
    }

    /// Every run that is remembered: of stages, and of the newest bench of each learner; newest
    /// first. What is unreadable or was recorded without its threads is passed by.
    pub fn past_runs(&self) -> Vec<PastRun> {
        let files = |room: &str| {
            let entries = fs::read_dir(self.root.join(room)).into_iter().flatten();
            entries.flatten().map(|entry| entry.path())
        };
        let records = files("keys").filter_map(|path| read_json::<Record>(&path).ok().flatten());
        let benches =
            files("bench").filter_map(|path| read_json::<Vec<PastRun>>(&path).ok().flatten());
        let mut runs: Vec<PastRun> =
            records.map(Record::past_run).chain(benches.flatten()).collect();
        runs.retain(|run| run.n_threads > 0);
        // Directories are listed in no order: equal times fall back on what was run.
        runs.sort_by_cached_key(|run| {
            std::cmp::Reverse((run.created.clone(), run.kind.clone(), run.seconds.to_bits()))
        });
        runs
    }

    /// Remembers what a bench of `learner` measured in place of an earlier one.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn set_bench(&self, learner: &str, runs: &[PastRun]) -> Result<(), CacheError> {
        self.write_json(&self.root.join("bench").join(format!("{learner}.json")), "bench", &runs)
    }

    /// Where an object lies.
    pub fn object_path(&self, digest: &str) -> PathBuf {
        self.root.join("objects").join(digest)
    }

    fn record_path(&self, key: &str) -> PathBuf {
        self.root.join("keys").join(format!("{key}.json"))
    }

    fn last_path(&self, pipeline: &str, stage: &str) -> PathBuf {
        self.root.join("last").join(pipeline).join(format!("{stage}.json"))
    }

    fn scratch_path(&self, key: &str) -> PathBuf {
        self.root.join("scratch").join(key)
    }

    /// A new name in `tmp/`, on the same file system as everything else.
    fn temporary(&self, key: &str) -> Temporary {
        static N_MADE: AtomicU64 = AtomicU64::new(0);
        let n_made = N_MADE.fetch_add(1, Ordering::Relaxed);
        let nanos = jiff::Timestamp::now().as_nanosecond();
        let name = format!("{key}.{}.{nanos}.{n_made}", std::process::id());
        Temporary(self.root.join("tmp").join(name))
    }

    fn write_json(&self, path: &Path, key: &str, value: &impl Serialize) -> Result<(), CacheError> {
        let tmp = self.temporary(key);
        let write = || -> io::Result<()> {
            let mut file = File::create(&tmp.0)?;
            file.write_all(&serde_json::to_vec_pretty(value)?)?;
            file.sync_all()
        };
        write().map_err(at("write", &tmp.0))?;
        tmp.rename_to(path)
    }

    /// Tells version control and backups to pass the cache by, and finds out whether it can be
    /// written at all.
    fn mark(&self) -> Result<(), CacheError> {
        let files = [
            (".gitignore", "*\n"),
            ("CACHEDIR.TAG", "Signature: 8a477f597d28d172789f06886806bc55\n"),
        ];
        for (name, text) in files {
            let path = self.root.join(name);
            if !path.exists() {
                fs::write(&path, text).map_err(at("write", &path))?;
            }
        }
        let probe = self.temporary("probe");
        fs::write(&probe.0, "").map_err(at("write", &probe.0))
    }

    /// Removes temporary files whose key nobody holds.
    fn sweep(&self) {
        let Ok(entries) = fs::read_dir(self.root.join("tmp")) else { return };
        for entry in entries.flatten() {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            let key = name.split('.').next().unwrap_or_default();
            if is_digest(key) {
                let lock = self.root.join("locks").join(key);
                if let Some(_held) = lock::try_acquire(&lock, key) {
                    let _ = fs::remove_file(entry.path());
                }
            } else {
                let age = entry.metadata().and_then(|m| m.modified()).map(|at| at.elapsed());
                if matches!(age, Ok(Ok(age)) if age > STALE) {
                    let _ = fs::remove_file(entry.path());
                }
            }
        }
    }
}

/// A file in `tmp/`, removed unless it was renamed.
struct Temporary(PathBuf);

impl Temporary {
    fn rename_to(self, path: &Path) -> Result<(), CacheError> {
        fs::rename(&self.0, path).map_err(at("create", path))?;
        // A rename lasts only once its directory is on disk; not every system can be asked.
        if let Some(Ok(dir)) = path.parent().map(File::open) {
            let _ = dir.sync_all();
        }
        Ok(())
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// Hashes a file just written and makes sure that it is on disk.
fn digest_and_sync(path: &Path) -> io::Result<(String, u64)> {
    let mut file = File::options().read(true).write(true).open(path)?;
    let digest = digest_of(&mut file)?;
    file.sync_all()?;
    Ok(digest)
}

/// BLAKE3 digest and size; all threads share the work on big files.
fn digest_of(file: &mut File) -> io::Result<(String, u64)> {
    let n_bytes = file.metadata()?.len();
    let mut hasher = blake3::Hasher::new();
    let mut chunk =
        vec![0u8; HASH_CHUNK.min(usize::try_from(n_bytes).unwrap_or(HASH_CHUNK).max(1))];
    loop {
        let mut n_filled = 0;
        while n_filled < chunk.len() {
            match file.read(&mut chunk[n_filled..])? {
                0 => break,
                n_read => n_filled += n_read,
            }
        }
        if n_filled == 0 {
            return Ok((hasher.finalize().to_hex().to_string(), hasher.count()));
        }
        hasher.update_rayon(&chunk[..n_filled]);
    }
}

/// The JSON document in a file; `None` if there is no file.
fn read_json<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, String> {
    match fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(|error| error.to_string()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.to_string()),
    }
}
