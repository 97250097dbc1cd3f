//! Tests of requests that the hub rejects.

use super::*;

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
    assert!(message.contains("401"), "{message}");
    assert!(
        hint.contains("set HF_TOKEN") && hint.contains("gateway"),
        "{hint}"
    );

    let error = ask(&scene.hub_with_token("hf_wrong")).unwrap_err();
    let (message, hint) = message_and_hint(&error);
    assert!(
        message.contains("rejected the token for `org/name`"),
        "{message}"
    );
    assert!(hint.contains("check HF_TOKEN"), "{hint}");

    let path = ask(&scene.hub_with_token("hf_right")).unwrap();
    assert_eq!(fs::read(path).unwrap(), CONFIG);
}

#[test]
fn a_gated_repository_names_the_page_of_its_conditions() {
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
fn refusals_and_failures_of_the_hub_are_reported() {
    for (status, words, way_out) in [
        (403, "denied access to `org/name`", "HF_TOKEN"),
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
