//! Every setting of a recipe has the effect that it should, and no other.

use super::{SMALL, data, lines, losses, outcome, trained, write_images};
use std::fs;
use std::path::Path;

/// Only the weights and the order are random.
const PLAIN: &str = "--augment none --max-steps 3 --dry-run --format json -q --lr 0.05 --warmup-epochs 0 --label-smoothing 0";

/// The losses of three steps with `flags` beside [`PLAIN`].
fn three(folder: &Path, flags: &str) -> Vec<f64> {
    let done = trained(folder, &format!("-d data {SMALL} {PLAIN} {flags}"));
    let losses = losses(&done.stdout);
    assert_eq!(losses.len(), 3, "{flags}");
    losses
}

#[test]
fn one_batch_is_learned_by_heart() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let classes = ["a", "b", "c", "d"].map(|class| (class, 4));
    write_images(&folder.join("data/train"), &classes);
    write_images(&folder.join("data/val"), &classes);
    let line = "-d data --depth 20 --width 8 --image-size 16 -b 16 --augment none --label-smoothing 0 --lr 0.1 --max-steps 60 --dry-run --format json -q";
    let done = trained(folder, line);
    let losses = losses(&done.stdout);
    assert!(losses[0] > 1.0, "{}", losses[0]);
    assert!(losses[59] < 0.01, "{}", losses[59]);
}

#[test]
fn what_changes_the_first_loss_and_what_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    data(folder);
    for (name, weights) in [("twos", "2\n2\n2\n2\n"), ("skewed", "1\n2\n3\n4\n")] {
        fs::write(folder.join(name), weights).unwrap();
    }
    let plain = three(folder, "");
    for flags in [
        "--label-smoothing 0.2",
        "--mixup 1",
        "--cutmix 1",
        "--random-erase 1",
        "--class-weights skewed",
        "--zero-init-residual",
        "--seed 5",
        "--no-shuffle",
        "--mean 0.5,0.5,0.5",
        "--augment flip",
        "--augment crop",
        "--augment resized-crop",
        "--augment randaugment",
        "--plain",
        // Its batch norms take no statistics of the batch.
        "--freeze layer2",
        "--batch-size 5",
    ] {
        assert_ne!(three(folder, flags)[..1], plain[..1], "{flags}");
    }
    // The first loss is of the initial weights; what changes their update shows in the second.
    for flags in [
        "--optimizer adam",
        "--optimizer adamw",
        "--nesterov",
        "--momentum 0",
        "--weight-decay 0.1",
        "--clip-grad 0.01",
        "--scheduler onecycle",
        "--lr 0.02",
    ] {
        let losses = three(folder, flags);
        assert_eq!(losses[..1], plain[..1], "{flags}");
        assert_ne!(losses[2..], plain[2..], "{flags}");
    }
    // Classes of equal size have equal weights, and doubling all weights has no effect.
    for flags in [
        "--class-weights auto",
        "--class-weights twos",
        "--clip-grad 1e9",
        "--ema 0.5",
        "--scheduler constant --lr 0.05 --momentum 0.9 --threads 1",
        "--label-smoothing 0 --mixup 0 --cutmix 0 --random-erase 0",
    ] {
        let losses = three(folder, flags);
        let first = if flags.contains("scheduler") { 1 } else { 3 };
        assert_eq!(losses[..first], plain[..first], "{flags}");
    }
    let wide = three(folder, "--dtype f64");
    assert!((wide[0] - plain[0]).abs() < 1e-5, "{wide:?} {plain:?}");
}

#[test]
fn class_weights_weigh_and_no_shuffle_keeps_the_order() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    data(folder);
    // Images of the first class, which come first, have no weight.
    fs::write(folder.join("weights"), "0\n1\n1\n1\n").unwrap();
    let losses = three(folder, "--no-shuffle --class-weights weights");
    assert!(
        losses[0].abs() < 1e-12 && losses[1].abs() < 1e-12,
        "{losses:?}"
    );
    assert!(losses[2] > 0.1, "{losses:?}");
    for (text, expected) in [
        ("1\n2\n3\n", "3 weights for 4 classes"),
        ("1\n2\nx\n4\n", "line 3 is `x`, not a weight"),
        ("1\n2\n-3\n4\n", "line 3 is `-3`, not a weight"),
        ("1\n2\n\ninf\n4\n", "is `inf`, not a weight"),
    ] {
        fs::write(folder.join("weights"), text).unwrap();
        let line = format!("-d data {SMALL} --class-weights weights --dry-run");
        let done = super::train(folder, &line);
        assert_eq!(done.status, 1, "{}", done.stderr);
        assert!(
            done.stderr
                .starts_with("error: cannot read class weights `weights`: "),
            "{}",
            done.stderr
        );
        assert!(done.stderr.contains(expected), "{}", done.stderr);
    }
    // Images of a small class weigh more.
    write_images(&folder.join("few/train"), &[("a", 12), ("b", 2)]);
    write_images(&folder.join("few/val"), &[("a", 2), ("b", 2)]);
    let of = |flags: &str| {
        let line = format!("-d few {SMALL} {PLAIN} {flags} -b 14");
        super::losses(&trained(folder, &line).stdout)[0].to_bits()
    };
    assert_ne!(of(""), of("--class-weights auto"));
}

#[test]
fn rates_follow_their_schedule() {
    let folder = tempfile::tempdir().unwrap();
    let rates = |flags: &str| -> Vec<f64> {
        let line = format!(
            "-d fake:8 {SMALL} -b 2 --epochs 5 --lr 0.1 --dry-run --format json -q {flags}"
        );
        let done = trained(folder.path(), &line);
        let steps = lines(&done.stdout).into_iter();
        steps
            .filter(|line| line.get("step").is_some())
            .map(|line| line["lr"].as_f64().unwrap())
            .collect()
    };
    let constant = rates("--scheduler constant --warmup-epochs 0");
    assert!(constant.len() == 20 && constant.iter().all(|lr| (lr - 0.1).abs() < 1e-15));
    let steps = rates("--scheduler step --milestones 1,3 --warmup-epochs 0");
    for (step, rate) in steps.iter().enumerate() {
        let expected = [0.1, 0.01, 0.01, 0.001, 0.001][step / 4];
        assert!((rate - expected).abs() < 1e-12, "{step}: {rate}");
    }
    let cosine = rates("--scheduler cosine --warmup-epochs 1");
    assert!(
        cosine[..5].windows(2).all(|pair| pair[0] < pair[1]),
        "{cosine:?}"
    );
    assert!(
        cosine[4..].windows(2).all(|pair| pair[0] > pair[1]),
        "{cosine:?}"
    );
    assert!((cosine[4] - 0.1).abs() < 1e-15, "{cosine:?}");
    assert!(cosine[19] < 0.002, "{cosine:?}");
    let cycle = rates("--scheduler onecycle");
    assert!((cycle[0] - 0.004).abs() < 1e-12, "{cycle:?}");
    let top = cycle.iter().copied().fold(0.0, f64::max);
    assert!((top - 0.1).abs() < 1e-12 && cycle[19] < 1e-5, "{cycle:?}");
}

#[test]
fn accumulated_batches_equal_one_batch_where_no_statistics_are_taken() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    data(folder);
    // The head of a frozen network alone: batch norm takes no statistics of the batch.
    let of = |flags: &str| {
        let line = format!(
            "-d data --depth 20 --width 4 --image-size 16 --freeze backbone --lr 0.1 --epochs 2 --dry-run --format json -q {flags}"
        );
        losses(&trained(folder, &line).stdout)
    };
    let (parts, one) = (of("-b 4 --grad-accumulation 4"), of("-b 16"));
    // 40 images: two steps of 16 and one of 8.
    assert_eq!((parts.len(), one.len()), (6, 6));
    for (part, whole) in parts.iter().zip(&one) {
        assert!((part - whole).abs() < 1e-5 * whole, "{parts:?} {one:?}");
    }
    assert_ne!(one[5..], one[..1]);
}

#[test]
fn the_average_of_the_weights_is_validated_and_saved_and_does_not_touch_the_training() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    data(folder);
    let line = format!("-d data {SMALL} --epochs 2 --format json -q");
    let plain = trained(folder, &format!("{line} -o plain"));
    let averaged = trained(folder, &format!("{line} --ema 0.9 -o averaged"));
    assert_eq!(losses(&plain.stdout), losses(&averaged.stdout));
    let [plain_run, averaged_run] = ["plain", "averaged"].map(|run| outcome(&folder.join(run)));
    assert!(plain_run.0[2] != averaged_run.0[2], "last/ is the average");
    assert_ne!(plain_run.1, averaged_run.1);
}

#[test]
fn a_run_ends_early_when_nothing_gets_better() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    data(folder);
    // A head that does not move is never better than after its first epoch; of equal epochs the last is the best.
    let line =
        format!("-d data {SMALL} --freeze backbone --lr 1e-30 --epochs 9 --patience 2 -o run");
    let done = trained(folder, &line);
    assert!(
        done.stderr
            .contains("early stopping: no improvement in 2 epochs"),
        "{}",
        done.stderr
    );
    assert!(done.stderr.contains("best epoch 3: "), "{}", done.stderr);
    assert_eq!(super::metrics(&folder.join("run")).len(), 4);
    // It stays ended.
    let again = trained(folder, "--resume run");
    assert!(again.stderr.contains("stopped early"), "{}", again.stderr);
    assert_eq!(super::metrics(&folder.join("run")).len(), 4);
    let line = format!("-d fake:8 {SMALL} --epochs 3 --patience 1 --dry-run");
    let done = trained(folder, &line);
    assert!(
        done.stderr.contains("--patience has no effect"),
        "{}",
        done.stderr
    );
}
