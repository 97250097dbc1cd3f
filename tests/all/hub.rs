//! Tests of downloads from a loopback hub, and of the resulting cache.

mod broken;
mod cached;
mod environment;
mod missing;
mod models;
mod progress;
mod refused;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use resnet::error::hint_of;
use resnet::hub::{Hub, HubSettings, Silent};
use tempfile::TempDir;

use crate::support::hub_server::{Fault, HubServer, etag};

const REPO: &str = "org/name";
const MAIN: &str = "1111111111111111111111111111111111111111";
const OTHER: &str = "2222222222222222222222222222222222222222";
const CONFIG: &[u8] = b"{\"architecture\": \"resnet18\"}";

/// A hub with one repository, a client of it, and the client's empty cache.
struct Scene {
    server: HubServer,
    cache: TempDir,
}

impl Scene {
    fn new() -> Self {
        let server = HubServer::start();
        let weights = weights();
        let files = [("config.json", CONFIG), ("model.safetensors", &weights)];
        server.publish(REPO, "main", MAIN, &files);
        let other = [
            ("config.json", &b"{}"[..]),
            ("sub/model.safetensors", &weights),
        ];
        server.publish(REPO, "refs/pr/1", OTHER, &other);
        let cache = tempfile::tempdir().unwrap();
        Self { server, cache }
    }

    fn settings(&self) -> HubSettings {
        let mut settings = HubSettings::new(self.cache.path());
        self.server.endpoint().clone_into(&mut settings.endpoint);
        settings
    }

    /// Returns a new client, as a new process would have.
    fn hub(&self) -> Hub {
        Hub::new(self.settings())
    }

    fn offline_hub(&self) -> Hub {
        let mut settings = self.settings();
        settings.offline = true;
        Hub::new(settings)
    }

    fn hub_with_token(&self, token: &str) -> Hub {
        let mut settings = self.settings();
        settings.token = Some(token.to_owned());
        Hub::new(settings)
    }

    /// Returns the bytes of the weights, from a new client.
    fn download(&self) -> Vec<u8> {
        let path = self.hub().file(REPO, None, "model.safetensors", &Silent);
        fs::read(path.unwrap()).unwrap()
    }

    fn request_count(&self) -> usize {
        self.server.requests().len()
    }

    fn repository(&self) -> PathBuf {
        self.cache.path().join("models--org--name")
    }

    /// Returns every file below the cache except its locks.
    fn cached_files(&self) -> Vec<String> {
        let mut found = Vec::new();
        let mut folders = vec![self.cache.path().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    let below = path.strip_prefix(self.cache.path()).unwrap();
                    found.push(below.to_str().unwrap().replace('\\', "/"));
                }
            }
        }
        found.retain(|path| !path.starts_with(".locks/models--"));
        found.sort();
        found
    }
}

/// Returns enough bytes for several reads from a socket.
fn weights() -> Vec<u8> {
    (0..300_000_u32).map(|index| (index % 251) as u8).collect()
}

/// Returns the whole chain of messages and the hint.
fn message_and_hint(error: &anyhow::Error) -> (String, String) {
    (
        format!("{error:#}"),
        hint_of(error)
            .expect("each error of the hub has a hint")
            .to_string(),
    )
}

#[test]
fn a_file_is_downloaded_once_and_then_used_without_a_request() {
    let scene = Scene::new();
    let path = scene
        .hub()
        .file(REPO, None, "model.safetensors", &Silent)
        .unwrap();
    assert_eq!(fs::read(&path).unwrap(), weights());
    assert_eq!(
        scene.server.requests(),
        [
            "HEAD /org/name/resolve/main/model.safetensors",
            "GET /org/name/resolve/main/model.safetensors"
        ]
    );
    let again = scene
        .hub()
        .file(REPO, Some("main"), "model.safetensors", &Silent)
        .unwrap();
    let by_hash = scene
        .hub()
        .file(REPO, Some(MAIN), "model.safetensors", &Silent)
        .unwrap();
    assert_eq!((&again, &by_hash), (&path, &path));
    assert_eq!(scene.request_count(), 2);
}

#[test]
fn the_cache_has_the_layout_of_huggingface_hub_and_nothing_else() {
    let scene = Scene::new();
    let path = scene
        .hub()
        .file(REPO, Some("refs/pr/1"), "sub/model.safetensors", &Silent)
        .unwrap();
    let blob = format!("models--org--name/blobs/{}", etag(&weights()));
    let pointer = format!("models--org--name/snapshots/{OTHER}/sub/model.safetensors");
    assert_eq!(
        scene.cached_files(),
        [
            blob.clone(),
            "models--org--name/refs/refs/pr/1".to_owned(),
            pointer.clone()
        ]
    );
    assert_eq!(path, scene.cache.path().join(pointer));
    let commit = fs::read_to_string(scene.repository().join("refs/refs/pr/1")).unwrap();
    assert_eq!(commit, OTHER);
    #[cfg(unix)]
    {
        let target = Path::new("../../../blobs").join(etag(&weights()));
        assert_eq!(fs::read_link(path).unwrap(), target);
    }
}

#[test]
fn a_revision_is_a_branch_or_a_commit_hash() {
    let scene = Scene::new();
    let hub = scene.hub();
    for (revision, contents) in [
        (None, CONFIG),
        (Some("refs/pr/1"), b"{}"),
        (Some(MAIN), CONFIG),
        (Some(OTHER), b"{}"),
    ] {
        let path = hub.file(REPO, revision, "config.json", &Silent).unwrap();
        assert_eq!(fs::read(path).unwrap(), contents, "{revision:?}");
    }
    let fresh = Scene::new();
    let path = fresh
        .hub()
        .file(REPO, Some(OTHER), "config.json", &Silent)
        .unwrap();
    assert_eq!(fs::read(path).unwrap(), b"{}");
}

#[test]
fn all_files_of_a_branch_come_from_the_commit_that_the_cache_knows() {
    let scene = Scene::new();
    let hub = scene.hub();
    hub.file(REPO, None, "config.json", &Silent).unwrap();
    let newer = [
        ("config.json", &b"newer"[..]),
        ("model.safetensors", b"newer"),
    ];
    scene.server.publish(REPO, "main", &"3".repeat(40), &newer);
    // The older commit can still be asked for, as on a real hub.
    let weights = weights();
    let files = [("config.json", CONFIG), ("model.safetensors", &weights)];
    scene.server.publish(REPO, "older", MAIN, &files);

    let path = hub.file(REPO, None, "model.safetensors", &Silent).unwrap();
    assert_eq!(fs::read(path).unwrap(), weights);
}

#[test]
fn a_file_that_came_with_a_later_commit_is_found_there() {
    let scene = Scene::new();
    let hub = scene.hub();
    hub.file(REPO, None, "config.json", &Silent).unwrap();
    let newer = "3".repeat(40);
    scene
        .server
        .publish(REPO, "main", &newer, &[("late.safetensors", b"late")]);
    let path = hub.file(REPO, None, "late.safetensors", &Silent).unwrap();
    assert_eq!(fs::read(path).unwrap(), b"late");
    let commit = fs::read_to_string(scene.repository().join("refs/main")).unwrap();
    assert_eq!(commit, newer);
}

#[test]
fn contents_that_two_commits_share_are_downloaded_once() {
    let scene = Scene::new();
    let hub = scene.hub();
    hub.file(REPO, None, "model.safetensors", &Silent).unwrap();
    let path = hub
        .file(REPO, Some("refs/pr/1"), "sub/model.safetensors", &Silent)
        .unwrap();
    assert_eq!(fs::read(path).unwrap(), weights());
    let bodies = scene
        .server
        .requests()
        .iter()
        .filter(|line| line.starts_with("GET"))
        .count();
    assert_eq!(bodies, if cfg!(unix) { 1 } else { 2 });
}

#[test]
fn a_damaged_blob_is_replaced() {
    let scene = Scene::new();
    let blobs = scene.repository().join("blobs");
    fs::create_dir_all(&blobs).unwrap();
    fs::write(blobs.join(etag(&weights())), b"half").unwrap();
    assert_eq!(scene.download(), weights());
}

#[test]
fn invalid_names_are_rejected_before_any_request() {
    let scene = Scene::new();
    let hub = scene.hub();
    for (repo, revision, file) in [
        ("../name", None, "config.json"),
        ("org/na me", None, "config.json"),
        (REPO, Some("../../main"), "config.json"),
        (REPO, None, "../config.json"),
        (REPO, None, "/etc/passwd"),
    ] {
        let error = hub.file(repo, revision, file, &Silent).unwrap_err();
        message_and_hint(&error);
        assert!(hub.optional_file(repo, revision, file, &Silent).is_err());
    }
    assert_eq!(scene.request_count(), 0);
    assert_eq!(fs::read_dir(scene.cache.path()).unwrap().count(), 0);
}

#[test]
fn many_threads_that_want_one_file_download_it_once() {
    let scene = Scene::new();
    let hub = scene.hub();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| hub.file(REPO, None, "model.safetensors", &Silent).unwrap());
        }
    });
    assert_eq!(scene.request_count(), 2);
}

#[test]
fn two_processes_that_want_one_file_both_get_it_whole() {
    let scene = Scene::new();
    let hubs = [scene.hub(), scene.hub(), scene.hub()];
    std::thread::scope(|scope| {
        for hub in &hubs {
            scope.spawn(|| {
                let path = hub.file(REPO, None, "model.safetensors", &Silent).unwrap();
                assert_eq!(fs::read(path).unwrap(), weights());
            });
        }
    });
}
