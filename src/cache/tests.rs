//! The store under damage, kills, races and unusable directories.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::*;

fn provenance(params: Value) -> Provenance {
    let params: Map<String, Value> = serde_json::from_value(params).unwrap();
    Provenance {
        kind: "svm".to_owned(),
        version: 1,
        seed: None,
        params,
        inputs: vec![
            input("data", false, &[("data", "d0")]),
            input("models", true, &[("a1", "d1"), ("a3", "d2")]),
        ],
    }
}

fn input(name: &str, many: bool, stages: &[(&str, &str)]) -> InputProvenance {
    let stages = stages.iter().map(|(id, digest)| ((*id).to_owned(), (*digest).to_owned()));
    InputProvenance { input: name.to_owned(), many, stages: stages.collect() }
}

fn open() -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    (dir, store)
}

/// Stores `bytes` for the key of `params`.
fn put(store: &Store, params: Value, bytes: &[u8]) -> Record {
    let provenance = provenance(params);
    let lock = store.lock(&provenance.key(), &mut || panic!("nobody holds it")).unwrap();
    store.put(&lock, provenance, Cost::default(), true, |path| fs::write(path, bytes)).unwrap()
}

fn files_in(dir: PathBuf) -> Vec<PathBuf> {
    fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn keys_ignore_the_order_of_parameters_and_inputs() {
    let one = provenance(json!({"c": 1.0, "kernel": "rbf"}));
    let mut other = provenance(json!({"kernel": "rbf", "c": 1.0}));
    other.inputs.reverse();
    assert_eq!(one.key(), other.key());
}

#[test]
fn keys_ignore_the_names_of_single_inputs_and_keep_those_of_lists() {
    let one = provenance(json!({}));
    let mut renamed = one.clone();
    renamed.inputs[0].stages[0].0 = "images".to_owned();
    assert_eq!(one.key(), renamed.key());
    renamed.inputs[1].stages[0].0 = "network".to_owned();
    assert_ne!(one.key(), renamed.key());
    let mut swapped = one.clone();
    swapped.inputs[1].stages.reverse();
    assert_ne!(one.key(), swapped.key());
}

#[test]
fn keys_tell_everything_else_apart() {
    let base = provenance(json!({"c": 1.0}));
    let mut others = vec![provenance(json!({"c": 2.0})), provenance(json!({"c": "1.0"}))];
    let change = |change: fn(&mut Provenance)| {
        let mut changed = base.clone();
        change(&mut changed);
        changed
    };
    others.push(change(|p| p.kind = "knn".to_owned()));
    others.push(change(|p| p.version = 2));
    others.push(change(|p| p.seed = Some(0)));
    others.push(change(|p| p.inputs[0].stages[0].1 = "d9".to_owned()));
    let mut keys: Vec<String> = others.iter().map(Provenance::key).collect();
    keys.push(base.key());
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), others.len() + 1);
}

#[test]
fn what_is_stored_is_found_again() {
    let (_dir, store) = open();
    let record = put(&store, json!({"c": 0.1}), b"artifact");
    assert_eq!(store.lookup(&record.key), Lookup::Hit(Box::new(record.clone())));
    assert_eq!(fs::read(store.verified(&record.digest).unwrap()).unwrap(), b"artifact");
    assert_eq!(store.lookup(&provenance(json!({"c": 0.2})).key()), Lookup::Miss);
    assert!(files_in(store.root().join("tmp")).is_empty());
}

#[test]
fn keys_with_the_same_artifact_share_one_object() {
    let (_dir, store) = open();
    let one = put(&store, json!({"c": 1}), b"same");
    let two = put(&store, json!({"c": 2}), b"same");
    assert_ne!(one.key, two.key);
    assert_eq!(one.digest, two.digest);
    assert_eq!(files_in(store.root().join("objects")).len(), 1);
}

#[test]
fn big_objects_have_the_digest_of_their_bytes() {
    let (_dir, store) = open();
    let bytes: Vec<u8> = (0..9 * 1024 * 1024u32).map(|i| (i % 251) as u8).collect();
    let record = put(&store, json!({}), &bytes);
    assert_eq!(record.digest, blake3::hash(&bytes).to_hex().to_string());
    assert_eq!(record.bytes, bytes.len() as u64);
}

#[test]
fn a_truncated_object_is_noticed_at_lookup() {
    let (_dir, store) = open();
    let record = put(&store, json!({}), b"artifact");
    fs::write(store.object_path(&record.digest), b"arti").unwrap();
    assert!(matches!(store.lookup(&record.key), Lookup::Damaged(_)));
    fs::remove_file(store.object_path(&record.digest)).unwrap();
    assert!(matches!(store.lookup(&record.key), Lookup::Damaged(_)));
}

#[test]
fn a_flipped_bit_is_noticed_when_read_and_then_repaired_by_the_next_put() {
    let (_dir, store) = open();
    let record = put(&store, json!({}), b"artifact");
    fs::write(store.object_path(&record.digest), b"artifacu").unwrap();
    assert!(matches!(store.lookup(&record.key), Lookup::Hit(_)), "sizes agree");
    assert!(store.verified(&record.digest).is_err());
    assert!(matches!(store.lookup(&record.key), Lookup::Damaged(_)));
    put(&store, json!({}), b"artifact");
    assert!(store.verified(&record.digest).is_ok());
}

#[test]
fn damaged_records_are_misses_whatever_they_hold() {
    let (_dir, store) = open();
    let record = put(&store, json!({}), b"artifact");
    let path = store.root().join("keys").join(format!("{}.json", record.key));
    let good = fs::read_to_string(&path).unwrap();
    for bad in [
        String::new(),
        good[..good.len() / 2].to_owned(),
        good.replace(&record.digest, "../../../etc/passwd"),
        good.replace(&record.key, &record.digest),
    ] {
        fs::write(&path, &bad).unwrap();
        assert!(matches!(store.lookup(&record.key), Lookup::Damaged(_)), "{bad}");
    }
}

#[test]
fn an_artifact_that_is_not_reusable_is_kept_and_its_key_is_a_miss() {
    let (_dir, store) = open();
    let first = put(&store, json!({}), b"old");
    let lock = store.lock(&first.key, &mut || false).unwrap();
    let write = |path: &Path| fs::write(path, b"new");
    let record = store.put(&lock, provenance(json!({})), Cost::default(), false, write).unwrap();
    assert_eq!(store.lookup(&record.key), Lookup::Miss);
    assert!(store.verified(&record.digest).is_ok());
}

#[test]
fn a_failed_write_leaves_nothing_behind() {
    let (_dir, store) = open();
    let provenance = provenance(json!({}));
    let lock = store.lock(&provenance.key(), &mut || false).unwrap();
    let result = store.put(&lock, provenance.clone(), Cost::default(), true, |path| {
        fs::write(path, b"half")?;
        Err(std::io::Error::from(std::io::ErrorKind::StorageFull))
    });
    let error = result.unwrap_err();
    assert!(error.hint().unwrap().contains("free some space"), "{error}");
    assert_eq!(store.lookup(&provenance.key()), Lookup::Miss);
    for room in ["tmp", "objects", "keys"] {
        assert!(files_in(store.root().join(room)).is_empty(), "{room}");
    }
}

#[test]
fn opening_removes_leftovers_of_killed_processes_but_not_files_in_use() {
    let (dir, store) = open();
    let (held, killed) = (provenance(json!({"c": 1})).key(), provenance(json!({"c": 2})).key());
    let lock = store.lock(&held, &mut || false).unwrap();
    let in_use = store.root().join("tmp").join(format!("{held}.1.2.3"));
    let left = store.root().join("tmp").join(format!("{killed}.1.2.3"));
    let young = store.root().join("tmp").join("last.1.2.3");
    for path in [&in_use, &left, &young] {
        fs::write(path, b"half").unwrap();
    }
    Store::open(dir.path()).unwrap();
    assert!(in_use.exists() && young.exists() && !left.exists());
    drop(lock);
    Store::open(dir.path()).unwrap();
    assert!(!in_use.exists());
}

#[test]
fn a_held_key_is_waited_for_until_the_waiter_gives_up() {
    let (dir, store) = open();
    let key = provenance(json!({})).key();
    let lock = store.lock(&key, &mut || false).unwrap();
    let other = Store::open(dir.path()).unwrap();
    let mut n_asked = 0;
    let result = other.lock(&key, &mut || {
        n_asked += 1;
        n_asked < 3
    });
    assert!(matches!(result, Err(CacheError::Interrupted)));
    assert_eq!(n_asked, 3);
    drop(lock);
    assert!(other.lock(&key, &mut || false).is_ok());
}

#[test]
fn scratch_lasts_until_it_is_removed() {
    let (_dir, store) = open();
    let key = provenance(json!({})).key();
    let lock = store.lock(&key, &mut || false).unwrap();
    fs::write(store.scratch(&lock).unwrap().join("checkpoint"), b"epoch 3").unwrap();
    assert!(store.scratch(&lock).unwrap().join("checkpoint").exists());
    store.remove_scratch(&lock);
    assert!(files_in(store.scratch(&lock).unwrap()).is_empty());
}

#[test]
fn a_cache_where_a_file_stands_is_refused_with_path_and_hint() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    for place in [file.clone(), file.join("below")] {
        let error = Store::open(&place).unwrap_err();
        assert!(error.to_string().contains(&place.display().to_string()), "{error}");
        assert!(error.hint().unwrap().contains("--cache DIR"), "{error}");
    }
}
