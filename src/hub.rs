//! Files of the Hugging Face hub, by the cache that Python's `huggingface_hub` shares.

/// Hears of downloads as they advance.
pub trait Progress: Sync {
    /// A transfer of `file` begins.
    fn start(&self, file: &str, total_bytes: Option<u64>);
    /// So many bytes of it have arrived so far.
    fn advance(&self, bytes: u64);
    /// The transfer that started has ended.
    fn finish(&self);
}
