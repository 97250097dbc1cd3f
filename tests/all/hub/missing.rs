//! Tests of repositories, revisions and files that do not exist.

use super::*;

#[test]
fn a_repository_that_does_not_exist_is_reported_as_missing() {
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
    let optional = scene
        .hub()
        .optional_file("org/nothing", None, "a", &Silent)
        .unwrap_err();
    for error in [error, optional] {
        let error = resnet::Error::classify(error, resnet::Error::Other);
        assert!(matches!(error, resnet::Error::Hub(_)), "{error:?}");
    }
    assert_eq!(scene.cached_files(), [""; 0]);
}

#[test]
fn a_revision_that_does_not_exist_is_reported_as_missing() {
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
fn a_file_that_does_not_exist_is_reported_as_missing() {
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
