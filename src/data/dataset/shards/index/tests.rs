//! Tests of the index that several processes, which are threads here, share.

use super::super::shard::{Label, LabelSource, Names, Record};
use super::*;
use crate::distributed::threads::in_processes;
use crate::error::one_line;
use anyhow::bail;
use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

const NAMES: [&str; 3] = ["a.tar", "b.tar", "c.tar"];

/// Writes three shards of different sizes into a folder, all of one time.
fn write_shards(folder: &Path, time: u64) {
    fs::create_dir_all(folder).unwrap();
    for (number, name) in NAMES.iter().enumerate() {
        let path = folder.join(name);
        fs::write(&path, vec![0; 10 + number]).unwrap();
        let file = fs::File::options().write(true).open(&path).unwrap();
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000 + time);
        file.set_modified(time).unwrap();
    }
}

/// Returns an index of a shard, with an image whose place tells the shard.
fn scanned(path: &Path, stamp: Stamp) -> Shard {
    let record = Record {
        offset: stamp.size,
        length: 1,
        label: 0,
    };
    Shard {
        records: vec![record],
        names: Names::default(),
        labels: vec![Label::Number(0)],
        ..Shard::new(path, stamp, LabelSource::Cls)
    }
}

/// Indexes the shards of the folder of each process in `folders`, and saves the index at `place`. Returns the number of notes of each
/// process, and of the files that each scanned.
fn indexed(folders: &[PathBuf], place: impl Fn(&Path) -> PathBuf + Sync) -> [Vec<usize>; 2] {
    let all = in_processes(folders.len(), |processes| {
        let folder = &folders[processes.rank()];
        let files: Vec<PathBuf> = NAMES.iter().map(|name| folder.join(name)).collect();
        let mut index = Index::new(&files, vec![place(folder)]).unwrap();
        index.load();
        let scans = AtomicUsize::new(0);
        let scan = |path: &Path, stamp: Stamp| {
            scans.fetch_add(1, Ordering::Relaxed);
            Ok(scanned(path, stamp))
        };
        let mut notes = Vec::new();
        index.complete_shared(&scan, processes, &mut notes).unwrap();
        let expected = files
            .iter()
            .map(|path| scanned(path, Stamp::of(path).unwrap()));
        assert_eq!(index.into_shards(), expected.collect::<Vec<_>>());
        [notes.len(), scans.into_inner()]
    });
    let all = all.unwrap();
    [0, 1].map(|number| all.iter().map(|counts| counts[number]).collect())
}

/// Returns the place of an index beside its shards.
fn beside(folder: &Path) -> PathBuf {
    folder.join("index")
}

#[test]
fn the_first_process_indexes_shards_that_all_see_and_only_once() {
    let folder = tempfile::tempdir().unwrap();
    write_shards(folder.path(), 0);
    let common = vec![folder.path().to_owned(); 3];
    assert_eq!(indexed(&common, beside), [vec![0; 3], vec![3, 0, 0]]);
    assert_eq!(
        load(&beside(folder.path())).map(|shards| shards.len()),
        Some(3)
    );
    assert_eq!(indexed(&common, beside), [vec![0; 3], vec![0; 3]]);
    // A shard has changed.
    fs::write(folder.path().join("b.tar"), "changed").unwrap();
    assert_eq!(indexed(&common, beside), [vec![0; 3], vec![1, 0, 0]]);
    // It cannot be saved: the first process alone says so.
    fs::remove_file(beside(folder.path())).unwrap();
    fs::create_dir(beside(folder.path())).unwrap();
    assert_eq!(indexed(&common, beside), [vec![1, 0, 0], vec![3, 0, 0]]);
}

#[test]
fn copies_with_the_same_times_take_the_index_of_the_first_process() {
    let root = tempfile::tempdir().unwrap();
    let folders: Vec<PathBuf> = ["0", "1"]
        .iter()
        .map(|name| root.path().join(name))
        .collect();
    for folder in &folders {
        write_shards(folder, 0);
    }
    assert_eq!(indexed(&folders, beside), [vec![0; 2], vec![3, 0]]);
    assert!(!beside(&folders[1]).exists());
}

#[test]
fn copies_with_other_times_are_indexed_once() {
    let root = tempfile::tempdir().unwrap();
    let folders: Vec<PathBuf> = ["0", "1", "1", "2"]
        .iter()
        .map(|name| root.path().join(name))
        .collect();
    for (time, folder) in [&folders[0], &folders[1], &folders[3]]
        .into_iter()
        .enumerate()
    {
        write_shards(folder, time as u64);
    }
    // The last one is on the same machine as those before, but sees its own files.
    let scans = indexed(&folders, beside);
    assert_eq!(scans, [vec![0; 4], vec![3, 3, 0, 3]]);
    assert_eq!(indexed(&folders, beside)[1], [0; 4]);
    // Only some processes lack an index.
    fs::remove_file(beside(&folders[1])).unwrap();
    assert_eq!(indexed(&folders, beside)[1], [0, 3, 0, 0]);
}

#[test]
fn a_torn_shard_is_the_same_error_in_all_processes() {
    let folder = tempfile::tempdir().unwrap();
    write_shards(folder.path(), 0);
    let files: Vec<PathBuf> = NAMES.iter().map(|name| folder.path().join(name)).collect();
    let errors = in_processes(3, |processes| {
        let mut index = Index::new(&files, vec![beside(folder.path())]).unwrap();
        let scan = |path: &Path, stamp: Stamp| match stamp.size {
            10 => Ok(scanned(path, stamp)),
            size => bail!("the shard of {size} bytes is torn"),
        };
        let done = index.complete_shared(&scan, processes, &mut Vec::new());
        one_line(&done.unwrap_err())
    });
    assert_eq!(errors.unwrap(), ["the shard of 11 bytes is torn"; 3]);
    assert!(!beside(folder.path()).exists());
}
