//! Refusals and notes of a resumed run.

use super::{context, notes, start};
use crate::error::{hint_of, is_usage_error, one_line};
use crate::train::data::validation::ValidationMetrics;
use crate::train::observe::recorded::Recorded;
use crate::train::trainer::Trainer;
use crate::train::trainer::resume::Length;
use crate::train::trainer::target::Target;
use anyhow::Result;
use image::{Rgb, RgbImage};
use std::fs;
use std::path::Path;

/// Resumes a run with a limit of steps, if any.
fn resume(run: &Path, max_steps: Option<u64>) -> (Result<Trainer>, Vec<String>) {
    let length = Length {
        epochs: None,
        max_steps,
    };
    let mut observer = Recorded::default();
    let trainer = Trainer::start_resumed(run, length, &context(), &mut observer);
    (trainer, observer.events)
}

/// Writes a folder of two classes, four training images and two validation images of each.
fn write_images(folder: &Path) {
    for (part, count) in [("train", 4), ("val", 2)] {
        for (class, level) in [("a", 40_u8), ("b", 140)] {
            let folder = folder.join(part).join(class);
            fs::create_dir_all(&folder).unwrap();
            for number in 0..count {
                let color = Rgb([level, number * 20, u8::from(part == "val")]);
                let image = RgbImage::from_pixel(18, 18, color);
                image.save(folder.join(format!("{number}.png"))).unwrap();
            }
        }
    }
}

#[test]
fn edits_of_config_toml_are_noted_as_they_change_nothing() {
    let root = tempfile::tempdir().unwrap();
    let run = root.path().join("run");
    let target = Target::Folder(run.clone());
    start("epochs = 4\nmax-steps = 3", &target)
        .0
        .map(drop)
        .unwrap();
    let config = run.join("config.toml");
    let text = fs::read_to_string(&config).unwrap();
    let (trainer, events) = resume(&run, None);
    trainer.map(drop).unwrap();
    assert!(
        !events.iter().any(|event| event.contains("config.toml")),
        "{events:?}"
    );
    let edited = text.replace("epochs = 4\n", "epochs = 20\nema = 0.5\n");
    fs::write(&config, &edited).unwrap();
    let (trainer, events) = resume(&run, None);
    trainer.map(drop).unwrap();
    for note in [
        "config.toml has epochs = 20, but a resumed run keeps 4: pass ",
        "config.toml has ema = 0.5, but a resumed run keeps unset: to change it, start a new run with ",
    ] {
        let notes = notes(&events);
        assert!(notes.iter().any(|text| text.starts_with(note)), "{notes:?}");
    }
    fs::write(&config, "epochs = x").unwrap();
    let (trainer, events) = resume(&run, Some(4));
    trainer.map(drop).unwrap();
    let note = format!("cannot read recipe `{}`: line 1: ", config.display());
    assert!(notes(&events)[0].starts_with(&note), "{events:?}");
    let written = fs::read_to_string(&config).unwrap();
    assert!(written.contains("\nepochs = 4\n") && written.contains("\nmax-steps = 4\n"));
}

#[test]
fn a_run_resumes_with_its_own_images_only_and_notes_changed_ones_once() {
    let root = tempfile::tempdir().unwrap();
    let (data, run) = (root.path().join("data"), root.path().join("run"));
    write_images(&data);
    let keys = format!("data = '{}'\nepochs = 2", data.display());
    start(&keys, &Target::Folder(run.clone()))
        .0
        .map(drop)
        .unwrap();
    let refused = |what: &str, expected: &str, hint: &str| {
        let error = resume(&run, None).0.err().unwrap();
        let text = one_line(&error);
        let start = format!("cannot resume `{}`: {expected}", run.display());
        assert!(text.starts_with(&start), "{what}: {text}");
        let found = hint_of(&error).unwrap().to_string();
        assert!(found.starts_with(hint), "{what}: {found}");
    };
    let others = format!(
        "the images of dataset `{}` are not those that",
        data.display()
    );
    let image = data.join("train/a/3.png");
    let bytes = fs::read(&image).unwrap();
    fs::remove_file(&image).unwrap();
    refused("an image less", &others, "restore the images");
    fs::write(data.join("train/b/13.png"), &bytes).unwrap();
    refused("an image of another class", &others, "restore the images");
    fs::rename(data.join("train/b/13.png"), &image).unwrap();
    fs::copy(&image, data.join("val/b/3.png")).unwrap();
    refused("another validation image", &others, "restore the images");
    fs::remove_file(data.join("val/b/3.png")).unwrap();
    let moved = root.path().join("moved");
    fs::rename(&data, &moved).unwrap();
    let missing = format!("the run's data `{}` is missing", data.display());
    refused(
        "moved images",
        &missing,
        "move the images back, or put a link",
    );
    fs::rename(&moved, &data).unwrap();
    // Saving another length saves the fingerprint of the images as they are now.
    let has_note = |max_steps: u64| {
        let (trainer, events) = resume(&run, Some(max_steps));
        trainer.map(drop).unwrap();
        let changed = "have changed since the run was saved";
        notes(&events).iter().any(|note| note.contains(changed))
    };
    assert!(!has_note(1));
    fs::write(&image, [&bytes[..], b"!"].concat()).unwrap();
    assert!(has_note(2) && !has_note(3));
    // Others of the same names and sizes are noticed, too.
    fs::write(&image, [&bytes[..], b"?"].concat()).unwrap();
    assert!(has_note(2));
}

#[test]
fn a_damaged_state_is_an_error_with_its_name_and_the_way_out() {
    let root = tempfile::tempdir().unwrap();
    let run = root.path().join("run");
    start("", &Target::Folder(run.clone())).0.map(drop).unwrap();
    let state = run.join("state.safetensors");
    let bytes = fs::read(&state).unwrap();
    let refused = |bytes: &[u8]| {
        fs::write(&state, bytes).unwrap();
        let error = resume(&run, None).0.err().unwrap();
        let start = format!("cannot resume `{}`: ", run.display());
        assert!(one_line(&error).starts_with(&start), "{}", one_line(&error));
        error
    };
    for (has_model, way_out) in [
        (
            false,
            "start the run again: no epoch of it was finished".to_owned(),
        ),
        (true, format!("model = {}", run.join("last").display())),
    ] {
        if has_model {
            fs::create_dir(run.join("last")).unwrap();
        }
        for damaged in [
            &bytes[..bytes.len() / 2],
            &bytes[..4],
            b"",
            b"<html>not found</html>",
        ] {
            let error = refused(damaged);
            let named = format!(
                "cannot read `{}`: it is damaged or truncated",
                state.display()
            );
            assert!(one_line(&error).contains(&named), "{}", one_line(&error));
            let hint = hint_of(&error).unwrap().to_string();
            assert!(hint.contains(&way_out), "{hint}");
        }
    }
    // Every byte of the header counts, and a state of another network is none of this one.
    let text = String::from_utf8_lossy(&bytes).into_owned();
    for (from, to, expected) in [
        ("epochs = 1", "epochs = x", "line "),
        (
            "\\\"version\\\":3",
            "\\\"version\\\":7",
            "it has version 7, and this program reads 2 and 3",
        ),
        ("model.conv1", "model.cony1", ""),
        ("model.conv1.weight", "model.conv9.weight", ""),
    ] {
        let at = text.find(from).unwrap_or_else(|| panic!("{from}"));
        let mut changed = bytes.clone();
        changed[at..at + to.len()].copy_from_slice(to.as_bytes());
        let found = one_line(&refused(&changed));
        assert!(found.contains(expected), "{from}: {found}");
    }
}

#[test]
fn a_run_cannot_end_before_the_step_and_the_epoch_that_it_has_reached() {
    let root = tempfile::tempdir().unwrap();
    let run = root.path().join("run");
    let target = Target::Folder(run.clone());
    let mut trainer = start("epochs = 4", &target).0.unwrap();
    (trainer.progress.epoch, trainer.progress.batch) = (2, 1);
    trainer.progress.step = 5;
    trainer.save().unwrap();
    drop(trainer);
    for (epochs, max_steps, expected) in [
        (Some(2), None, "cannot end at epoch 2: epoch 3 has started"),
        (None, Some(4), "cannot end at step 4: 5 are done"),
    ] {
        let length = Length { epochs, max_steps };
        let resumed = Trainer::start_resumed(&run, length, &context(), &mut Recorded::default());
        let error = resumed.err().unwrap();
        assert!(is_usage_error(&error) && hint_of(&error).is_some());
        assert!(one_line(&error).ends_with(expected), "{}", one_line(&error));
    }
    let length = Length {
        epochs: Some(3),
        max_steps: None,
    };
    let mut observer = Recorded::default();
    let resumed = Trainer::start_resumed(&run, length, &context(), &mut observer);
    resumed.map(drop).unwrap();
    let shorter = "the run now has 3 epochs, not 4: the learning rate follows the new schedule";
    assert!(
        notes(&observer.events)
            .iter()
            .any(|note| note.starts_with(shorter))
    );
    assert!(
        observer
            .events
            .contains(&"resuming: at step 6 (epoch 3)".to_owned())
    );
}

#[test]
fn a_run_that_ended_inside_an_epoch_is_finished_with_the_same_length_however_it_is_given() {
    let root = tempfile::tempdir().unwrap();
    let run = root.path().join("run");
    let target = Target::Folder(run.clone());
    let mut trainer = start("epochs = 4\nmax-steps = 1", &target).0.unwrap();
    let progress = &mut trainer.progress;
    progress.totals.add(1.0, 1, 4);
    progress.finish_batch(0);
    progress.finish_step(0.1);
    let epoch = progress.current_epoch(&ValidationMetrics::default());
    progress.end_inside(&epoch, None);
    trainer.save().unwrap();
    drop(trainer);
    let read =
        || ["state.safetensors", "config.toml"].map(|name| fs::read(run.join(name)).unwrap());
    let before = read();
    for (epochs, max_steps) in [(None, None), (None, Some(1)), (Some(4), Some(1))] {
        let length = Length { epochs, max_steps };
        let mut observer = Recorded::default();
        let resumed = Trainer::start_resumed(&run, length, &context(), &mut observer);
        resumed.map(drop).unwrap();
        let note = format!(
            "note: the run is finished after 1 step; `train with resume = {}, epochs = 4` extends it",
            run.display()
        );
        assert_eq!(observer.events, [note]);
        assert!(before == read(), "{length:?}");
    }
}
