//! `--workers`, the same in every command that reads data sets.

#[derive(Debug, Clone, clap::Args)]
pub struct WorkersArgs {
    /// Threads that read and prepare pictures; they change no number [default: as --threads]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    workers: Option<u16>,
}

impl WorkersArgs {
    /// As many as were asked for, or as compute.
    pub fn count(&self, threads: usize) -> usize {
        self.workers.map_or(threads, usize::from)
    }
}
