//! The progress of downloads, reported to the caller, so that this layer prints nothing.

/// An observer of downloads; all calls come from the thread that requested the file.
pub trait Progress: Sync {
    /// A download of `file` starts, or starts again after an interruption. The size is in bytes, `None`
    /// when the hub does not tell.
    fn start(&self, file: &str, total_bytes: Option<u64>);
    /// The number of bytes received so far.
    fn advance(&self, bytes: u64);
    /// Another process downloads from the repository `repo`: the caller waits for it, and has done so for a second.
    fn wait(&self, repo: &str) {
        let _ = repo;
    }
    /// The download has ended, with success or not.
    fn finish(&self);
}

/// Ignores the progress.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Progress for Silent {
    fn start(&self, _file: &str, _total_bytes: Option<u64>) {}
    fn advance(&self, _bytes: u64) {}
    fn finish(&self) {}
}
