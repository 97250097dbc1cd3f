//! Tests of interrupted transfers, and of servers that are not a hub.

use super::*;

#[test]
fn a_file_that_the_hub_keeps_elsewhere_is_fetched_there() {
    let scene = Scene::new();
    scene.server.misbehave(Some(Fault::Redirect));
    assert_eq!(scene.download(), weights());
    let last = scene.server.requests().pop().unwrap();
    assert_eq!(last, format!("GET /content/{}", etag(&weights())));
}

#[test]
fn a_transfer_that_breaks_once_is_retried() {
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
            "interrupted repeatedly",
        ),
        (Fault::Shorter(7), "received 299993 bytes instead of 300000"),
        (
            Fault::PageForBody(404),
            "received 18 bytes instead of 300000",
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
fn the_same_client_works_after_a_failure() {
    let scene = Scene::new();
    let hub = scene.hub();
    scene.server.misbehave(Some(Fault::Shorter(1)));
    assert!(hub.file(REPO, None, "config.json", &Silent).is_err());
    scene.server.misbehave(None);
    assert!(hub.file(REPO, None, "config.json", &Silent).is_ok());
}

#[test]
fn a_download_from_a_silent_hub_times_out() {
    for fault in [Fault::Silence, Fault::SilenceInBody] {
        let scene = Scene::new();
        scene.server.misbehave(Some(fault));
        let mut settings = scene.settings();
        settings.stall_timeout = Duration::from_millis(300);
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
fn an_unreachable_hub_is_named() {
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
fn an_invalid_endpoint_is_rejected_only_when_it_is_needed() {
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
fn a_server_that_is_not_a_hub_is_rejected() {
    let scene = Scene::new();
    scene.server.misbehave(Some(Fault::NoHub));
    let error = scene
        .hub()
        .file(REPO, None, "config.json", &Silent)
        .unwrap_err();
    let (message, hint) = message_and_hint(&error);
    assert!(message.contains("does not answer like a hub"), "{message}");
    assert!(hint.contains("HF_ENDPOINT"), "{hint}");
}
