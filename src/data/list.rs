//! The pictures of a folder.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// Extensions of files that are taken for pictures, in lower case.
pub const EXTENSIONS: [&str; 11] = [
    "bmp", "dib", "gif", "jfif", "jpe", "jpeg", "jpg", "png", "tif", "tiff", "webp",
];

/// The pictures in `folder` and the folders in it, sorted by path: files with one of the [`EXTENSIONS`], upper or lower
/// case. Hidden files and folders (`.name`) are left out. Links are followed, but not back into a folder above.
///
/// # Errors
/// A folder that cannot be read, with its path.
pub fn list_images(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut images = Vec::new();
    let mut above = Vec::new();
    collect(folder, &mut above, &mut images)?;
    images.sort();
    Ok(images)
}

/// Adds the pictures under `folder` to `images`; `above` holds the true paths of the folders that lead here.
fn collect(folder: &Path, above: &mut Vec<PathBuf>, images: &mut Vec<PathBuf>) -> Result<()> {
    let context = || format!("cannot read folder `{}`", folder.display());
    let true_path = fs::canonicalize(folder).with_context(context)?;
    if above.contains(&true_path) {
        return Ok(());
    }
    above.push(true_path);
    for entry in fs::read_dir(folder).with_context(context)? {
        let entry = entry.with_context(context)?;
        if entry.file_name().as_encoded_bytes().starts_with(b".") {
            continue;
        }
        let path = entry.path();
        if path.is_dir() {
            collect(&path, above, images)?;
        } else if is_image_name(&path) {
            images.push(path);
        }
    }
    above.pop();
    Ok(())
}

/// Whether the extension is a picture's.
fn is_image_name(path: &Path) -> bool {
    path.extension()
        .and_then(|extension| extension.to_str())
        .is_some_and(|extension| {
            EXTENSIONS
                .iter()
                .any(|known| known.eq_ignore_ascii_case(extension))
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Result;

    fn touch(path: PathBuf) -> Result<()> {
        fs::create_dir_all(path.parent().context("a parent")?)?;
        Ok(fs::write(path, b"")?)
    }

    #[test]
    fn pictures_are_found_in_folders_sorted_and_hidden_ones_left_out() -> Result<()> {
        let folder = tempfile::tempdir()?;
        for name in [
            "b/2.JPG",
            "b/10.jpeg",
            "a.png",
            "notes.txt",
            ".hidden.png",
            ".git/x.png",
            "png",
        ] {
            touch(folder.path().join(name))?;
        }
        let expected = ["a.png", "b/10.jpeg", "b/2.JPG"].map(|name| folder.path().join(name));
        assert_eq!(list_images(folder.path())?, expected);
        Ok(())
    }

    #[test]
    fn a_missing_folder_is_named() {
        let error = list_images(Path::new("no/such/folder")).unwrap_err();
        assert!(error.to_string().contains("`no/such/folder`"), "{error}");
    }

    #[cfg(unix)]
    #[test]
    fn links_that_go_round_end() -> Result<()> {
        let folder = tempfile::tempdir()?;
        touch(folder.path().join("class/1.png"))?;
        std::os::unix::fs::symlink(folder.path(), folder.path().join("class/up"))?;
        std::os::unix::fs::symlink(folder.path().join("class"), folder.path().join("again"))?;
        let expected = ["again/1.png", "class/1.png"].map(|name| folder.path().join(name));
        assert_eq!(list_images(folder.path())?, expected);
        Ok(())
    }
}
