//! The index of a tar file: its members are found by their headers, and nothing is unpacked.
//!
//! Ustar, pax and GNU archives are read, with long names and members in any order. A torn file is an error: one that ends within
//! a member, or without the block of zeros behind the last one.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use anyhow::{Context, Error, Result, anyhow, bail};
use tar::{Archive, Entry, EntryType};

use super::samples::{Member, Samples};
use super::shard::{Shard, Stamp};
use crate::error::error_with_hint;

/// Bytes of a block of a tar file.
const BLOCK: u64 = 512;
/// The longest label file that is read, in bytes.
const LONGEST_LABEL: u64 = 1 << 20;

/// The first bytes of compressed files, with the name and the program that undoes it.
const COMPRESSED: [(&[u8], &str, &str); 4] = [
    (&[0x1f, 0x8b], "gzip", "gunzip"),
    (&[0x28, 0xb5, 0x2f, 0xfd], "zstd", "unzstd"),
    (b"BZh", "bzip2", "bunzip2"),
    (&[0xfd, b'7', b'z', b'X', b'Z'], "xz", "unxz"),
];

/// Finds the images in the tar file at `path`, which has this stamp.
///
/// # Errors
/// When it is compressed, torn or no tar file, or its samples are not one image and one label each.
pub fn scan(path: &Path, stamp: Stamp) -> Result<Shard> {
    let named = || format!("shard `{}`", path.display());
    let mut file = File::open(path).with_context(named)?;
    let mut start = Vec::new();
    file.by_ref()
        .take(8)
        .read_to_end(&mut start)
        .with_context(named)?;
    if let Some((_, format, program)) = COMPRESSED
        .iter()
        .find(|(magic, ..)| start.starts_with(magic))
    {
        return Err(error_with_hint(
            format!(
                "shard `{}` is compressed ({format}), so its images cannot be read in any order",
                path.display()
            ),
            format!("unpack it once: `{program} {}`", path.display()),
        ));
    }
    if start.is_empty() {
        return Err(torn(path, "it is empty"));
    }
    let samples = members(path, stamp.size)?;
    samples.finish(path, stamp)
}

/// Reads the headers of a tar file of `size` bytes.
fn members(path: &Path, size: u64) -> Result<Samples> {
    let mut archive = Archive::new(File::open(path)?);
    let mut samples = Samples::default();
    let (mut end, mut last) = (0, None);
    for entry in archive.entries_with_seek()? {
        let mut entry = entry.map_err(|error| damaged(path, &error, last.as_deref()))?;
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let start = entry.raw_file_position();
        let is_inside = |end: u64| end <= size;
        end = match start
            .checked_add(entry.size())
            .filter(|&end| is_inside(end))
        {
            Some(end) => end.next_multiple_of(BLOCK),
            None => return Err(torn(path, &format!("it ends within `{name}`"))),
        };
        add(&mut samples, &mut entry, &name, start)
            .with_context(|| format!("shard `{}`", path.display()))?;
        last = Some(name);
    }
    if end.saturating_add(BLOCK) > size {
        return Err(torn(
            path,
            &match last {
                Some(name) => format!("it has no end mark behind `{name}`"),
                None => "it has no end mark".to_owned(),
            },
        ));
    }
    Ok(samples)
}

/// Adds a member to the samples if it is an image or a label.
fn add(samples: &mut Samples, entry: &mut Entry<File>, name: &str, start: u64) -> Result<()> {
    let kind = entry.header().entry_type();
    let Some(member) = Member::of(name)? else {
        return Ok(());
    };
    if !matches!(kind, EntryType::Regular | EntryType::Continuous) {
        // Folders and the like have no content; a link to an image stands for one.
        if member.is_image() && !kind.is_dir() {
            return Err(error_with_hint(
                format!("`{name}` is a link or a sparse file, which has no place of its own"),
                "make the shard again with the files that links lead to",
            ));
        }
        return Ok(());
    }
    if member.is_image() {
        return samples.add_image(&member, start, entry.size());
    }
    if member.is_label() {
        if entry.size() > LONGEST_LABEL {
            bail!("`{name}` is too long for a label: {} bytes", entry.size());
        }
        let mut content = Vec::new();
        entry.read_to_end(&mut content)?;
        return samples.add_label(&member, &content);
    }
    Ok(())
}

/// Returns the error of a shard that is not whole.
fn torn(path: &Path, how: &str) -> Error {
    error_with_hint(
        format!("shard `{}` is torn: {how}", path.display()),
        "fetch or make it again",
    )
}

/// Returns the error of a header that cannot be read behind the member `last`.
fn damaged(path: &Path, error: &std::io::Error, last: Option<&str>) -> Error {
    match last {
        Some(name) => torn(path, &format!("behind `{name}`, {error}")),
        None => error_with_hint(
            anyhow!("shard `{}` is not a tar file: {error}", path.display()).to_string(),
            "pass tar files, or a folder with one folder of images per class without `wds:`",
        ),
    }
}
