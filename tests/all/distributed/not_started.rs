//! Tasks that Slurm has allocated and nobody has started.

use crate::support::command::Resnet;

#[test]
fn a_batch_script_without_srun_is_told_of_its_tasks_once_and_only_with_the_default() {
    let predicted = |arguments: &str| {
        let line = format!("predict assets/images/boot.png -m sample {arguments}");
        Resnet::line(&line).env("SLURM_NTASKS", "4")
    };
    let note = "note: the Slurm job has 4 tasks, and this process works alone: start the command by `srun --mpi=pmix` (Open MPI) or `srun --mpi=pmi2` (MPICH) to use them all\n";
    let alone = predicted("").without_env("SLURM_NTASKS").run();
    let told = predicted("").run();
    assert_eq!(told.stdout, alone.stdout);
    assert_eq!(told.stderr, format!("{note}{}", alone.stderr));
    assert_eq!(told.status, 0);
    for arguments in ["--distributed none", "-q"] {
        let untold = predicted(arguments).run();
        assert!(!untold.stderr.contains("Slurm"), "{}", untold.stderr);
    }
    let step = predicted("").env("SLURM_STEP_ID", "0");
    let step = step.env("SLURM_STEP_NUM_TASKS", "1").run();
    assert_eq!(step.stderr, alone.stderr);
}
