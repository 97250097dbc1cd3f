//! Downloads from a hub on loopback, and the cache that they leave.

mod cached;
mod progress;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use resnet::error::hint_of;
use resnet::hub::{Hub, Settings, Silent};
use tempfile::TempDir;

use crate::hub_server::{Fault, HubServer, etag};

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

    fn settings(&self) -> Settings {
        let mut settings = Settings::new(self.cache.path());
        self.server.endpoint().clone_into(&mut settings.endpoint);
        settings
    }

    /// A new client, as a new process would have.
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

    /// The weights' bytes, from a hub that is made anew.
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

    /// Every file below the cache but its locks.
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

/// Enough bytes for several reads from a socket.
fn weights() -> Vec<u8> {
    (0..300_000_u32).map(|index| (index % 251) as u8).collect()
}

/// The whole chain of messages and the hint.
fn message_and_hint(error: &anyhow::Error) -> (String, &str) {
    (
        format!("{error:#}"),
        hint_of(error).expect("each error of the hub has a hint"),
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
fn a_repository_that_does_not_exist_is_said_to_be_missing() {
    let scene = Scene::new();
    let error = scene
        .hub()
        .file("org/nothing", None, "config.json", &Silent)
        .unwrap_err();
    let (message, hint) = message_and_hint(&error);
    let endpoint = scene.server.endpoint();
    assert_eq!(
        message,
        format!("`{endpoint}` has no repository `org/nothing`")
    );
    assert!(hint.contains("HF_TOKEN"), "{hint}");
    assert!(
        scene
            .hub()
            .optional_file("org/nothing", None, "a", &Silent)
            .is_err()
    );
    assert_eq!(scene.cached_files(), [""; 0]);
}

#[test]
fn a_revision_that_does_not_exist_is_said_to_be_missing() {
    let scene = Scene::new();
    for revision in ["v9", &"9".repeat(40)] {
        for answer in [
            scene
                .hub()
                .file(REPO, Some(revision), "config.json", &Silent),
            scene
                .hub()
                .optional_file(REPO, Some(revision), "config.json", &Silent)
                .map(Option::unwrap),
        ] {
            let error = answer.unwrap_err();
            let (message, hint) = message_and_hint(&error);
            assert_eq!(message, format!("`org/name` has no revision `{revision}`"));
            assert!(hint.contains("/org/name/tree/main"), "{hint}");
        }
    }
}

#[test]
fn a_file_that_does_not_exist_is_said_to_be_missing() {
    let scene = Scene::new();
    let error = scene
        .hub()
        .file(REPO, None, "nothing.bin", &Silent)
        .unwrap_err();
    let (message, hint) = message_and_hint(&error);
    assert_eq!(
        message,
        "`org/name` has no file `nothing.bin` at revision `main`"
    );
    assert!(hint.contains("/org/name/tree/main"), "{hint}");
}

#[test]
fn an_absent_optional_file_is_remembered() {
    let scene = Scene::new();
    for revision in [None, Some(MAIN), Some("main")] {
        let found = scene
            .hub()
            .optional_file(REPO, revision, "labels.txt", &Silent)
            .unwrap();
        assert_eq!(found, None);
        assert_eq!(
            scene.server.requests(),
            ["HEAD /org/name/resolve/main/labels.txt"]
        );
    }
    let marker = format!("models--org--name/.no_exist/{MAIN}/labels.txt");
    assert_eq!(
        scene.cached_files(),
        [marker, "models--org--name/refs/main".to_owned()]
    );
    let there = scene
        .hub()
        .optional_file(REPO, None, "config.json", &Silent)
        .unwrap();
    assert_eq!(fs::read(there.unwrap()).unwrap(), CONFIG);
}

#[test]
fn a_hub_that_does_not_name_the_commit_still_has_no_such_file() {
    let scene = Scene::new();
    scene.server.misbehave(Some(Fault::ForgetsCommit));
    let found = scene
        .hub()
        .optional_file(REPO, None, "labels.txt", &Silent)
        .unwrap();
    assert_eq!(found, None);
    assert_eq!(scene.cached_files(), [""; 0]);
}

#[test]
fn a_private_repository_needs_the_right_token() {
    let scene = Scene::new();
    scene.server.require_token("hf_right");
    let ask = |hub: &Hub| hub.file(REPO, None, "config.json", &Silent);

    let error = ask(&scene.hub()).unwrap_err();
    let (message, hint) = message_and_hint(&error);
    assert!(
        message.contains("has no repository `org/name`"),
        "{message}"
    );
    assert!(hint.contains("set HF_TOKEN"), "{hint}");

    let error = ask(&scene.hub_with_token("hf_wrong")).unwrap_err();
    let (message, hint) = message_and_hint(&error);
    assert!(
        message.contains("refuses the token for `org/name`"),
        "{message}"
    );
    assert!(hint.contains("check HF_TOKEN"), "{hint}");

    let path = ask(&scene.hub_with_token("hf_right")).unwrap();
    assert_eq!(fs::read(path).unwrap(), CONFIG);
}

#[test]
fn a_gated_repository_says_where_to_accept_its_conditions() {
    let scene = Scene::new();
    scene.server.require_token("hf_right");
    scene.server.gate();
    let error = scene
        .hub()
        .file(REPO, None, "config.json", &Silent)
        .unwrap_err();
    let (message, hint) = message_and_hint(&error);
    assert_eq!(message, "`org/name` is gated");
    let page = format!("{}/org/name", scene.server.endpoint());
    assert!(
        hint.contains(&page) && hint.contains("set HF_TOKEN"),
        "{hint}"
    );

    scene
        .server
        .misbehave(Some(Fault::Status(403, Some("GatedRepo"))));
    let error = scene
        .hub_with_token("hf_right")
        .file(REPO, None, "a", &Silent)
        .unwrap_err();
    let (message, hint) = message_and_hint(&error);
    assert_eq!(message, "`org/name` is gated");
    assert!(hint.contains("the account of the token"), "{hint}");
}

#[test]
fn refusals_and_failures_of_the_hub_are_passed_on() {
    for (status, words, way_out) in [
        (403, "refuses access to `org/name`", "HF_TOKEN"),
        (429, "asks for fewer requests", "try again"),
        (500, "answered 500", "try again later"),
        (410, "answered 410", "try again later"),
        (404, "has no repository `org/name`", "check the name"),
    ] {
        let scene = Scene::new();
        scene.server.misbehave(Some(Fault::Status(status, None)));
        let error = scene
            .hub()
            .file(REPO, None, "config.json", &Silent)
            .unwrap_err();
        let (message, hint) = message_and_hint(&error);
        assert!(message.contains(words), "{status}: {message}");
        assert!(hint.contains(way_out), "{status}: {hint}");
        assert_eq!(scene.cached_files(), [""; 0]);
    }
}

#[test]
fn a_file_that_the_hub_keeps_elsewhere_is_fetched_there() {
    let scene = Scene::new();
    scene.server.misbehave(Some(Fault::Redirect));
    assert_eq!(scene.download(), weights());
    let last = scene.server.requests().pop().unwrap();
    assert_eq!(last, format!("GET /content/{}", etag(&weights())));
}

#[test]
fn a_transfer_that_breaks_once_is_begun_again() {
    for after in [0, 100_000] {
        let scene = Scene::new();
        scene.server.misbehave(Some(Fault::Cut { after, times: 1 }));
        assert_eq!(scene.download(), weights());
    }
}

#[test]
fn a_transfer_that_always_breaks_is_an_error_and_leaves_nothing() {
    let scene = Scene::new();
    let faults = [
        (
            Fault::Cut {
                after: 100_000,
                times: usize::MAX,
            },
            "broke off",
        ),
        (
            Fault::Shorter(7),
            "299993 bytes came where 300000 were announced",
        ),
        (
            Fault::PageForBody(404),
            "18 bytes came where 300000 were announced",
        ),
    ];
    for (fault, words) in faults {
        scene.server.misbehave(Some(fault));
        let hub = scene.hub();
        let error = hub
            .file(REPO, None, "model.safetensors", &Silent)
            .unwrap_err();
        let (message, hint) = message_and_hint(&error);
        assert!(
            message.contains(words) && message.contains("`model.safetensors`"),
            "{message}"
        );
        assert!(hint.contains("again"), "{hint}");
        drop(hub);
        assert_eq!(scene.cached_files(), [""; 0], "{fault:?}");
    }
    scene.server.misbehave(None);
    assert_eq!(scene.download(), weights());
}

#[test]
fn the_same_client_goes_on_after_a_failure() {
    let scene = Scene::new();
    let hub = scene.hub();
    scene.server.misbehave(Some(Fault::Shorter(1)));
    assert!(hub.file(REPO, None, "config.json", &Silent).is_err());
    scene.server.misbehave(None);
    assert!(hub.file(REPO, None, "config.json", &Silent).is_ok());
}

#[test]
fn a_silent_hub_is_given_up() {
    for fault in [Fault::Silence, Fault::SilenceInBody] {
        let scene = Scene::new();
        scene.server.misbehave(Some(fault));
        let mut settings = scene.settings();
        settings.patience = Duration::from_millis(300);
        let start = Instant::now();
        let error = Hub::new(settings)
            .file(REPO, None, "model.safetensors", &Silent)
            .unwrap_err();
        let (message, hint) = message_and_hint(&error);
        assert!(message.contains("has sent nothing for 300ms"), "{message}");
        assert!(hint.contains("try again later"), "{hint}");
        assert!(start.elapsed() < Duration::from_secs(5));
        assert_eq!(
            fs::read_dir(scene.repository()).map_or(0, Iterator::count),
            0
        );
    }
}

#[test]
fn a_hub_that_cannot_be_reached_is_named() {
    let scene = Scene::new();
    let free = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let mut settings = scene.settings();
    settings.endpoint = format!("http://{free}");
    let error = Hub::new(settings)
        .file(REPO, None, "config.json", &Silent)
        .unwrap_err();
    let (message, hint) = message_and_hint(&error);
    assert!(
        message.starts_with(&format!("cannot reach `http://{free}`: ")),
        "{message}"
    );
    assert!(
        hint.contains("HF_ENDPOINT") && hint.contains("local file"),
        "{hint}"
    );
}

#[test]
fn an_endpoint_that_is_no_address_is_refused_only_when_it_is_needed() {
    let scene = Scene::new();
    scene
        .hub()
        .file(REPO, None, "config.json", &Silent)
        .unwrap();
    for endpoint in [
        "huggingface.co",
        "ftp://huggingface.co",
        "http://",
        "https://a b",
    ] {
        let mut settings = scene.settings();
        endpoint.clone_into(&mut settings.endpoint);
        let hub = Hub::new(settings);
        hub.file(REPO, None, "config.json", &Silent).unwrap();
        let error = hub
            .file(REPO, None, "model.safetensors", &Silent)
            .unwrap_err();
        let (message, hint) = message_and_hint(&error);
        assert_eq!(
            message,
            format!("HF_ENDPOINT is not a web address: `{endpoint}`")
        );
        assert!(hint.contains("unset it"), "{hint}");
    }
}

#[test]
fn a_server_that_is_no_hub_is_refused() {
    let scene = Scene::new();
    scene.server.misbehave(Some(Fault::NoHub));
    let error = scene
        .hub()
        .file(REPO, None, "config.json", &Silent)
        .unwrap_err();
    let (message, hint) = message_and_hint(&error);
    assert!(
        message.contains("does not answer as a hub does"),
        "{message}"
    );
    assert!(hint.contains("HF_ENDPOINT"), "{hint}");
}

#[test]
fn names_that_are_none_are_refused_before_anything_happens() {
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
