//! The memory of decoding, as the system counts it: alone in a process, so that no other test is counted.

#![cfg(target_os = "linux")]

use std::io::Write;

use anyhow::{Context, Result};
use flate2::Compression;
use flate2::write::ZlibEncoder;
use pillow_image::{DecodeOptions, decode};

/// Returns the most memory that this process has had so far, in KiB.
fn peak() -> Result<usize> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let number = line.and_then(|line| line.split_whitespace().nth(1));
    Ok(number.context("the peak")?.parse()?)
}

/// Returns a zlib stream of 100 MB of `byte`, after `head`.
fn packed(head: &[u8], byte: u8) -> Result<Vec<u8>> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(head)?;
    let block = [byte; 10_000];
    for _ in 0..10_000 {
        encoder.write_all(&block)?;
    }
    Ok(encoder.finish()?)
}

fn chunk(kind: [u8; 4], parts: &[&[u8]]) -> Vec<u8> {
    let data = parts.concat();
    let named = [&kind[..], &data].concat();
    let checksum = crc32fast::hash(&named).to_be_bytes();
    [&(data.len() as u32).to_be_bytes()[..], &named, &checksum].concat()
}

#[test]
fn profiles_and_long_texts_are_never_unpacked() -> Result<()> {
    let png = include_bytes!("fixtures/pillow/decode/rgb.png");
    let (start, rest) = png.split_at(33);
    let zeros = packed(b"", 0)?;
    let profile = packed(b"\nexif\n 5\n", b'0')?;
    let xmp = packed(b"<a tiff:Orientation=\"6\"/>", b' ')?;
    let chunks = [
        chunk(*b"iCCP", &[b"p\0\0", &zeros]),
        chunk(*b"zTXt", &[b"Comment\0\0", &zeros]),
        chunk(*b"zTXt", &[b"Raw profile type exif\0\0", &profile]),
        chunk(*b"zTXt", &[b"XML:com.adobe.xmp\0\0", &xmp]),
        chunk(*b"iTXt", &[b"XML:com.adobe.xmp\0\x01\0\0\0", &xmp]),
    ];
    let options = DecodeOptions::default();
    let plain = decode(png, &options)?;
    let before = peak()?;
    for chunk in chunks {
        let name = chunk[4..30].escape_ascii().to_string();
        let image = decode(&[start, &chunk, rest].concat(), &options)?;
        assert_eq!(image, plain, "{name}");
        let grown = peak()?.saturating_sub(before);
        assert!(grown < 20 << 10, "{name}: {grown} KiB");
    }
    Ok(())
}
