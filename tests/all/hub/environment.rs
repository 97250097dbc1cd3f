//! Tests of the environment that stands around the hub: offline mode, the cache's path, proxies and a hub out of reach.

use crate::support::command::{Finished, Resnet};
use crate::support::hub_server::{Fault, HubServer};
use std::fs;
use std::net::TcpListener;
use std::path::Path;

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// Returns a home whose cache has configuration and weights of `org/tiny`, as Python's programs leave them: without the optional
/// `preprocessor_config.json`.
fn cached_home() -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    let repository = home.path().join("hub/models--org--tiny");
    let snapshot = repository.join("snapshots").join(COMMIT);
    fs::create_dir_all(&snapshot).unwrap();
    fs::create_dir_all(repository.join("refs")).unwrap();
    fs::write(repository.join("refs/main"), COMMIT).unwrap();
    let fixture = Path::new("tests/fixtures/weights/transformers_bottleneck");
    for file in ["config.json", "model.safetensors"] {
        fs::copy(fixture.join(file), snapshot.join(file)).unwrap();
    }
    home
}

/// Returns an address that refuses connections.
fn closed_address() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

fn predict(model: &str, home: &Path, endpoint: &str) -> Resnet {
    Resnet::line(&format!("predict assets/images/cat.png -m {model} -f json"))
        .env("HF_HOME", home)
        .env("HF_ENDPOINT", endpoint)
        .env("NO_PROXY", "127.0.0.1")
        .without_env("HF_HUB_OFFLINE")
}

/// Returns the hint of a failed run.
fn hint(done: &Finished) -> &str {
    assert_eq!(done.status, 1, "{}", done.stdout);
    let (_, hint) = done.stderr.split_once("\nhint: ").unwrap();
    hint.trim_end()
}

#[test]
fn the_variable_of_transformers_forbids_requests_as_the_hubs_does() {
    let (server, home) = (HubServer::start(), cached_home());
    let run = |model: &str, variable: &str| {
        let run = predict(model, home.path(), server.endpoint());
        run.env(variable, "1").run()
    };
    let expected = run("org/tiny", "HF_HUB_OFFLINE");
    assert_eq!(expected.status, 0, "{}", expected.stderr);
    let done = run("org/tiny", "TRANSFORMERS_OFFLINE");
    assert_eq!((done.status, done.stdout), (0, expected.stdout));
    let done = run("org/other", "TRANSFORMERS_OFFLINE");
    assert!(
        done.stderr
            .contains("TRANSFORMERS_OFFLINE forbids requests"),
        "{}",
        done.stderr
    );
    assert!(
        hint(&done).contains("unset TRANSFORMERS_OFFLINE"),
        "{}",
        done.stderr
    );
    assert_eq!(server.requests(), [""; 0]);
}

#[test]
fn out_of_reach_the_hint_names_the_offline_mode_if_the_model_is_cached() {
    let (home, endpoint) = (cached_home(), closed_address());
    for model in ["org/tiny", "org/tiny@main", "org/tiny/model.safetensors"] {
        let done = predict(model, home.path(), &endpoint).run();
        assert!(
            done.stderr
                .contains(&format!("cannot reach `{endpoint}`: ")),
            "{}",
            done.stderr
        );
        assert!(
            hint(&done).ends_with("or set HF_HUB_OFFLINE=1 to use the files in the cache"),
            "{}",
            done.stderr
        );
    }
    let server = HubServer::start();
    server.misbehave(Some(Fault::Status(503, None)));
    let done = predict("org/tiny", home.path(), server.endpoint()).run();
    assert!(hint(&done).contains("HF_HUB_OFFLINE=1"), "{}", done.stderr);
    // It would not help without weights.
    let done = predict("org/other", home.path(), &endpoint).run();
    assert!(!done.stderr.contains("HF_HUB_OFFLINE"), "{}", done.stderr);
}

#[cfg(unix)]
#[test]
fn a_cache_that_cannot_be_written_can_be_used_offline() {
    let (server, home) = (HubServer::start(), cached_home());
    // Nobody, not even root, can make a folder here.
    fs::write(home.path().join("hub/.locks"), b"").unwrap();
    let done = predict("org/tiny", home.path(), server.endpoint()).run();
    assert!(
        done.stderr.contains("cannot write the cache"),
        "{}",
        done.stderr
    );
    assert!(
        hint(&done).contains("or set HF_HUB_OFFLINE=1"),
        "{}",
        done.stderr
    );
}

#[test]
fn a_cached_commit_is_used_without_a_request() {
    let (server, home) = (HubServer::start(), cached_home());
    let offline = predict("org/tiny", home.path(), server.endpoint())
        .env("HF_HUB_OFFLINE", "1")
        .run();
    for model in [
        format!("org/tiny@{COMMIT}"),
        format!("org/tiny@{COMMIT}/model.safetensors"),
    ] {
        let done = predict(&model, home.path(), server.endpoint()).run();
        assert_eq!(
            (done.status, &done.stdout),
            (0, &offline.stdout),
            "{}",
            done.stderr
        );
    }
    assert_eq!(server.requests(), [""; 0]);
}

#[test]
fn variables_in_the_path_of_the_cache_are_expanded() {
    let home = cached_home();
    let done = Resnet::line("predict assets/images/cat.png -m org/tiny")
        .env("HF_HUB_CACHE", "$MY_HOME/${MY_HUB}")
        .env("MY_HOME", home.path())
        .env("MY_HUB", "hub")
        .run();
    assert_eq!(done.status, 0, "{}", done.stderr);
}

#[test]
fn a_proxy_that_fails_is_named() {
    let (home, proxy) = (tempfile::tempdir().unwrap(), closed_address());
    let run = |variable: &str, value: &str| {
        predict("org/tiny", home.path(), "http://hub.invalid")
            .without_env("NO_PROXY")
            .env(variable, value)
            .run()
    };
    let with_password = proxy.replace("http://", "http://ada:secret@");
    for (variable, value) in [("HTTP_PROXY", &proxy), ("ALL_PROXY", &with_password)] {
        let done = run(variable, value);
        let message = format!("cannot reach `http://hub.invalid` through the proxy `{proxy}`: ");
        assert!(done.stderr.contains(&message), "{}", done.stderr);
        assert!(!done.stderr.contains("secret"), "{}", done.stderr);
        assert!(
            hint(&done).contains(&format!("the proxy that {variable} names")),
            "{}",
            done.stderr
        );
    }
    let server = HubServer::start();
    server.misbehave(Some(Fault::Status(407, None)));
    let done = run("HTTP_PROXY", server.endpoint());
    let message = format!(
        "the proxy `{}` wants a user and a password (407",
        server.endpoint()
    );
    assert!(done.stderr.contains(&message), "{}", done.stderr);
    assert!(hint(&done).contains("set HTTP_PROXY to"), "{}", done.stderr);
}
