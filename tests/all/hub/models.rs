//! Tests of MODEL from the hub on the command line, with the loopback hub: names, revisions, cache, offline mode,
//! rejections.

use crate::support::command::{Finished, Resnet, Running};
use crate::support::hub_server::{Fault, HubServer};
use std::fs;
use std::path::Path;

const CAT: &str = "assets/images/cat.png";

/// Publishes every file of a fixture's folder as `repo`.
fn publish(server: &HubServer, repo: &str, revision: &str, folder: &str) {
    let folder = Path::new("tests/fixtures/weights").join(folder);
    let files: Vec<(String, Vec<u8>)> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            (
                path.file_name().unwrap().to_str().unwrap().to_owned(),
                fs::read(path).unwrap(),
            )
        })
        .collect();
    let files: Vec<(&str, &[u8])> = files
        .iter()
        .map(|(name, bytes)| (name.as_str(), bytes.as_slice()))
        .collect();
    server.publish(repo, revision, &"0123456789".repeat(4), &files);
}

fn online(server: &HubServer, home: &Path, line: &str) -> Resnet {
    Resnet::line(line)
        .env("HF_ENDPOINT", server.endpoint())
        .env("HF_HOME", home)
        .env("NO_PROXY", "127.0.0.1")
        .without_env("HF_HUB_OFFLINE")
}

fn run(server: &HubServer, home: &Path, line: &str) -> Finished {
    online(server, home, line).run()
}

#[test]
fn processes_that_lack_a_model_download_it_once() {
    let (server, home) = (HubServer::start(), tempfile::tempdir().unwrap());
    publish(&server, "org/tiny", "main", "transformers_basic");
    let line = format!("predict {CAT} -m org/tiny -f json");
    let running: Vec<_> = (0..4)
        .map(|_| online(&server, home.path(), &line).start())
        .collect();
    let done: Vec<Finished> = running.into_iter().map(Running::finish).collect();
    for done in &done {
        assert_eq!(done.status, 0, "{}", done.stderr);
    }
    for file in ["config.json", "model.safetensors"] {
        let requests = server.requests();
        let of_file = requests
            .iter()
            .filter(|request| request.starts_with("GET ") && request.ends_with(file));
        assert_eq!(of_file.count(), 1, "{file}: {requests:#?}");
    }
}

#[test]
fn a_wait_for_the_download_of_another_process_is_told_except_with_quiet() {
    let (server, home) = (HubServer::start(), tempfile::tempdir().unwrap());
    publish(&server, "org/tiny", "main", "transformers_basic");
    let locks = home.path().join("hub/.locks");
    fs::create_dir_all(&locks).unwrap();
    let lock = fs::File::create(locks.join("models--org--tiny.resnet")).unwrap();
    lock.lock().unwrap();
    let line = format!("predict {CAT} -m org/tiny -f json");
    let flags = ["", " -q", " --log-format json"];
    let running = flags.map(|flag| online(&server, home.path(), &format!("{line}{flag}")).start());
    std::thread::sleep(std::time::Duration::from_secs(4));
    lock.unlock().unwrap();
    let [text, quiet, json] = running.map(Running::finish);
    for done in [&text, &quiet, &json] {
        assert_eq!(done.status, 0, "{}", done.stderr);
    }
    let note = "waiting for another process, which downloads from `org/tiny`";
    assert!(
        text.stderr.starts_with(&format!("note: {note}\n")),
        "{}",
        text.stderr
    );
    assert_eq!(quiet.stderr, "");
    let first = json.stderr.lines().next().unwrap_or_default();
    let first: serde_json::Value = serde_json::from_str(first).unwrap();
    assert_eq!(first["message"], note);
}

#[test]
fn a_short_name_is_timms_default_and_the_second_run_makes_no_request() {
    let (server, home) = (HubServer::start(), tempfile::tempdir().unwrap());
    publish(
        &server,
        "timm/resnet50.a1_in1k",
        "main",
        "transformers_bottleneck",
    );
    let line = format!("predict {CAT} -f json");
    let first = run(&server, home.path(), &line);
    assert_eq!(first.status, 0, "{}", first.stderr);
    assert!(first.stderr.contains("downloading"), "{}", first.stderr);
    let requests = server.requests().len();
    let second = run(&server, home.path(), &line);
    assert_eq!(second.stdout, first.stdout);
    assert_eq!(server.requests().len(), requests);
    let offline = Resnet::line(&line)
        .env("HF_HOME", home.path())
        .env("HF_ENDPOINT", server.endpoint())
        .run();
    assert_eq!(offline.stdout, first.stdout);
    assert_eq!(server.requests().len(), requests);
}

#[test]
fn summary_downloads_the_configuration_and_no_weights() {
    let (server, home) = (HubServer::start(), tempfile::tempdir().unwrap());
    publish(&server, "org/tiny", "main", "transformers_bottleneck");
    let done = run(&server, home.path(), "summary org/tiny");
    assert_eq!(done.status, 0, "{}", done.stderr);
    assert!(done.stdout.contains("Bottleneck-"), "{}", done.stdout);
    let requests = server.requests();
    assert!(
        !requests.is_empty()
            && requests
                .iter()
                .all(|request| !request.contains("safetensors")),
        "{requests:#?}"
    );
}

#[test]
fn offline_with_the_configuration_alone_says_that_the_weights_are_not_cached() {
    let (server, home) = (HubServer::start(), tempfile::tempdir().unwrap());
    publish(&server, "org/tiny", "main", "transformers_basic");
    assert_eq!(run(&server, home.path(), "summary org/tiny").status, 0);
    let line = format!("predict {CAT} -m org/tiny");
    let done = Resnet::line(&line).env("HF_HOME", home.path()).run();
    assert_eq!(done.status, 1);
    assert!(
        done.stderr.contains("`model.safetensors`") && done.stderr.contains("HF_HUB_OFFLINE"),
        "{}",
        done.stderr
    );
}

#[test]
fn offline_the_hints_name_what_needs_no_download() {
    let home = tempfile::tempdir().unwrap();
    for (line, expected) in [
        (
            format!("predict {CAT}"),
            "; without a download: `-m sample`, the small model inside the binary, or `-m RUN_DIR`\n",
        ),
        (
            "summary resnet18".to_owned(),
            "; without a download: `resnet summary --depth 18`\n",
        ),
        ("summary org/tiny".to_owned(), ", or pass a local file\n"),
        (
            format!("predict {CAT} -m org/tiny"),
            ", or pass a local file\n",
        ),
    ] {
        let done = Resnet::line(&line).env("HF_HOME", home.path()).run();
        assert_eq!(done.status, 1, "{line}: {}", done.stderr);
        assert!(done.stderr.ends_with(expected), "{line}: {}", done.stderr);
    }
}

#[test]
fn a_revision_and_a_file_are_requested_by_name() {
    let (server, home) = (HubServer::start(), tempfile::tempdir().unwrap());
    publish(&server, "org/tiny", "v2", "transformers_basic");
    let done = run(
        &server,
        home.path(),
        &format!("predict {CAT} -m org/tiny@v2"),
    );
    assert_eq!(done.status, 0, "{}", done.stderr);
    // The rest comes from the commit that the revision named, so that all files are of one.
    assert_eq!(
        server.requests()[0],
        "HEAD /org/tiny/resolve/v2/config.json"
    );
    assert!(
        server
            .requests()
            .iter()
            .all(|request| !request.contains("/main/"))
    );
    let weights = fs::read("tests/fixtures/weights/basic.pth").unwrap();
    server.publish(
        "org/plain",
        "main",
        &"a".repeat(40),
        &[("narrow.pth", weights.as_slice())],
    );
    let done = run(
        &server,
        home.path(),
        &format!("predict {CAT} -m org/plain/narrow.pth"),
    );
    assert_eq!(done.status, 0, "{}", done.stderr);
}

#[test]
fn a_refusal_of_the_hub_is_reported_with_the_way_out() {
    let (server, home) = (HubServer::start(), tempfile::tempdir().unwrap());
    publish(&server, "org/tiny", "main", "transformers_basic");
    let predict = |model: &str| run(&server, home.path(), &format!("predict {CAT} -m {model}"));
    for (model, part) in [
        ("org/none", "org/none"),
        ("org/tiny@none", "none"),
        ("org/tiny/none.safetensors", "none.safetensors"),
    ] {
        let done = predict(model);
        assert_eq!(done.status, 1);
        assert!(
            done.stderr.contains("error: ") && done.stderr.contains(part),
            "{}",
            done.stderr
        );
        assert!(done.stderr.contains("\nhint: "), "{}", done.stderr);
        // What may be a path was none: that comes first.
        assert_eq!(
            done.stderr.starts_with(
                "error: there is no file or folder `org/none`, and as a hub repository: "
            ),
            model == "org/none",
            "{}",
            done.stderr
        );
    }
    publish(&server, "org/gated", "main", "transformers_basic");
    server.require_token("hf_right");
    server.gate();
    let done = predict("org/gated");
    assert_eq!(done.status, 1);
    assert!(done.stderr.contains("HF_TOKEN"), "{}", done.stderr);
}

#[test]
fn a_transfer_that_breaks_leaves_no_weights_and_the_next_run_works() {
    let (server, home) = (HubServer::start(), tempfile::tempdir().unwrap());
    publish(&server, "org/tiny", "main", "transformers_basic");
    server.misbehave(Some(Fault::Cut {
        after: 300,
        times: usize::MAX,
    }));
    let line = format!("predict {CAT} -m org/tiny");
    let done = run(&server, home.path(), &line);
    assert_eq!(done.status, 1, "{}", done.stdout);
    assert!(done.stderr.contains("\nhint: "), "{}", done.stderr);
    server.misbehave(None);
    let done = run(&server, home.path(), &line);
    assert_eq!(done.status, 0, "{}", done.stderr);
}
