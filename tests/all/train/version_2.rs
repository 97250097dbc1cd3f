//! States of version 2, which do not say whether the run ended inside an epoch.

use super::{SMALL, data, files, outcome, trained};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

/// Rewrites the state of a run as version 2, with or without the best epoch of an end inside an epoch.
fn make_version_2(run: &Path, names_best: bool) {
    let path = run.join("state.safetensors");
    let bytes = fs::read(&path).unwrap();
    let values = 8 + length_of(&bytes);
    let mut header: Value = serde_json::from_slice(&bytes[8..values]).unwrap();
    let metadata = header["__metadata__"].as_object_mut().unwrap();
    for text in metadata.values_mut() {
        let mut state: Value = serde_json::from_str(text.as_str().unwrap()).unwrap();
        assert_eq!(state["version"], 3);
        state["version"] = json!(2);
        let progress = state["standing"].as_object_mut().unwrap();
        if let Some(provisional) = progress.remove("provisional")
            && names_best
        {
            progress.insert("ended_inside".to_owned(), provisional["best"].clone());
        }
        *text = Value::String(state.to_string());
    }
    let header = header.to_string();
    let length = (header.len() as u64).to_le_bytes();
    let changed = [&length, header.as_bytes(), &bytes[values..]].concat();
    fs::write(&path, changed).unwrap();
}

/// Returns the length of the header of a safetensors file.
fn length_of(bytes: &[u8]) -> usize {
    u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize
}

/// Copies a run folder.
fn copy(from: &Path, to: &Path) {
    for (path, bytes) in files(from) {
        let path = to.join(path.strip_prefix(from).unwrap());
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
}

#[test]
fn a_state_of_version_2_resumes_bit_for_bit() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    data(folder);
    let line = format!("-d data {SMALL} --epochs 3");
    trained(folder, &format!("{line} -o whole"));
    for steps in [3, 17] {
        trained(folder, &format!("{line} --max-steps {steps} -o {steps}"));
    }
    for (steps, names_best) in [(3, true), (17, true), (17, false)] {
        let name = format!("run-{steps}-{names_best}");
        let run = folder.join(&name);
        copy(&folder.join(steps.to_string()), &run);
        let ended = outcome(&run);
        make_version_2(&run, names_best);
        let done = trained(folder, &format!("--resume {name}"));
        let finished = format!("note: the run is finished after {steps} steps");
        assert!(done.stderr.starts_with(&finished), "{}", done.stderr);
        assert!(outcome(&run) == ended, "{name}");
        trained(folder, &format!("--resume {name} --epochs 3"));
        assert!(outcome(&run) == outcome(&folder.join("whole")), "{name}");
    }
}
