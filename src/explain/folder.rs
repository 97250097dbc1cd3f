//! The output folder of explanations, and the file names in it.

use crate::error::{error_with_hint, usage_error};
use crate::fs::{temporary_beside, write_whole};
use anyhow::{Context, Result};
use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder, RgbImage};
use std::collections::HashSet;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Offset of the mark of an explanation: after the signature of a PNG and its first chunk, `IHDR`.
const MARKED_FROM: usize = 8 + 25;

/// A folder with a file for each of several images. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Folder {
    path: PathBuf,
    files: Arc<[PathBuf]>,
}

impl Folder {
    /// Creates the folder at `path` if absent, and tests that files can be written there. The file of an image is named
    /// after it, with the extension `.png`; if images share a name, later ones get `-2`, `-3`...
    ///
    /// # Errors
    /// If files cannot be written, a folder has the name of a file, or one of the `images` themselves or another file
    /// that is not an explanation is in its place, which is wrong usage.
    pub fn create(path: &Path, images: &[PathBuf]) -> Result<Self> {
        let files: Vec<PathBuf> = names(images).map(|name| path.join(name)).collect();
        let prepare = || -> Result<()> {
            if path.exists() && !path.is_dir() {
                return Err(error_with_hint(
                    "it is a file",
                    "pass a folder, or a new name",
                ));
            }
            fs::create_dir_all(path)?;
            ensure_free(&files, images)?;
            temporary_beside(&path.join("explanation.png"))?;
            Ok(())
        };
        prepare().with_context(|| format!("cannot write into folder `{}`", path.display()))?;
        Ok(Self {
            path: path.to_owned(),
            files: files.into(),
        })
    }

    /// Returns the path of the folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the file of the image at `index`.
    pub fn file(&self, index: usize) -> &Path {
        &self.files[index]
    }

    /// Writes the explanation of the image at `index`, replacing an older one; the file is marked as written by this
    /// program.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn write(&self, index: usize, explanation: &RgbImage) -> Result<()> {
        let (width, height) = explanation.dimensions();
        let mut png = Vec::new();
        PngEncoder::new(&mut png).write_image(
            explanation,
            width,
            height,
            ExtendedColorType::Rgb8,
        )?;
        let (start, rest) = png.split_at(MARKED_FROM.min(png.len()));
        write_whole(self.file(index), |file| {
            for part in [start, &mark(), rest] {
                file.write_all(part)?;
            }
            Ok(())
        })
    }
}

/// Returns the PNG chunk that identifies an explanation (<https://www.w3.org/TR/png-3/#11tEXt>): its length, type,
/// keyword and text, and the checksum of all but the length.
fn mark() -> Vec<u8> {
    let chunk = b"tEXtSoftware\0resnet";
    let length = chunk.len() as u32 - 4;
    [
        &length.to_be_bytes()[..],
        chunk,
        &crc32fast::hash(chunk).to_be_bytes(),
    ]
    .concat()
}

/// Returns true if the file at `path` starts like those that [`Folder::write`] writes.
fn is_explanation(path: &Path) -> bool {
    let mark = mark();
    let mut start = vec![0; MARKED_FROM + mark.len()];
    let read = fs::File::open(path).and_then(|mut file| file.read_exact(&mut start));
    read.is_ok() && start.ends_with(&mark)
}

/// Returns a name for each image; all differ even if case is ignored.
fn names(images: &[PathBuf]) -> impl Iterator<Item = String> {
    let mut taken = HashSet::new();
    images.iter().map(move |image| {
        let stem = image
            .file_stem()
            .unwrap_or(image.as_os_str())
            .to_string_lossy();
        let mut numbered = (2..).map(|number| format!("{stem}-{number}.png"));
        let mut name = format!("{stem}.png");
        while !taken.insert(name.to_lowercase()) {
            name = numbered.next().unwrap_or_default();
        }
        name
    })
}

/// Rejects files that are folders, the images themselves, or anything else but explanations.
fn ensure_free(files: &[PathBuf], images: &[PathBuf]) -> Result<()> {
    let existing = || files.iter().filter(|file| file.exists());
    if let Some(folder) = existing().find(|file| file.is_dir()) {
        let name = folder.file_name().unwrap_or_default().display();
        return Err(error_with_hint(
            format!("`{name}` in it is a folder"),
            "pass another folder",
        ));
    }
    let real = |path: &PathBuf| fs::canonicalize(path).ok();
    let overwritten: HashSet<PathBuf> = existing().filter_map(real).collect();
    if overwritten.is_empty() {
        return Ok(());
    }
    let itself = |image: &&PathBuf| real(image).is_some_and(|path| overwritten.contains(&path));
    if let Some(image) = images.iter().find(itself) {
        return Err(usage_error(
            format!("an explanation would overwrite image `{}`", image.display()),
            "pass another folder",
        ));
    }
    match existing().find(|file| !is_explanation(file)) {
        Some(other) => Err(usage_error(
            format!(
                "an explanation would overwrite `{}`, which is another kind of file",
                other.file_name().unwrap_or_default().display()
            ),
            "pass another folder",
        )),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_of_one_name_have_files_of_their_own() {
        let images = [
            "a/x.png",
            "b/x.jpg",
            "c/X.gif",
            "x-2.png",
            "d/고양이.webp",
            "..",
            "x",
        ];
        let images = images.map(PathBuf::from);
        let names: Vec<String> = names(&images).collect();
        assert_eq!(
            names,
            [
                "x.png",
                "x-2.png",
                "X-3.png",
                "x-2-2.png",
                "고양이.png",
                "...png",
                "x-4.png"
            ]
        );
    }
}
