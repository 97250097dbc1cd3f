//! Tests of the progress reports of a download.

use super::*;
use resnet::hub::Progress;
use std::sync::Mutex;

#[derive(Default)]
struct Recorder(Mutex<Vec<String>>);

impl Progress for Recorder {
    fn start(&self, file: &str, total_bytes: Option<u64>) {
        let line = format!("start {file} {total_bytes:?}");
        self.0.lock().unwrap().push(line);
    }
    fn advance(&self, bytes: u64) {
        self.0.lock().unwrap().push(bytes.to_string());
    }
    fn finish(&self) {
        self.0.lock().unwrap().push("finish".to_owned());
    }
    fn wait(&self, repo: &str) {
        self.0.lock().unwrap().push(format!("wait {repo}"));
    }
}

#[test]
fn a_wait_for_another_process_is_told_once_and_only_if_it_is_long() {
    let scene = Scene::new();
    let locks = scene.cache.path().join(".locks");
    fs::create_dir_all(&locks).unwrap();
    let lock = fs::File::create(locks.join("models--org--name.resnet")).unwrap();
    for (file, held, told) in [
        ("config.json", Duration::from_millis(100), 0),
        ("model.safetensors", Duration::from_millis(2500), 1),
    ] {
        let recorder = Recorder::default();
        lock.lock().unwrap();
        std::thread::scope(|scope| {
            let (hub, recorder) = (scene.hub(), &recorder);
            let waiting = scope.spawn(move || hub.file(REPO, None, file, recorder).map(|_| ()));
            std::thread::sleep(held);
            let lines = recorder.0.lock().unwrap().clone();
            assert_eq!(lines, vec!["wait org/name"; told], "{file}");
            lock.unlock().unwrap();
            waiting.join().unwrap().unwrap();
        });
    }
}

#[test]
fn progress_is_reported_up_to_the_last_byte_and_not_for_cached_files() {
    let scene = Scene::new();
    let recorder = Recorder::default();
    scene
        .hub()
        .file(REPO, None, "model.safetensors", &recorder)
        .unwrap();
    let told = std::mem::take(&mut *recorder.0.lock().unwrap());
    assert_eq!(
        told.first().unwrap(),
        "start model.safetensors Some(300000)"
    );
    assert_eq!(told[told.len() - 2..], ["300000", "finish"]);
    let steps: Vec<u64> = told[1..told.len() - 1]
        .iter()
        .map(|step| step.parse().unwrap())
        .collect();
    assert!(steps.is_sorted(), "{steps:?}");

    scene
        .hub()
        .file(REPO, None, "model.safetensors", &recorder)
        .unwrap();
    assert!(recorder.0.lock().unwrap().is_empty());
}

#[test]
fn each_attempt_of_a_broken_transfer_is_started_and_finished() {
    let scene = Scene::new();
    scene.server.misbehave(Some(Fault::Cut {
        after: 1000,
        times: 2,
    }));
    let recorder = Recorder::default();
    scene
        .hub()
        .file(REPO, None, "model.safetensors", &recorder)
        .unwrap();
    let told = recorder.0.lock().unwrap();
    for word in ["start", "finish"] {
        assert_eq!(told.iter().filter(|line| line.starts_with(word)).count(), 3);
    }
}
