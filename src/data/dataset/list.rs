//! Lists the images in a folder.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{fs, io};

use anyhow::{Context, Error, Result};

use super::ignored::{is_hidden, is_ignored_folder};

/// Extensions of image files, in lower case.
pub const EXTENSIONS: [&str; 11] = [
    "bmp", "dib", "gif", "jfif", "jpe", "jpeg", "jpg", "png", "tif", "tiff", "webp",
];

/// Returns the images in `folder` and its subfolders, sorted by path: files with one of the `EXTENSIONS`, in upper or
/// lower case. Hidden files and folders (`.name`) are left out, and folders that systems make, such as `__MACOSX`. Links are
/// followed, but not back into a parent folder.
///
/// Also returns one error, with its path, per folder that cannot be read; the images of the others are there.
pub fn list_images(folder: &Path) -> (Vec<PathBuf>, Vec<Error>) {
    let listing = list(folder);
    (listing.images, listing.errors)
}

/// The contents of a folder and its subfolders.
#[derive(Debug, Default)]
pub struct Listing {
    /// The images, sorted by path.
    pub images: Vec<PathBuf>,
    /// The number of other files by extension, in lower case; hidden ones are not counted.
    pub others: BTreeMap<String, usize>,
    /// One error, with its path, per folder that cannot be read.
    pub errors: Vec<Error>,
}

/// Lists a folder and its subfolders: [`list_images`] with the extensions of other files.
pub fn list(folder: &Path) -> Listing {
    let mut found = Walk::default();
    found.collect(folder);
    found.listing.images.sort();
    found.listing
}

/// Lists a folder without its subfolders.
///
/// # Errors
/// When the folder cannot be read.
pub fn list_flat(folder: &Path) -> Result<Listing> {
    let mut found = Walk::default();
    let read = found.read(folder, Depth::Flat);
    read.with_context(|| format!("cannot read folder `{}`", folder.display()))?;
    found.listing.images.sort();
    Ok(found.listing)
}

/// Returns the folders in `folder`, sorted by name, except hidden ones and those that systems make.
///
/// # Errors
/// When the folder cannot be read.
pub fn subfolders(folder: &Path) -> Result<Vec<PathBuf>> {
    let cannot = || format!("cannot read folder `{}`", folder.display());
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).with_context(cannot)? {
        let entry = entry.with_context(cannot)?;
        let path = entry.path();
        if !is_ignored_folder(&entry.file_name()) && path.is_dir() {
            found.push(path);
        }
    }
    // The order of UTF-8 bytes is that of the code points.
    found.sort_by(|a, b| {
        let names = [a, b].map(|path| path.file_name().unwrap_or_default().as_encoded_bytes());
        names[0].cmp(names[1])
    });
    Ok(found)
}

#[derive(Default)]
struct Walk {
    listing: Listing,
    /// The canonical paths of the folders that lead to the one being read.
    above: Vec<PathBuf>,
}

/// The depth of a listing: with subfolders or without.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Depth {
    Flat,
    Whole,
}

impl Walk {
    /// Adds the images under `folder`, or the error of reading it.
    fn collect(&mut self, folder: &Path) {
        let depth = self.above.len();
        if let Err(error) = self.read(folder, Depth::Whole) {
            let context = format!("cannot read folder `{}`", folder.display());
            self.listing.errors.push(Error::new(error).context(context));
        }
        self.above.truncate(depth);
    }

    fn read(&mut self, folder: &Path, depth: Depth) -> io::Result<()> {
        let true_path = fs::canonicalize(folder)?;
        if self.above.contains(&true_path) {
            return Ok(());
        }
        self.above.push(true_path);
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let name = entry.file_name();
            if is_hidden(&name) {
                continue;
            }
            let path = entry.path();
            if path.is_dir() {
                if depth == Depth::Whole && !is_ignored_folder(&name) {
                    self.collect(&path);
                }
            } else if has_image_extension(&path) && is_readable_kind(&path) {
                self.listing.images.push(path);
            } else {
                *self.listing.others.entry(ending(&path)).or_default() += 1;
            }
        }
        Ok(())
    }
}

/// Returns whether reading would end: `false` for pipes and devices. Paths without metadata are left to the reader's error.
fn is_readable_kind(path: &Path) -> bool {
    fs::metadata(path).map_or(true, |metadata| metadata.is_file())
}

/// Returns the extension of a file with its dot, such as `.txt`, in lower case.
fn ending(path: &Path) -> String {
    let extension = path.extension().unwrap_or_default().to_string_lossy();
    match extension.to_lowercase().as_str() {
        "" => "no extension".to_owned(),
        extension => format!(".{extension}"),
    }
}

/// Returns whether the extension of a name is that of an image.
pub fn has_image_extension(path: &Path) -> bool {
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

    fn touch(path: PathBuf) -> Result<()> {
        fs::create_dir_all(path.parent().context("a parent")?)?;
        Ok(fs::write(path, b"")?)
    }

    #[cfg(unix)]
    #[test]
    fn a_pipe_that_nobody_writes_to_is_left_out() -> Result<()> {
        let folder = tempfile::tempdir()?;
        touch(folder.path().join("a.png"))?;
        let pipe = folder.path().join("pipe.png");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status()?;
        assert!(made.success());
        assert_eq!(list_images(folder.path()).0, [folder.path().join("a.png")]);
        Ok(())
    }

    #[test]
    fn images_are_found_in_folders_sorted_and_those_of_no_user_left_out() -> Result<()> {
        let folder = tempfile::tempdir()?;
        for name in [
            "b/2.JPG",
            "b/10.jpeg",
            "a.png",
            "notes.txt",
            ".hidden.png",
            ".git/x.png",
            "b/@eaDir/2.JPG/SYNOPHOTO_THUMB_M.png",
            "__MACOSX/b/2.JPG",
            "png",
        ] {
            touch(folder.path().join(name))?;
        }
        let expected = ["a.png", "b/10.jpeg", "b/2.JPG"].map(|name| folder.path().join(name));
        let (images, errors) = list_images(folder.path());
        assert_eq!(images, expected);
        assert!(errors.is_empty());
        Ok(())
    }

    #[test]
    fn a_missing_folder_is_named() {
        let (images, errors) = list_images(Path::new("no/such/folder"));
        assert!(images.is_empty() && errors.len() == 1);
        assert!(errors[0].to_string().contains("`no/such/folder`"));
    }

    #[cfg(unix)]
    #[test]
    fn a_folder_that_cannot_be_read_leaves_the_others_images() -> Result<()> {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir()?;
        for name in ["a.png", "b/1.png", "c/2.png"] {
            touch(folder.path().join(name))?;
        }
        let closed = folder.path().join("b");
        fs::set_permissions(&closed, fs::Permissions::from_mode(0o000))?;
        let readable = fs::read_dir(&closed).is_ok();
        let (images, errors) = list_images(folder.path());
        fs::set_permissions(&closed, fs::Permissions::from_mode(0o700))?;
        // Root may read any folder.
        assert_eq!(errors.len(), usize::from(!readable));
        assert_eq!(images.len(), 2 + usize::from(readable));
        assert!(images.contains(&folder.path().join("c/2.png")));
        Ok(())
    }

    #[cfg(unix)]
    #[test]
    fn a_link_to_nowhere_is_left_out() -> Result<()> {
        let folder = tempfile::tempdir()?;
        touch(folder.path().join("a.png"))?;
        std::os::unix::fs::symlink("no/such/folder", folder.path().join("gone"))?;
        let (images, errors) = list_images(folder.path());
        assert_eq!((images.len(), errors.len()), (1, 0));
        Ok(())
    }

    #[cfg(unix)]
    #[test]
    fn links_that_go_round_end() -> Result<()> {
        let folder = tempfile::tempdir()?;
        touch(folder.path().join("class/1.png"))?;
        std::os::unix::fs::symlink(folder.path(), folder.path().join("class/up"))?;
        std::os::unix::fs::symlink(folder.path().join("class"), folder.path().join("again"))?;
        let expected = ["again/1.png", "class/1.png"].map(|name| folder.path().join(name));
        let (images, errors) = list_images(folder.path());
        assert_eq!(images, expected);
        assert!(errors.is_empty());
        Ok(())
    }
}
