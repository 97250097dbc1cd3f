//! Files that are not weights, recognized by their magic bytes.

use crate::error::error_with_hint;
use crate::weights::hints::DAMAGED;

/// Returns the error for a known format that cannot be read as weights; `None` for a safetensors file or unknown bytes.
pub fn detect_other_format(start: &[u8]) -> Option<anyhow::Error> {
    let text = String::from_utf8_lossy(start).trim_start().to_lowercase();
    let tar = start.get(257..262) == Some(b"ustar");
    let (what, hint) = if start.is_empty() {
        ("it is empty", DAMAGED)
    } else if start.starts_with(b"version https://git-lfs") {
        (
            "it is a git-lfs pointer, not the weights it stands for",
            "fetch the weights with `git lfs pull`, or pass the hub repository as `org/name`",
        )
    } else if text.starts_with("<!doctype")
        || text.starts_with("<html")
        || text.starts_with("<?xml")
    {
        (
            "it is a web page saved as weights",
            "download the file itself: on the hub the address has `/resolve/`, not `/blob/`",
        )
    } else if tar {
        (
            "it is a tar archive, or PyTorch's oldest format",
            "unpack it (`tar -xf`); for weights in the oldest format: `torch.save(torch.load(file), \"weights.pth\")`",
        )
    } else if matches!(start, [0x80, 2..=5, ..]) {
        (
            "it is a plain pickle, not written by `torch.save`",
            "in Python: `torch.save(model.state_dict(), \"weights.pth\")` with PyTorch 1.6 or later",
        )
    } else if start.starts_with(b"\x1f\x8b") {
        ("it is compressed with gzip", "unpack it first: `gzip -d`")
    } else if start.starts_with(b"PK") {
        ("it is an empty or split zip archive", DAMAGED)
    } else if start.starts_with(b"\x89HDF") {
        (
            "it is an HDF5 file (Keras), which is not supported",
            "pass weights saved by PyTorch or as safetensors",
        )
    } else if start.starts_with(b"GGUF") {
        (
            "it is a GGUF file, which is not supported",
            "pass weights saved by PyTorch or as safetensors",
        )
    } else if start.starts_with(b"\x93NUMPY") {
        (
            "it is a NumPy array, which is not supported",
            "pass weights saved by PyTorch or as safetensors",
        )
    } else {
        return None;
    };
    Some(error_with_hint(what, hint))
}
