//! The cost of opening large datasets: time, and peak memory of the process.
//!
//! ```text
//! cargo bench --bench data -- make DIR [IMAGES]     writes DIR/tars, 100 shards, and DIR/folder, 100 classes
//! cargo bench --bench data -- open DATA             opens a dataset and reads 1,000 of its images
//! ```
//!
//! Each image is a JPEG file of 32x32 pixels. In the folder, up to 50,000 names are links to one file.

#![expect(clippy::print_stdout, reason = "a program that measures")]

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use jpeg_encoder::{ColorType, Encoder};
use resnet::data::DecodeOptions;
use resnet::data::dataset::{DatasetName, open};
use resnet::data::image::large_images::LargeImageGate;
use resnet::hub::Silent;
use resnet::random::Random;

/// Shards, and classes.
const SHARDS: usize = 100;
/// Names of a file, fewer than a file system allows.
const LINKS: usize = 50_000;
/// Images that are read.
const READ: usize = 1000;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args()
        .skip(1)
        .filter(|argument| argument != "--bench")
        .collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["make", folder] => make(Path::new(folder), 1_000_000),
        ["make", folder, images] => make(Path::new(folder), images.parse()?),
        ["open", data] => measure(data),
        // As `cargo test --benches` runs it.
        [] => Ok(()),
        _ => bail!("usage: make DIR [IMAGES], or open DATA"),
    }
}

/// Returns a JPEG file of noise.
fn jpeg(number: u64) -> Result<Vec<u8>> {
    let mut random = Random::at(number, "image", &[]);
    let pixels: Vec<u8> = (0..32 * 32 * 3)
        .map(|_| (100 + random.below(60)) as u8)
        .collect();
    let mut bytes = Vec::new();
    Encoder::new(&mut bytes, 75).encode(&pixels, 32, 32, ColorType::Rgb)?;
    Ok(bytes)
}

fn make(folder: &Path, images: usize) -> Result<()> {
    let files: Vec<Vec<u8>> = (0..64).map(jpeg).collect::<Result<_>>()?;
    let tars = folder.join("tars");
    fs::create_dir_all(&tars)?;
    for shard in 0..SHARDS {
        let file = BufWriter::with_capacity(
            1 << 20,
            File::create(tars.join(format!("train-{shard:04}.tar")))?,
        );
        let mut archive = tar::Builder::new(file);
        for image in (shard..images).step_by(SHARDS) {
            let class = image % 1000;
            let mut add = |name: &str, content: &[u8]| {
                let mut header = tar::Header::new_ustar();
                header.set_size(content.len() as u64);
                archive.append_data(&mut header, name, content)
            };
            add(&format!("{image:08}.jpg"), &files[image % files.len()])?;
            add(&format!("{image:08}.cls"), class.to_string().as_bytes())?;
        }
        archive.into_inner()?.flush()?;
    }
    let mut linked = folder.join("unused");
    for image in 0..images {
        let class = folder.join("folder").join(format!("{:04}", image % SHARDS));
        let path = class.join(format!("{image:08}.jpg"));
        if image < SHARDS {
            fs::create_dir_all(&class)?;
        }
        if image % LINKS == 0 {
            fs::write(&path, &files[image / LINKS % files.len()])?;
            linked = path;
        } else {
            fs::hard_link(&linked, &path)?;
        }
    }
    Ok(())
}

fn measure(written: &str) -> Result<()> {
    let start = Instant::now();
    let data = open(&DatasetName::parse(written)?, written, &Silent)?;
    let opened = start.elapsed();
    let split = data.train.context("training images")?;
    let (options, gate) = (DecodeOptions::default(), LargeImageGate::default());
    let start = Instant::now();
    for number in 0..READ {
        let index = number.wrapping_mul(7_919_999) % split.len();
        split.with_image(index, &options, &gate, |_| Ok(()))?;
    }
    println!(
        "{} images in {} classes: opened in {:.1} s, {:.0} us to read and decode one; peak memory {} MB",
        split.len(),
        data.labels.len(),
        opened.as_secs_f64(),
        start.elapsed().as_secs_f64() * 1e6 / READ as f64,
        peak()?
    );
    Ok(())
}

/// Returns the peak memory of the process in megabytes, as Linux tells it.
fn peak() -> Result<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes: u64 = line
        .and_then(|line| line.split_whitespace().next())
        .context("VmHWM")?
        .parse()?;
    Ok(kilobytes * 1024 / 1_000_000)
}
