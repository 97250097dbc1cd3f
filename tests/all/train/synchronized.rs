//! Shards that share their batch-norm statistics: equal bits on any number of processes, and the training of one shard.

use super::processes::{
    SMALL, assert_resumes, assert_same_bits, in_processes, results, shared, train, train_recipe,
};
use super::write_images;
use candle_core::{DType, Device, Tensor};
use resnet::train::{Observer, RunStarted, Step};
use std::fs;
use std::path::Path;

#[test]
fn shards_that_share_statistics_train_to_the_same_bits_on_any_number_of_processes() {
    let folder = tempfile::tempdir().unwrap();
    for (name, keys) in [
        // The last batch has 3 images: a process has no shard of it.
        (
            "plain",
            "data = 'fake:19:3'\nepochs = 2\nbatch-size = 8\nlr = 0.05",
        ),
        (
            "all",
            "data = 'fake:30:3'\nepochs = 1\nbatch-size = 9\nlr = 0.05\nmixup = 0.3\nema = 0.9\nclip-grad = 0.5\ngrad-accumulation = 2\nclass-weights = 'auto'",
        ),
        (
            "f64",
            "data = 'fake:11:3'\nepochs = 1\nbatch-size = 8\nlr = 0.05\ndtype = 'f64'",
        ),
        (
            "frozen",
            "data = 'fake:16:3'\nepochs = 1\nbatch-size = 8\nlr = 0.05\nfreeze = 'layer1'",
        ),
        (
            "probe",
            "data = 'fake:16:3'\nepochs = 1\nbatch-size = 8\nlr = 0.05\nfreeze = 'backbone'",
        ),
    ] {
        let keys = format!("{keys}\nsync-bn = true");
        assert_same_bits(folder.path(), name, &keys, 4);
    }
}

/// Returns the tensors of a run's state: weights, moving averages and optimizer.
fn state(run: &Path) -> Vec<(String, Tensor)> {
    let tensors = candle_core::safetensors::load(run.join("state.safetensors"), &Device::Cpu);
    let mut tensors: Vec<_> = tensors.unwrap().into_iter().collect();
    tensors.retain(|(_, tensor)| tensor.dtype().is_float());
    tensors.sort_by(|(name, _), (other, _)| name.cmp(other));
    tensors
}

/// Returns the largest distance of a tensor from its counterpart, relative to the norm of that.
fn distance(ours: &[(String, Tensor)], theirs: &[(String, Tensor)]) -> f64 {
    let norm = |tensor: &Tensor| -> f64 {
        let sum = tensor.sqr().unwrap().sum_all().unwrap();
        sum.to_scalar::<f64>().unwrap().sqrt()
    };
    let wide = |tensor: &Tensor| tensor.to_dtype(DType::F64).unwrap();
    assert_eq!(ours.len(), theirs.len());
    let distances = ours
        .iter()
        .zip(theirs)
        .map(|((name, our), (other, their))| {
            assert_eq!(name, other);
            let difference = norm(&(wide(our) - wide(their)).unwrap());
            difference / norm(&wide(their)).max(1e-6)
        });
    distances.fold(0.0, f64::max)
}

#[test]
fn shards_that_share_statistics_train_as_one_shard_with_all_images() {
    let folder = tempfile::tempdir().unwrap();
    for (name, keys) in [
        ("plain", "batch-size = 8"),
        // The last batch has 6 images.
        (
            "all",
            "batch-size = 9\nclass-weights = 'auto'\nlabel-smoothing = 0.1\nema = 0.9\ngrad-accumulation = 2\nclip-grad = 1",
        ),
        ("frozen", "batch-size = 8\nfreeze = 'layer2'"),
        ("images", "batch-size = 4"),
    ] {
        // The difference is the rounding of sums in another order, 1e-16 in f64 and 1e-7 in f32, which grows a hundredfold over the steps.
        for (dtype, tolerance) in [("f64", 1e-12), ("f32", 1e-3)] {
            let run = |shards: usize, sync: bool| {
                let run = folder
                    .path()
                    .join(format!("{name}-{dtype}-{shards}-{sync}"));
                let keys = format!(
                    "data = 'fake:24:3'\nepochs = 1\nlr = 0.02\n{keys}\ndtype = '{dtype}'\nshards = {shards}\nsync-bn = {sync}"
                );
                train(&keys, &run, 1);
                state(&run)
            };
            let whole = run(1, false);
            let shared = distance(&run(4, true), &whole);
            assert!(shared < tolerance, "{name}, {dtype}: {shared:e}");
            if dtype == "f64" && name != "images" {
                let own = distance(&run(4, false), &whole);
                assert!(own > 1e-3, "{name}: {own:e}");
            }
        }
    }
}

#[test]
fn a_single_shard_has_nothing_to_share() {
    let folder = tempfile::tempdir().unwrap();
    let weights = |sync: bool| {
        let run = folder.path().join(sync.to_string());
        let keys = "data = 'fake:8:3'\nepochs = 1\nbatch-size = 4\nlr = 0.05";
        train(&format!("{keys}\nsync-bn = {sync}"), &run, 1);
        results(&run)
    };
    // The metadata of the weights do not name the recipe.
    assert!(weights(true) == weights(false));
}

#[test]
fn a_run_that_shares_statistics_resumes_on_another_number_of_processes() {
    let folder = tempfile::tempdir().unwrap();
    let keys = "data = 'fake:22:3'\nbatch-size = 8\nlr = 0.05\nscheduler = 'constant'\nshards = 4\nsync-bn = true";
    assert_resumes(folder.path(), keys, [[4, 1], [1, 3], [2, 4]]);
}

#[test]
fn unreadable_images_count_for_nothing_in_the_statistics() {
    let folder = tempfile::tempdir().unwrap();
    let images = folder.path().join("data/train");
    write_images(&images, &[("a", 8), ("b", 12)]);
    write_images(&folder.path().join("data/val"), &[("a", 1), ("b", 1)]);
    // Four images per batch, in the order of their names: of the fourth, one is readable, which a last stage of one pixel cannot be trained on; of the fifth, none.
    for name in [
        "a/0", "a/1", "a/5", "b/10", "b/3", "b/4", "b/5", "b/6", "b/7", "b/8", "b/9",
    ] {
        fs::write(images.join(name).with_extension("png"), "not an image").unwrap();
    }
    let data = folder.path().join("data");
    let keys = |epochs: usize, more: &str| {
        format!(
            "depth = 20\nwidth = 4\nimage-size = 4\nseed = 5\ndata = '{}'\nepochs = {epochs}\nbatch-size = 4\nno-shuffle = true\naugment = 'none'\nsync-bn = true\n{more}",
            data.display()
        )
    };
    let run = |size: usize| folder.path().join(size.to_string());
    train_recipe(&keys(2, "shards = 4\nlr = 0.05"), &run(1), 1);
    let alone = results(&run(1));
    for size in 2..=4 {
        train_recipe(&keys(2, "shards = 4\nlr = 0.05"), &run(size), size);
        assert!(results(&run(size)) == alone, "on {size} processes");
    }
    // One shard, which leaves the same images out, trains alike. The statistics of two or three values multiply rounding a hundredfold
    // from step to step, so that there are few steps and tiny ones: the gradients are in the momentum.
    let [whole, parts] = [1, 4].map(|shards| {
        let run = folder.path().join(format!("f64-{shards}"));
        train_recipe(
            &keys(1, &format!("dtype = 'f64'\nlr = 1e-6\nshards = {shards}")),
            &run,
            1,
        );
        state(&run)
    });
    let distance = distance(&parts, &whole);
    assert!(distance < 1e-10, "{distance:e}");
}

/// An observer that fails after the first step.
struct Failing;

impl Observer for Failing {
    fn note(&mut self, _: &resnet::error::Message) {}

    fn started(&mut self, _: &RunStarted) {}

    fn step(&mut self, _: &Step) -> anyhow::Result<()> {
        anyhow::bail!("no power")
    }

    fn progress(&mut self, _: &str, _: usize, _: usize) {}

    fn epoch(&mut self, _: &resnet::train::Epoch, _: bool) -> anyhow::Result<()> {
        Ok(())
    }

    fn unreadable(&mut self, _: &anyhow::Error) {}

    fn should_stop(&self) -> bool {
        false
    }
}

#[test]
fn a_process_that_fails_ends_the_sums_of_the_others() {
    let errors = in_processes(2, |processes| {
        let keys = format!(
            "{SMALL}data = 'fake:16:3'\nbatch-size = 8\nshards = 4\nsync-bn = true\nlr = 0.05"
        );
        let is_first = processes.is_first();
        let mut failing = Failing;
        let mut builder = shared(&keys, processes)?.dry_run();
        if !is_first {
            builder = builder.observer(&mut failing);
        }
        Ok(builder.start()?.run()?)
    });
    let errors = errors.iter().map(|done| done.as_ref().unwrap_err());
    let errors: Vec<String> = errors.map(|error| format!("{error:#}")).collect();
    assert!(errors[0].contains("process 1 "), "{errors:?}");
    assert_eq!(errors[1], "no power");
}
