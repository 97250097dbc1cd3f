//! The folder that explanations are written into, and what each picture's is called there.

use crate::error::{hinted, misuse};
use crate::weights::{temporary_beside, write_whole};
use anyhow::{Context, Result};
use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder, RgbImage};
use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A folder with a file for each of some pictures. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Folder {
    path: PathBuf,
    files: Arc<[PathBuf]>,
}

impl Folder {
    /// Makes the folder at `path` where there is none, and tries whether files can be written there. A picture's file is
    /// called as the picture, `.png` in place of its ending; where pictures share a name, `-2`, `-3`... tell the later ones.
    ///
    /// # Errors
    /// Where files cannot be written, a folder stands in a file's place, or one of the `pictures` itself does.
    pub fn create(path: &Path, pictures: &[PathBuf]) -> Result<Self> {
        let files: Vec<PathBuf> = names(pictures).map(|name| path.join(name)).collect();
        let prepare = || -> Result<()> {
            if path.exists() && !path.is_dir() {
                return Err(hinted(
                    "it is a file",
                    "pass a folder, or a name that is free",
                ));
            }
            fs::create_dir_all(path)?;
            ensure_free(&files, pictures)?;
            temporary_beside(&path.join("explanation.png"))?;
            Ok(())
        };
        prepare().with_context(|| format!("cannot write into folder `{}`", path.display()))?;
        Ok(Self {
            path: path.to_owned(),
            files: files.into(),
        })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file of the picture at `index`.
    pub fn file(&self, index: usize) -> &Path {
        &self.files[index]
    }

    /// Writes the explanation of the picture at `index`, in the place of an older one.
    ///
    /// # Errors
    /// Where the file cannot be written.
    pub fn write(&self, index: usize, explanation: &RgbImage) -> Result<()> {
        write_whole(self.file(index), |file| {
            let (width, height) = explanation.dimensions();
            let encoder = PngEncoder::new(file);
            Ok(encoder.write_image(explanation, width, height, ExtendedColorType::Rgb8)?)
        })
    }
}

/// A name for each picture, no two of which are one where upper and lower case are.
fn names(pictures: &[PathBuf]) -> impl Iterator<Item = String> {
    let mut taken = HashSet::new();
    pictures.iter().map(move |picture| {
        let stem = picture
            .file_stem()
            .unwrap_or(picture.as_os_str())
            .to_string_lossy();
        let mut numbered = (2..).map(|number| format!("{stem}-{number}.png"));
        let mut name = format!("{stem}.png");
        while !taken.insert(name.to_lowercase()) {
            name = numbered.next().unwrap_or_default();
        }
        name
    })
}

/// Refuses files that are folders or the pictures themselves.
fn ensure_free(files: &[PathBuf], pictures: &[PathBuf]) -> Result<()> {
    let existing = || files.iter().filter(|file| file.exists());
    if let Some(folder) = existing().find(|file| file.is_dir()) {
        let name = folder.file_name().unwrap_or_default().display();
        return Err(hinted(
            format!("`{name}` in it is a folder"),
            "pass another folder",
        ));
    }
    let real = |path: &PathBuf| fs::canonicalize(path).ok();
    let overwritten: HashSet<PathBuf> = existing().filter_map(real).collect();
    if overwritten.is_empty() {
        return Ok(());
    }
    let itself = |picture: &&PathBuf| real(picture).is_some_and(|path| overwritten.contains(&path));
    match pictures.iter().find(itself) {
        Some(picture) => Err(misuse(
            format!(
                "an explanation would take the place of picture `{}`",
                picture.display()
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
    fn pictures_of_one_name_have_files_of_their_own() {
        let pictures = [
            "a/x.png",
            "b/x.jpg",
            "c/X.gif",
            "x-2.png",
            "d/고양이.webp",
            "..",
            "x",
        ];
        let pictures = pictures.map(PathBuf::from);
        let names: Vec<String> = names(&pictures).collect();
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
