//! Hints shared by the errors of several modules.

/// Hint for incomplete files.
pub const DAMAGED: &str = "the file is truncated or damaged: copy or download it again";

/// Hint for an invalid configuration.
pub const CORRECT: &str = "correct it, or pass the weights from a folder without it";

/// Hint for numbers in the other byte order.
pub const BIG_ENDIAN: &str =
    "save it again on a little-endian machine: `torch.save(torch.load(file), \"weights.pth\")`";

/// Hint for files that hold something other than a state dict.
pub const STATE_DICT: &str =
    "in Python: `torch.save(model.state_dict(), \"weights.pth\")` with PyTorch 1.6 or later";
