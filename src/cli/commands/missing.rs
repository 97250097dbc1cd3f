//! Why an image that a user named is not there, with the way out: near names, patterns, addresses.

use crate::data::dataset::list::EXTENSIONS;
use crate::error::error_with_hint;
use crate::model::config::names;
use std::path::{Path, PathBuf};

/// Names that are suggested, at most.
const MOST: usize = 3;

/// Returns the error for the image at `path` if there is none; `None` if something is there.
pub fn missing(path: &Path) -> Option<anyhow::Error> {
    let is_missing = std::fs::metadata(path).is_err_and(|error| {
        matches!(
            error.kind(),
            std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory
        )
    });
    is_missing.then(|| {
        error_with_hint(
            format!("cannot read image `{}`: no such file", path.display()),
            way_out(path),
        )
    })
}

fn way_out(path: &Path) -> String {
    let written = path.to_string_lossy();
    let lower = written.to_lowercase();
    if ["http://", "https://"]
        .iter()
        .any(|start| lower.starts_with(start))
    {
        return "it is an address: download the image first, and pass its file".to_owned();
    }
    if written.contains(['*', '?']) {
        return "it is a pattern that no file matches; in quotes, a pattern is not expanded: pass it without, or pass the folder".to_owned();
    }
    if written == "sample" || names().any(|name| name == written) {
        return format!("it is a model: pass it as `-m {written}`, with an image");
    }
    match suggest(path).as_slice() {
        [] => match path.parent().filter(|folder| *folder != Path::new("")) {
            Some(folder) if !folder.is_dir() => {
                format!("there is no folder `{}`", folder.display())
            }
            _ => "pass image files, folders of images, or - to read paths from stdin".to_owned(),
        },
        similar => {
            let similar = similar.iter().map(|path| format!("`{}`", path.display()));
            format!("did you mean {}?", similar.collect::<Vec<_>>().join(" or "))
        }
    }
}

/// Returns the images and folders beside `path` whose names are like its own, the most similar first.
fn suggest(path: &Path) -> Vec<PathBuf> {
    let folder = path.parent().unwrap_or(Path::new(""));
    let stem = |path: &Path| {
        let stem = path.file_stem().unwrap_or_default();
        stem.to_string_lossy().to_lowercase()
    };
    let wanted = stem(path);
    let most = (wanted.chars().count() / 3).clamp(1, 3);
    let here = if folder == Path::new("") {
        Path::new(".")
    } else {
        folder
    };
    let entries = std::fs::read_dir(here).into_iter().flatten().flatten();
    let paths = entries.map(|entry| folder.join(entry.file_name()));
    let is_image = |path: &PathBuf| {
        let ending = path.extension().unwrap_or_default().to_ascii_lowercase();
        path.is_dir() || EXTENSIONS.iter().any(|known| ending == *known)
    };
    let mut found: Vec<(usize, PathBuf)> = paths
        .filter(is_image)
        .map(|path| (strsim::damerau_levenshtein(&wanted, &stem(&path)), path))
        .filter(|(distance, _)| *distance <= most)
        .collect();
    found.sort();
    found.truncate(MOST);
    found.into_iter().map(|(_, path)| path).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::hint_of;

    #[test]
    fn a_missing_image_has_a_hint_that_suits_what_was_written() {
        let folder = tempfile::tempdir().unwrap();
        for name in [
            "cat.png",
            "cat-1.jpg",
            "dog.png",
            "notes.txt",
            "IMG_0001.JPG",
        ] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        let hint = |written: &str| {
            let path = if written.contains("://") || written == "resnet50" {
                PathBuf::from(written)
            } else {
                folder.path().join(written)
            };
            let error = missing(&path).unwrap();
            let hint = hint_of(&error).unwrap().to_string();
            hint.replace(&format!("{}/", folder.path().display()), "")
        };
        assert_eq!(hint("cat.jpg"), "did you mean `cat.png`?");
        assert_eq!(hint("cat-2.png"), "did you mean `cat-1.jpg`?");
        assert_eq!(hint("cta.png"), "did you mean `cat.png`?");
        assert_eq!(hint("img_001.jpg"), "did you mean `IMG_0001.JPG`?");
        assert!(hint("fox.png").starts_with("pass image files"));
        assert!(hint("note.txt").starts_with("pass image files"));
        assert_eq!(
            hint("pics/cat.png"),
            format!("there is no folder `{}`", "pics")
        );
        assert!(hint("*.jpeg").contains("pattern"));
        assert!(hint("https://example.org/cat.jpg").contains("download"));
        assert!(hint("resnet50").contains("`-m resnet50`"));
        assert!(missing(&folder.path().join("cat.png")).is_none());
        assert!(missing(folder.path()).is_none());
    }
}
