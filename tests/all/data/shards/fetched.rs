//! Tests of datasets of the hub, from its cache and from a loopback hub.

use super::*;
use crate::support::hub_server::HubServer;
use crate::support::shards::Table;

const CARD: &str = "---
dataset_info:
- config_name: small
  features:
  - name: image
    dtype: image
  - name: label
    dtype:
      class_label:
        names:
          '0': heron
          '1': stork
configs:
- config_name: small
  data_files:
  - split: train
    path: small/first-*
  - split: validation
    path: small/second-*
- config_name: large
  data_files: large/*.parquet
---
# Birds
";

/// Writes the files of a dataset with a card.
fn write_dataset(folder: &Path) {
    for name in ["small", "large"] {
        fs::create_dir_all(folder.join(name)).unwrap();
    }
    let images: Vec<Vec<u8>> = (0..24).map(png).collect();
    let rows: Vec<_> = images
        .iter()
        .enumerate()
        .map(|(at, image)| (Some(image.as_slice()), (at % 2) as i64))
        .collect();
    let table = Table {
        group: 5,
        is_compressed: true,
        features: "",
    };
    table.write(
        &folder.join("small/first-00000-of-00002.parquet"),
        &rows[..10],
    );
    table.write(
        &folder.join("small/first-00001-of-00002.parquet"),
        &rows[10..20],
    );
    table.write(
        &folder.join("small/second-00000-of-00001.parquet"),
        &rows[20..],
    );
    table.write(&folder.join("large/train-00000-of-00001.parquet"), &rows);
    fs::write(folder.join("README.md"), CARD).unwrap();
}

#[test]
fn a_cached_dataset_needs_no_network_and_its_card_tells_splits_and_classes() {
    let home = tempfile::tempdir().unwrap();
    let repo = home.path().join("hub/datasets--org--birds");
    let commit = "c".repeat(40);
    fs::create_dir_all(repo.join("refs")).unwrap();
    fs::write(repo.join("refs/main"), &commit).unwrap();
    fs::write(repo.join("refs/v1"), &commit).unwrap();
    let snapshot = repo.join("snapshots").join(&commit);
    write_dataset(&snapshot);
    for data in ["hf:org/birds:small", "hf:org/birds@v1:small"] {
        let done = check(home.path(), data).run();
        assert_eq!(done.status, 0, "{}", done.stderr);
        let survey: serde_json::Value = serde_json::from_str(done.stdout.trim()).unwrap();
        let labels = [0, 1].map(|class| survey["classes"][class]["label"].clone());
        assert_eq!(labels, ["heron", "stork"]);
        let splits = [0, 1].map(|split| {
            (
                survey["splits"][split]["name"].clone(),
                survey["splits"][split]["images"].clone(),
            )
        });
        assert_eq!(
            splits,
            [("train".into(), 20.into()), ("val".into(), 4.into())]
        );
    }
    let indexes = home.path().join("assets/resnet/indexes");
    let indexes: Vec<_> = fs::read_dir(indexes).unwrap().collect();
    assert_eq!(indexes.len(), 1, "the hub's folder is not written to");
    // Cut in half: made again.
    let index = indexes[0].as_ref().unwrap().path();
    let whole = fs::read(&index).unwrap();
    fs::write(&index, &whole[..whole.len() / 2]).unwrap();
    assert_eq!(check(home.path(), "hf:org/birds:small").run().status, 0);
    assert!(fs::read(&index).unwrap() == whole);

    let fails = |data: &str| {
        let done = check(home.path(), data).run();
        assert_eq!(done.status, 1, "{data}: {}", done.stderr);
        done.stderr
    };
    let text = fails("hf:org/birds");
    assert!(text.contains("`org/birds` has several configurations: `large`, `small`\nhint: name one, such as `hf:org/birds:large`"), "{text}");
    let text = fails("hf:org/birds:tiny");
    assert!(
        text.contains("has no configuration `tiny`\nhint: the configurations are `large`, `small`"),
        "{text}"
    );
    fs::remove_file(snapshot.join("small/first-00001-of-00002.parquet")).unwrap();
    let text = fails("hf:org/birds:small");
    assert!(
        text.contains("the cache has 1 of the 2 files `small/first-..` of `org/birds`"),
        "{text}"
    );
    let text = fails("hf:org/fish");
    assert!(text.contains("HF_HUB_OFFLINE forbids requests"), "{text}");
}

#[test]
fn a_dataset_is_listed_and_fetched_once() {
    let (server, home, files) = (
        HubServer::start(),
        tempfile::tempdir().unwrap(),
        tempfile::tempdir().unwrap(),
    );
    write_dataset(files.path());
    let files = crate::support::shards::files_below(files.path());
    let published: Vec<(&str, &[u8])> = files
        .iter()
        .map(|(name, bytes)| (name.as_str(), bytes.as_slice()))
        .collect();
    server.publish("datasets/org/birds", "main", &"d".repeat(40), &published);
    server.publish(
        "datasets/org/plain",
        "main",
        &"e".repeat(40),
        &[("README.md", b"# A dataset"), ("data.zip", b"x")],
    );
    let run = |data: &str| {
        let run = check(home.path(), data)
            .env("HF_ENDPOINT", server.endpoint())
            .env("NO_PROXY", "127.0.0.1");
        run.without_env("HF_HUB_OFFLINE").run()
    };
    let done = run("hf:org/birds:small");
    assert_eq!(done.status, 0, "{}", done.stderr);
    let requests = server.requests();
    assert!(
        requests.iter().any(|request| request.contains("/tree/")),
        "{requests:?}"
    );
    assert!(
        !requests.iter().any(|request| request.contains("large/")),
        "{requests:?}"
    );
    assert_eq!(run("hf:org/birds:small").stdout, done.stdout);
    assert_eq!(
        server.requests().len(),
        requests.len(),
        "read from the cache"
    );
    let done = run("hf:org/plain");
    assert!(
        done.stderr.contains(
            "`org/plain` has no parquet files\nhint: `hf:org/plain@refs/convert/parquet`"
        ),
        "{}",
        done.stderr
    );
    let done = run("hf:org/nothing");
    assert!(
        done.stderr.contains("has no dataset `org/nothing`"),
        "{}",
        done.stderr
    );
}
