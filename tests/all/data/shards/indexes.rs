//! Tests of the index of shards that cannot be written beside them, that several processes write, and that is damaged or old.

use std::path::PathBuf;
use std::thread;

use super::*;
use crate::support::shards::{Table, tar};

const NOTE: &str = "the index of the shards cannot be saved";

/// Writes two shards of two images.
fn write_tars(folder: &Path) {
    for (name, level) in [("a.tar", 10), ("b.tar", 20)] {
        let members = [("cat/1.png", &*png(level)), ("dog/1.png", &png(level + 1))];
        tar(&folder.join(name), &members);
    }
}

/// Returns the folder of the indexes in the cache of the user `home`.
fn cached_indexes(home: &Path) -> PathBuf {
    home.join("assets/resnet/indexes")
}

/// Returns the indexes in a folder.
fn indexes(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    let paths = entries.map(|entry| entry.unwrap().path());
    let is_index = |path: &PathBuf| path.extension().is_some_and(|ending| ending == "index");
    paths.filter(is_index).collect()
}

/// Makes the index of a dataset impossible to write beside its shards, for root too: a folder has its name.
fn obstruct(written: &str, folder: &Path) {
    opened(written).unwrap();
    let [index] = &indexes(folder)[..] else {
        panic!("one index")
    };
    fs::remove_file(index).unwrap();
    fs::create_dir_all(index.join("full")).unwrap();
}

/// Inspects a dataset, and returns its notes and the images per class.
#[track_caller]
fn inspected(home: &Path, written: &str) -> (String, [u64; 2]) {
    let done = check(home, written).run();
    assert_eq!(done.status, 0, "{}", done.stderr);
    let survey: serde_json::Value = serde_json::from_str(done.stdout.trim()).unwrap();
    let images = [0, 1].map(|split: usize| {
        let images = &survey["splits"][split]["images"];
        images.as_u64().unwrap_or_default()
    });
    (done.stderr, images)
}

#[test]
fn shards_in_a_folder_that_is_not_writable_have_their_index_in_the_cache() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let cache = cached_indexes(home);
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write_tars(folder);
    let images: Vec<Vec<u8>> = (0..4).map(png).collect();
    let rows = (0..).zip(&images);
    let rows: Vec<_> = rows.map(|(at, image)| (Some(&image[..]), at % 2)).collect();
    let table = Table {
        group: 2,
        is_compressed: true,
        features: "",
    };
    fs::create_dir(folder.join("tables")).unwrap();
    table.write(&folder.join("tables/x.parquet"), &rows);
    for (written, below) in [("wds", folder), ("parquet", &folder.join("tables"))] {
        let written = match written {
            "wds" => format!("wds:{}", path(below, "*.tar")),
            _ => format!("parquet:{}", path(below, "*.parquet")),
        };
        obstruct(&written, below);
        let before = indexes(&cache);
        let (notes, images) = inspected(home, &written);
        assert!(!notes.contains(NOTE), "{notes}");
        let new: Vec<PathBuf> = indexes(&cache)
            .into_iter()
            .filter(|index| !before.contains(index))
            .collect();
        assert_eq!(new.len(), 1, "{written}");
        let modified = |index: &Path| fs::metadata(index).unwrap().modified().unwrap();
        let (first, content) = (modified(&new[0]), fs::read(&new[0]).unwrap());
        assert_eq!(inspected(home, &written), (notes.clone(), images));
        assert_eq!(
            modified(&new[0]),
            first,
            "an index that holds is not written again"
        );
        // Cut in half: made again.
        fs::write(&new[0], &content[..content.len() / 2]).unwrap();
        assert_eq!(inspected(home, &written), (notes, images));
        assert_eq!(fs::read(&new[0]).unwrap(), content);
    }
    // A shard has changed.
    let written = format!("wds:{}", path(folder, "*.tar"));
    let all = inspected(home, &written).1;
    tar(&folder.join("b.tar"), &[("cat/1.png", &png(30))]);
    let fewer = inspected(home, &written).1;
    assert_eq!(fewer.iter().sum::<u64>() + 1, all.iter().sum::<u64>());
}

#[test]
fn an_old_index_that_cannot_be_replaced_gives_way_to_that_in_the_cache() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let cache = cached_indexes(home);
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write_tars(folder);
    let written = format!("wds:{}", path(folder, "*.tar"));
    obstruct(&written, folder);
    inspected(home, &written);
    // As in a folder of another's, whose shards were copied without their times.
    let beside = &indexes(folder)[0];
    fs::remove_dir_all(beside).unwrap();
    opened(&written).unwrap();
    for name in ["a.tar", "b.tar"] {
        let file = fs::File::options().write(true).open(folder.join(name));
        let later = std::time::SystemTime::now() + std::time::Duration::from_mins(1);
        file.unwrap().set_modified(later).unwrap();
    }
    let old = fs::read(beside).unwrap();
    opened(&written).unwrap();
    let new = fs::read(beside).unwrap();
    assert_ne!(old, new);
    fs::rename(beside, &indexes(&cache)[0]).unwrap();
    fs::write(beside, &old).unwrap();
    let modified = || fs::metadata(beside).unwrap().modified().unwrap();
    let before = modified();
    inspected(home, &written);
    assert_eq!(modified(), before, "the index in the cache holds");
}

#[test]
fn a_dataset_whose_index_can_be_saved_nowhere_is_used_with_a_note() {
    let home = tempfile::NamedTempFile::new().unwrap();
    let folder = tempfile::tempdir().unwrap();
    write_tars(folder.path());
    let written = format!("wds:{}", path(folder.path(), "*.tar"));
    obstruct(&written, folder.path());
    let (notes, images) = inspected(home.path(), &written);
    assert_eq!(notes.matches(NOTE).count(), 1, "{notes}");
    assert_eq!(images.iter().sum::<u64>(), 4);
}

#[test]
fn processes_that_index_the_same_shards_at_once_do_not_tear_the_index() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write_tars(folder);
    let written = format!("wds:{}", path(folder, "*.tar"));
    opened(&written).unwrap();
    let index = indexes(folder).remove(0);
    let whole = fs::read(&index).unwrap();
    thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                for _ in 0..25 {
                    // So that all index again.
                    let _ = fs::remove_file(&index);
                    let data = opened(&written).unwrap();
                    assert_eq!(levels(train(&data)), [Ok(10), Ok(11), Ok(20), Ok(21)]);
                    if let Ok(found) = fs::read(&index) {
                        assert!(found == whole, "the index is torn");
                    }
                }
            });
        }
    });
    opened(&written).unwrap();
    let files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    assert_eq!(files.len(), 3, "no unfinished file is left: {files:?}");
    // Real processes, too.
    fs::remove_file(&index).unwrap();
    let home = tempfile::tempdir().unwrap();
    let running: Vec<_> = (0..4)
        .map(|_| check(home.path(), &written).start())
        .collect();
    for run in running {
        let done = run.finish();
        assert_eq!(done.status, 0, "{}", done.stderr);
    }
    assert!(fs::read(&index).unwrap() == whole);
}
