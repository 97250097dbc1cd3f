//! Tests of how the files of a model are found, in a folder and on the hub.

use super::*;

#[test]
fn the_hubs_weights_are_found_under_their_usual_names() {
    let hub = Folders::new(fixture(""));
    for name in ["bottleneck", "parts", "binary"] {
        let checkpoint = Checkpoint::open(&format!("org/transformers_{name}@main"), &hub).unwrap();
        assert_equals(&checkpoint, "transformers_bottleneck", name);
        assert_eq!(
            checkpoint.info.name,
            format!("org/transformers_{name}@main")
        );
    }
    let checkpoint = Checkpoint::open("org/expected/tied.safetensors", &hub).unwrap();
    assert_equals(&checkpoint, "tied", "one file");
    // No configuration there: the shapes tell, and the weights are needed for them.
    let info = ModelInfo::open("org/expected/tied.safetensors", &hub).unwrap();
    assert_eq!(info, checkpoint.info);
    let error = Checkpoint::open("org/timm_resnet50", &hub).err().unwrap();
    assert_eq!(
        error.to_string(),
        "repository `org/timm_resnet50` has no weights: neither `model.safetensors` nor `pytorch_model.bin`"
    );
}

#[test]
fn a_run_folder_stands_for_its_best_model_and_a_single_file_needs_no_name() {
    let run = tempfile::tempdir().unwrap();
    for (name, weights) in [("best", "tied"), ("last", "basic")] {
        fs::create_dir(run.path().join(name)).unwrap();
        let from = fixture("expected").join(format!("{weights}.safetensors"));
        fs::copy(from, run.path().join(name).join("model.safetensors")).unwrap();
    }
    fs::write(run.path().join("state.safetensors"), "").unwrap();
    assert_equals(&open(run.path()).unwrap(), "tied", "best");
    fs::remove_dir_all(run.path().join("best")).unwrap();
    assert_equals(&open(run.path()).unwrap(), "basic", "last");
    let (message, hint) = refusal(&run.path().join("state.safetensors"));
    assert_eq!(message, "it is the state of a training run, not a model");
    assert!(hint.contains("best") && hint.contains("last"), "{hint}");
    fs::remove_dir_all(run.path().join("last")).unwrap();
    let (message, hint) = refusal(run.path());
    assert_eq!(
        message,
        "run folder `FILE` holds no model: it has neither `best/` nor `last/`"
    );
    assert!(hint.contains("train with resume = "), "{hint}");

    let folder = tempfile::tempdir().unwrap();
    let (message, hint) = refusal(folder.path());
    assert_eq!(message, "folder `FILE` holds no weights");
    assert!(hint.contains("model.safetensors"));
    fs::copy(fixture("basic.pth"), folder.path().join("a.pth")).unwrap();
    assert_equals(&open(folder.path()).unwrap(), "basic", "a lone file");
    fs::copy(fixture("basic.pth"), folder.path().join("b.pth")).unwrap();
    assert_eq!(
        refusal(folder.path()).0,
        "folder `FILE` holds several files of weights: `a.pth`, `b.pth`"
    );
}
