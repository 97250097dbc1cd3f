//! Files and folders that no user made: hidden ones, and those that systems and programs put among a user's.

use std::ffi::OsStr;

/// Names of such folders that are not hidden, in lower case.
const MADE_BY_SYSTEMS: [&str; 19] = [
    // Archives and shared folders of macOS.
    "__macosx",
    "network trash folder",
    "temporary items",
    "thevolumesettingsfolder",
    // Thumbnails, trash and snapshots of network storage.
    "@eadir",
    "@recently-snapshot",
    "@recycle",
    "@sharebin",
    "@tmp",
    "#recycle",
    "#snapshot",
    "~snapshot",
    // Trash and checked disks of Windows.
    "$recycle.bin",
    "found.000",
    "recycled",
    "recycler",
    "system volume information",
    // Checked disks of Linux.
    "lost+found",
    // Compiled Python.
    "__pycache__",
];

/// Returns true for the name of a folder that a system or a program made beside a user's, such as `__MACOSX`, in upper or lower case.
pub fn is_made_by_system(name: &str) -> bool {
    MADE_BY_SYSTEMS
        .iter()
        .any(|known| known.eq_ignore_ascii_case(name))
}

/// Returns true for the name of a folder that is left out: hidden, as `.ipynb_checkpoints`, or made by a system.
pub fn is_ignored_folder(name: &OsStr) -> bool {
    is_hidden(name) || name.to_str().is_some_and(is_made_by_system)
}

/// Returns true for the name of a hidden file or folder.
pub fn is_hidden(name: &OsStr) -> bool {
    name.as_encoded_bytes().starts_with(b".")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_that_no_user_made_are_known_in_any_case() {
        for name in [
            "__MACOSX",
            "@eaDir",
            "#recycle",
            "$RECYCLE.BIN",
            "System Volume Information",
            "lost+found",
            ".ipynb_checkpoints",
            ".@__thumb",
        ] {
            assert!(is_ignored_folder(OsStr::new(name)), "{name}");
        }
        for name in ["MACOSX", "eaDir", "recycle", "cat", "__init__", ""] {
            assert!(!is_ignored_folder(OsStr::new(name)), "{name}");
        }
    }
}
