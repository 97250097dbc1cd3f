//! Training under each MPI: the bits of one process.

use super::support::{FAMILIES, command, launcher};
use std::path::Path;
use std::process::Output;

const RUN: &str = "train -d fake:24:3 --depth 20 --width 4 --image-size 12 --seed 5 -b 8 --lr 0.05 --epochs 2 --shards 4 -q";

/// Runs `resnet` in `folder` with these arguments, in several processes of an MPI if it is given.
pub fn resnet(folder: &Path, arguments: &str, mpi: Option<(&Path, &str, usize)>) -> Output {
    command(folder, arguments, mpi).output().unwrap()
}

#[test]
fn a_recipe_trains_and_resumes_to_the_same_bits_under_every_mpi() {
    let Some(launcher) = launcher() else { return };
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let weights =
        |run: &str| std::fs::read(folder.join(run).join("last/model.safetensors")).unwrap();
    let done = |arguments: &str, mpi| {
        let output = resnet(folder, arguments, mpi);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments}: {errors}");
    };
    done(&format!("{RUN} -o alone"), None);
    for family in FAMILIES {
        for processes in [1, 2, 4] {
            let run = format!("{family}-{processes}");
            let mpi = Some((launcher.as_path(), family, processes));
            done(&format!("{RUN} --max-steps 2 -o {run}"), mpi);
            let other = Some((launcher.as_path(), family, 5 - processes));
            done(
                &format!("train --resume {run} --epochs 2 -q"),
                other.filter(|_| processes > 1),
            );
            assert!(weights(&run) == weights("alone"), "{run}");
        }
    }
}

#[test]
fn shards_share_their_statistics_under_every_mpi() {
    let Some(launcher) = launcher() else { return };
    let folder = tempfile::tempdir().unwrap();
    let weights =
        |run: &str| std::fs::read(folder.path().join(run).join("last/model.safetensors")).unwrap();
    let trained = |run: &str, mpi| {
        let output = resnet(folder.path(), &format!("{RUN} --sync-bn -o {run}"), mpi);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{run}: {errors}");
    };
    trained("alone", None);
    for family in FAMILIES {
        trained(family, Some((launcher.as_path(), family, 2)));
        assert!(weights(family) == weights("alone"), "{family}");
    }
}

#[test]
fn an_error_of_all_processes_is_printed_once() {
    let Some(launcher) = launcher() else { return };
    let folder = tempfile::tempdir().unwrap();
    for family in FAMILIES {
        let mpi = Some((launcher.as_path(), family, 2));
        let output = resnet(folder.path(), "train -d missing --depth 20", mpi);
        let errors = String::from_utf8_lossy(&output.stderr);
        let message = "error: cannot read dataset `missing`";
        assert_eq!(errors.matches(message).count(), 1, "{errors}");
        assert!(!output.status.success());
    }
}
