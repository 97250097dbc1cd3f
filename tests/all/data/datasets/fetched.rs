//! Tests of datasets from the hub: downloaded once, then read from the cache.

use super::*;
use crate::support::command::Resnet;
use crate::support::hub_server::HubServer;
use resnet::hub::{Hub, HubSettings};

const REPO: &str = "uoft-cs/cifar10";
const TRAIN: &str = "plain_text/train-00000-of-00001.parquet";

struct Scene {
    server: HubServer,
    cache: tempfile::TempDir,
}

impl Scene {
    fn new() -> Self {
        let server = HubServer::start();
        let bytes = fs::read(fixture("cifar10").join("train.parquet")).unwrap();
        let files = [(TRAIN, bytes.as_slice())];
        server.publish(&format!("datasets/{REPO}"), "main", &"7".repeat(40), &files);
        let cache = tempfile::tempdir().unwrap();
        Self { server, cache }
    }

    fn hub(&self, offline: bool) -> Hub {
        let mut settings = HubSettings::new(self.cache.path());
        self.server.endpoint().clone_into(&mut settings.endpoint);
        settings.offline = offline;
        Hub::new(settings)
    }
}

#[test]
fn a_dataset_is_fetched_once_from_its_own_address_into_its_own_folder() {
    let scene = Scene::new();
    let path = scene
        .hub(false)
        .data_file(REPO, None, TRAIN, &Silent)
        .unwrap();
    assert_eq!(
        scene.server.requests(),
        ["HEAD", "GET"].map(|method| format!("{method} /datasets/{REPO}/resolve/main/{TRAIN}"))
    );
    let folder = scene.cache.path().join("datasets--uoft-cs--cifar10");
    assert!(path.starts_with(folder.join("snapshots").join("7".repeat(40))));
    assert_eq!(
        fs::read(&path).unwrap(),
        fs::read(fixture("cifar10").join("train.parquet")).unwrap()
    );
    for offline in [false, true] {
        let again = scene.hub(offline).data_file(REPO, None, TRAIN, &Silent);
        assert_eq!(again.unwrap(), path);
    }
    assert_eq!(scene.server.requests().len(), 2);
    // A model of that name is another repository.
    let error = scene
        .hub(false)
        .file(REPO, None, TRAIN, &Silent)
        .unwrap_err();
    assert!(error.to_string().contains("has no repository"), "{error}");
}

#[test]
fn offline_or_unknown_datasets_have_a_way_out() {
    let scene = Scene::new();
    let fails = |offline, repo: &str, file: &str| {
        let error = scene
            .hub(offline)
            .data_file(repo, None, file, &Silent)
            .unwrap_err();
        (error.to_string(), hint_of(&error).unwrap().to_string())
    };
    let (message, hint) = fails(true, REPO, TRAIN);
    assert!(
        message.contains("HF_HUB_OFFLINE forbids requests"),
        "{message}"
    );
    assert!(
        hint.contains("`cifar10:DIR`") && hint.contains("`sample`"),
        "{hint}"
    );
    let (message, _) = fails(false, "org/nothing", TRAIN);
    assert!(
        message.contains("has no dataset `org/nothing`"),
        "{message}"
    );
    let (message, hint) = fails(false, REPO, "nothing.parquet");
    assert!(
        message.contains("has no file `nothing.parquet`"),
        "{message}"
    );
    assert!(
        hint.contains("/datasets/uoft-cs/cifar10/tree/main"),
        "{hint}"
    );
}

/// Returns the losses of two steps on the data, which depend on every pixel and class of the batches.
fn losses(data: &str, endpoint: &str, home: &Path) -> Vec<serde_json::Value> {
    let line = format!(
        "train -d {data} --depth 20 --width 4 --batch-size 4 --max-steps 2 --dry-run -q --format json"
    );
    let done = Resnet::line(&line)
        .env("HF_ENDPOINT", endpoint)
        .env("HF_HOME", home)
        .env("NO_PROXY", "127.0.0.1")
        .without_env("HF_HUB_OFFLINE")
        .run();
    assert_eq!(done.status, 0, "{}", done.stderr);
    let lines = done.stdout.lines().map(|line| {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        [&line["loss"], &line["val_loss"]].map(Clone::clone)
    });
    lines.flatten().collect()
}

#[test]
fn training_on_the_hubs_tables_is_training_on_the_original_files() {
    for (name, repo, folder, fixtures) in [
        ("cifar10", "uoft-cs/cifar10", "plain_text", "cifar10"),
        ("cifar100", "uoft-cs/cifar100", "cifar100", "cifar100"),
        (
            "fashion-mnist",
            "zalando-datasets/fashion_mnist",
            "fashion_mnist",
            "fashion_mnist",
        ),
    ] {
        let (server, home) = (HubServer::start(), tempfile::tempdir().unwrap());
        let files: Vec<(String, Vec<u8>)> = ["train", "test"]
            .into_iter()
            .map(|part| {
                let bytes = fs::read(fixture(fixtures).join(format!("{part}.parquet"))).unwrap();
                (format!("{folder}/{part}-00000-of-00001.parquet"), bytes)
            })
            .collect();
        let files: Vec<(&str, &[u8])> = files
            .iter()
            .map(|(name, bytes)| (name.as_str(), bytes.as_slice()))
            .collect();
        let commit = "7".repeat(40);
        server.publish(&format!("datasets/{repo}"), "main", &commit, &files);
        let fetched = losses(name, server.endpoint(), home.path());
        let original = format!("{name}:{}", fixture(fixtures).display());
        assert_eq!(
            fetched,
            losses(&original, server.endpoint(), home.path()),
            "{name}"
        );
        assert!(fetched[0].is_f64() && fetched.last().is_some_and(serde_json::Value::is_f64));
        let requests = server.requests().len();
        losses(name, server.endpoint(), home.path());
        assert_eq!(server.requests().len(), requests, "read from the cache");
    }
}
