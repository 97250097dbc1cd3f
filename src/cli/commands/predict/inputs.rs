//! The images that the arguments of `resnet predict` name.

use crate::cli::commands::missing::missing;
use crate::cli::output::console::Console;
use crate::data::list_images;
use crate::distributed::Processes;
use crate::error::error_with_hint;
use anyhow::{Context, Result};
use std::io::BufRead;
use std::path::{Path, PathBuf};

/// The end of a path that is sent.
const END: u8 = 0;

/// The images, which process 0 finds.
#[derive(Debug, Default)]
pub struct ImageFiles {
    /// Files, in order.
    pub paths: Vec<PathBuf>,
    /// True if a folder could not be read.
    pub has_failed: bool,
    /// True if none of the files is there.
    pub are_missing: bool,
}

impl ImageFiles {
    /// Finds the images that `inputs` name in the first process, which sends them to the others.
    ///
    /// # Errors
    /// If standard input cannot be read, or another process is gone.
    pub fn receive(inputs: &[PathBuf], processes: &Processes, console: &Console) -> Result<Self> {
        let found = if processes.is_first() {
            Self::find(inputs, console)?
        } else {
            Self::default()
        };
        if processes.size() == 1 {
            return Ok(found);
        }
        let sent = processes.broadcast(found.to_bytes())?;
        Self::of_bytes(&sent).context("process 0 sent too few bytes")
    }

    /// Finds the images that `inputs` name.
    fn find(inputs: &[PathBuf], console: &Console) -> Result<Self> {
        let (mut paths, mut has_failed) = (Vec::new(), false);
        for input in inputs {
            if input == Path::new("-") {
                let before = paths.len();
                for line in std::io::stdin().lock().split(b'\n') {
                    let line = line.context("cannot read paths from stdin")?;
                    let line = line.strip_suffix(b"\r").unwrap_or(&line);
                    if !line.is_empty() {
                        paths.push(path_of(line));
                    }
                }
                if paths.len() == before {
                    console.note("no path on standard input: `-` reads one per line");
                }
            } else if input.is_dir() {
                let (found, errors) = list_images(input);
                has_failed |= found.is_empty() || !errors.is_empty();
                for error in &errors {
                    console.error(error);
                }
                if found.is_empty() && errors.is_empty() {
                    console.error(&error_with_hint(
                        format!("no image in folder `{}`", input.display()),
                        "images end in .png, .jpg, .jpeg, .webp, .bmp, .gif, .tif or .tiff",
                    ));
                }
                paths.extend(found);
            } else {
                paths.push(input.clone());
            }
        }
        Ok(Self {
            are_missing: paths.iter().all(|path| missing(path).is_some()),
            paths,
            has_failed,
        })
    }

    /// Returns two flags and the paths, each with an end.
    fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![u8::from(self.has_failed), u8::from(self.are_missing)];
        for path in &self.paths {
            bytes.extend(bytes_of(path));
            bytes.push(END);
        }
        bytes
    }

    /// Returns what [`ImageFiles::to_bytes`] made bytes of; `None` for other bytes.
    fn of_bytes(bytes: &[u8]) -> Option<Self> {
        let (&[has_failed, are_missing], paths) = bytes.split_first_chunk()?;
        let paths = paths.split_inclusive(|&byte| byte == END);
        let paths = paths.map(|path| Some(path_of(path.strip_suffix(&[END])?)));
        Some(Self {
            paths: paths.collect::<Option<_>>()?,
            has_failed: has_failed != 0,
            are_missing: are_missing != 0,
        })
    }
}

/// Returns the path of these bytes, in any encoding if the system allows it.
#[cfg(unix)]
fn path_of(bytes: &[u8]) -> PathBuf {
    use std::os::unix::ffi::OsStrExt;
    std::ffi::OsStr::from_bytes(bytes).into()
}

/// Returns the path of these bytes; what is not UTF-8 becomes a path that is not there.
#[cfg(not(unix))]
fn path_of(bytes: &[u8]) -> PathBuf {
    String::from_utf8_lossy(bytes).into_owned().into()
}

/// Returns the bytes that [`path_of`] makes the path of.
#[cfg(unix)]
fn bytes_of(path: &Path) -> &[u8] {
    use std::os::unix::ffi::OsStrExt;
    path.as_os_str().as_bytes()
}

/// Returns the bytes that [`path_of`] makes the path of.
#[cfg(not(unix))]
fn bytes_of(path: &Path) -> Vec<u8> {
    path.to_string_lossy().into_owned().into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_arrive_as_they_were_sent() {
        let mut paths: Vec<PathBuf> = ["a b.png", "", "c\nd.png", "é/ü.jpg"]
            .map(PathBuf::from)
            .to_vec();
        if cfg!(unix) {
            paths.push(path_of(b"\xff\xfe.png"));
        }
        let inputs = ImageFiles {
            paths: paths.clone(),
            has_failed: true,
            are_missing: false,
        };
        let sent = ImageFiles::of_bytes(&inputs.to_bytes()).unwrap();
        assert_eq!(sent.paths, paths);
        assert!(sent.has_failed && !sent.are_missing);
        let none = ImageFiles::of_bytes(&ImageFiles::default().to_bytes()).unwrap();
        assert!(none.paths.is_empty());
        assert!(ImageFiles::of_bytes(b"x").is_none() && ImageFiles::of_bytes(b"00a").is_none());
    }
}
