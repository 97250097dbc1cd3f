//! Tests of the provenance of weights.

use super::*;

fn provenance(data: &str, split: &str) -> TrainingProvenance {
    TrainingProvenance {
        data: canonical(data),
        held_out: None,
        selection: Some(selection(split)),
        from: None,
    }
}

fn selection(split: &str) -> Selection {
    Selection {
        split: split.to_owned(),
        images: 10,
        epoch: 3,
        val_top1: 50.0,
    }
}

#[test]
fn the_keys_on_disk_are_those_of_earlier_versions() {
    let written = serde_json::json!({
        "data": "sample",
        "carved": {"part": 0.1, "seed": 3, "images": 600, "fingerprint": "f"},
        "chosen": {"split": "train", "images": 10, "epoch": 3, "val_top1": 50.0},
    });
    let run = TrainingProvenance {
        held_out: Some(HeldOutSplit {
            fraction: 0.1,
            seed: 3,
            images: 600,
            fingerprint: "f".to_owned(),
        }),
        ..provenance("sample", "train")
    };
    assert_eq!(serde_json::to_value(&run).unwrap(), written);
    let read: TrainingProvenance = serde_json::from_value(written).unwrap();
    assert_eq!(read, run);
}

#[test]
fn images_of_the_earlier_model_count_as_trained_on() {
    let earlier = TrainingProvenance {
        selection: None,
        ..provenance("fashion-mnist", "test")
    };
    let own = TrainingProvenance {
        held_out: Some(HeldOutSplit {
            fraction: 0.1,
            seed: 0,
            images: 600,
            fingerprint: String::new(),
        }),
        from: Some(Box::new(earlier)),
        ..provenance("sample", "train")
    };
    assert_eq!(
        own.exposure("sample", HELD_OUT),
        Exposure::TrainedAndSelected(selection("train"))
    );
    assert_eq!(own.exposure("sample", "test"), Exposure::Never);
    let other = TrainingProvenance {
        from: own.from.clone(),
        ..provenance("mnist", "test")
    };
    assert_eq!(other.exposure("fashion-mnist", "train"), Exposure::Trained);
    assert_eq!(
        other.exposure("mnist", "test"),
        Exposure::Selected(selection("test"))
    );
}

#[test]
fn a_named_dataset_is_the_same_wherever_its_files_are() {
    let run = provenance("cifar10:some/folder", "test");
    assert_eq!(
        run.exposure("cifar10", "test"),
        Exposure::Selected(selection("test"))
    );
    assert_eq!(
        run.exposure("cifar10:elsewhere", "train"),
        Exposure::Trained
    );
    assert_eq!(run.exposure("cifar10", "val"), Exposure::Never);
    assert_eq!(run.exposure("cifar100", "test"), Exposure::Never);
    assert_eq!(run.exposure("fake:10", "train"), Exposure::Never);
}

#[test]
fn the_sample_is_a_part_of_fashion_mnist() {
    let whole = provenance("fashion-mnist", "test");
    assert_eq!(
        whole.exposure("sample", "test"),
        Exposure::Selected(selection("test"))
    );
    assert_eq!(whole.exposure("sample", "train"), Exposure::Trained);
    let part = provenance("sample", "train");
    assert_eq!(
        part.exposure("fashion-mnist:x", "train"),
        Exposure::TrainedAndSelected(selection("train"))
    );
    assert_eq!(part.exposure("fashion-mnist", "test"), Exposure::Never);
    assert_eq!(part.exposure("mnist", "train"), Exposure::Never);
}

#[test]
fn folders_are_the_same_by_their_true_paths() {
    let folder = tempfile::tempdir().unwrap();
    for split in ["train", "validation", "test"] {
        fs::create_dir(folder.path().join(split)).unwrap();
    }
    let written = |rest: &str| folder.path().join(rest).display().to_string();
    let run = provenance(&written(""), "val");
    assert_eq!(
        run.exposure(&written("train/.."), "val"),
        Exposure::Selected(selection("val"))
    );
    assert_eq!(
        run.exposure(&written("."), "all"),
        Exposure::TrainedAndSelected(selection("val"))
    );
    assert_eq!(run.exposure(&written("."), "test"), Exposure::Never);
    assert_eq!(
        run.exposure(&written("validation"), "all"),
        Exposure::Selected(selection("val"))
    );
    assert_eq!(run.exposure(&written("train"), "all"), Exposure::Trained);
    assert_eq!(run.exposure(&written("test"), "all"), Exposure::Never);
}

#[test]
fn the_folder_of_a_split_is_recognized_by_every_name_of_it() {
    for (train, test) in [("train", "test"), ("Training", "testing")] {
        let folder = tempfile::tempdir().unwrap();
        let written = |rest: &str| folder.path().join(rest).display().to_string();
        for part in [train, test] {
            fs::create_dir(written(part)).unwrap();
        }
        let run = provenance(&written(""), "test");
        assert_eq!(run.exposure(&written(train), "all"), Exposure::Trained);
        let seen = run.exposure(&written(test), "all");
        assert_eq!(seen, Exposure::Selected(selection("test")));
    }
}

#[test]
fn a_part_held_out_of_train_is_in_train() {
    assert_eq!(
        provenance("sample", "train").exposure("sample", "train"),
        Exposure::TrainedAndSelected(selection("train"))
    );
    assert_eq!(
        provenance("sample", "train").exposure("sample", "test"),
        Exposure::Never
    );
}

#[test]
fn the_last_model_is_trained_on_train_and_not_selected() {
    let last = TrainingProvenance {
        selection: None,
        ..provenance("sample", "train")
    };
    assert_eq!(last.exposure("sample", "train"), Exposure::Trained);
    assert_eq!(last.exposure("sample", "all"), Exposure::Trained);
    assert_eq!(last.exposure("sample", HELD_OUT), Exposure::Never);
    assert_eq!(last.exposure("sample", TRAINED_ON), Exposure::Trained);
    let best = provenance("sample", "train");
    assert_eq!(
        best.exposure("sample", HELD_OUT),
        Exposure::Selected(selection("train"))
    );
    assert_eq!(best.exposure("sample", "val"), Exposure::Never);
}
