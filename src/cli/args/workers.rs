//! `--workers`, shared by the commands that read datasets.

#[derive(Debug, Clone, clap::Args)]
pub struct WorkersArgs {
    /// Data-loading threads (no effect on results)
    ///
    /// [default: --threads]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    workers: Option<u16>,
}

impl WorkersArgs {
    /// Returns `--workers`, by default the compute threads.
    pub fn count(&self, threads: usize) -> usize {
        self.workers.map_or(threads, usize::from)
    }
}
