//! How a download tells of itself, so that this layer prints nothing.

/// Hears of downloads as they advance; all calls come from the thread that asked for the file.
pub trait Progress: Sync {
    /// A transfer of `file` begins, from its first byte again after a broken one. The size is in
    /// bytes, `None` where the hub does not say.
    fn start(&self, file: &str, total_bytes: Option<u64>);
    /// So many bytes of it have arrived so far.
    fn advance(&self, bytes: u64);
    /// The transfer that started has ended, well or badly.
    fn finish(&self);
}

/// Tells nobody.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Progress for Silent {
    fn start(&self, _file: &str, _total_bytes: Option<u64>) {}
    fn advance(&self, _bytes: u64) {}
    fn finish(&self) {}
}
