//! Tests of the cache: offline, created by Python, damaged, or read-only.

use super::*;

#[test]
fn offline_nothing_is_requested_and_the_cache_is_used() {
    let scene = Scene::new();
    let online = scene.hub();
    let path = online.file(REPO, None, "config.json", &Silent).unwrap();
    online
        .optional_file(REPO, None, "labels.txt", &Silent)
        .unwrap();
    let before = scene.request_count();

    let hub = scene.offline_hub();
    assert_eq!(hub.file(REPO, None, "config.json", &Silent).unwrap(), path);
    assert_eq!(
        hub.file(REPO, Some(MAIN), "config.json", &Silent).unwrap(),
        path
    );
    assert_eq!(
        hub.optional_file(REPO, None, "labels.txt", &Silent)
            .unwrap(),
        None
    );
    // Never asked for, but the commit is here: what is not counts as absent.
    assert_eq!(
        hub.optional_file(REPO, None, "preprocessor_config.json", &Silent)
            .unwrap(),
        None
    );
    assert_eq!(scene.request_count(), before);
}

#[test]
fn offline_a_file_that_is_not_in_the_cache_is_an_error_with_a_way_out() {
    let scene = Scene::new();
    let hub = scene.offline_hub();
    for answer in [
        hub.file(REPO, None, "config.json", &Silent),
        hub.file(REPO, Some(MAIN), "config.json", &Silent),
        hub.optional_file(REPO, None, "config.json", &Silent)
            .map(Option::unwrap),
        hub.optional_file(REPO, Some(MAIN), "config.json", &Silent)
            .map(Option::unwrap),
    ] {
        let error = answer.unwrap_err();
        let (message, hint) = message_and_hint(&error);
        assert!(message.contains("`config.json` of `org/name`"), "{message}");
        assert!(
            message.contains(scene.cache.path().to_str().unwrap()),
            "{message}"
        );
        assert!(hint.contains("unset HF_HUB_OFFLINE"), "{hint}");
    }
    assert_eq!(scene.request_count(), 0);
    assert_eq!(fs::read_dir(scene.cache.path()).unwrap().count(), 0);
}

#[test]
fn a_cache_made_by_python_is_read() {
    let scene = Scene::new();
    let repository = scene.repository();
    let snapshot = repository.join("snapshots").join(OTHER);
    for folder in [
        &repository.join("refs"),
        &repository.join("blobs"),
        &snapshot,
    ] {
        fs::create_dir_all(folder).unwrap();
    }
    fs::write(repository.join("refs/main"), OTHER).unwrap();
    let blob = repository.join("blobs/d00d");
    fs::write(&blob, b"from Python").unwrap();
    let pointer = snapshot.join("model.safetensors");
    #[cfg(unix)]
    std::os::unix::fs::symlink("../../blobs/d00d", &pointer).unwrap();
    // Without the right to make links, Python moves the file itself there.
    #[cfg(not(unix))]
    fs::rename(&blob, &pointer).unwrap();
    let absent = repository.join(".no_exist").join(OTHER);
    fs::create_dir_all(&absent).unwrap();
    fs::write(absent.join("config.json"), b"").unwrap();

    for hub in [scene.hub(), scene.offline_hub()] {
        let path = hub.file(REPO, None, "model.safetensors", &Silent).unwrap();
        assert_eq!(fs::read(path).unwrap(), b"from Python");
        assert_eq!(
            hub.optional_file(REPO, None, "config.json", &Silent)
                .unwrap(),
            None
        );
    }
    assert_eq!(scene.request_count(), 0);
}

#[cfg(unix)]
#[test]
fn a_link_to_a_blob_that_was_deleted_is_downloaded_again() {
    let scene = Scene::new();
    let path = scene
        .hub()
        .file(REPO, None, "config.json", &Silent)
        .unwrap();
    fs::remove_file(fs::canonicalize(&path).unwrap()).unwrap();
    let again = scene
        .hub()
        .file(REPO, None, "config.json", &Silent)
        .unwrap();
    assert_eq!(again, path);
    assert_eq!(fs::read(again).unwrap(), CONFIG);
}

#[test]
fn a_cache_that_cannot_be_written_is_an_error_before_any_request() {
    let scene = Scene::new();
    let blocked = scene.cache.path().join("file");
    fs::write(&blocked, b"").unwrap();
    let mut settings = scene.settings();
    settings.cache = blocked.join("hub");
    let error = Hub::new(settings)
        .file(REPO, None, "config.json", &Silent)
        .unwrap_err();
    let (message, hint) = message_and_hint(&error);
    assert!(message.starts_with("cannot write the cache `"), "{message}");
    assert!(hint.contains("HF_HUB_CACHE"), "{hint}");
    assert_eq!(scene.request_count(), 0);
}

#[test]
fn a_cache_that_cannot_take_the_file_is_an_error() {
    let scene = Scene::new();
    fs::create_dir_all(scene.repository()).unwrap();
    fs::write(scene.repository().join("snapshots"), b"in the way").unwrap();
    let error = scene
        .hub()
        .file(REPO, None, "config.json", &Silent)
        .unwrap_err();
    let (message, _) = message_and_hint(&error);
    assert!(message.starts_with("cannot write the cache `"), "{message}");
}
