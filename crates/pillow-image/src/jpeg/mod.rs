//! Decoding of JPEG images, bit-identical to Pillow.
//!
//! Pillow decodes with libjpeg-turbo's accurate transform and "fancy" upsampling. The same arithmetic is here:
//! baseline, extended sequential and progressive Huffman coding of 8 bits; gray, YCbCr, RGB, CMYK and YCCK; every
//! whole ratio of sampling factors; restarts; several scans. Arithmetic and lossless coding and 12 bits are
//! rejected. Damaged data is tolerated as in libjpeg, but a file that ends before its end-of-image marker is truncated.
//!
//! A file goes through [`markers`] (its segments), [`entropy`] (bits of MCUs, restarts), [`sequential`] or [`progressive`]
//! (coefficients), [`idct`] (samples), and [`strips`], which calls [`upsample`] and [`color`] for rows of pixels.
//! Incomplete progressive files go through [`smoothing`].

#![expect(
    clippy::inline_always,
    reason = "what is not inlined into `Vectorized` is not compiled for newer processors"
)]

mod bits;
mod block;
mod coefficients;
mod color;
mod entropy;
mod error;
mod frame;
mod huffman;
mod idct;
mod markers;
mod progressive;
mod sequential;
mod smoothing;
mod strips;
mod upsample;

use image::RgbImage;

use block::COEFFICIENTS;
use coefficients::Coefficients;
use entropy::Entropy;
use error::{Result, damaged};
use frame::{Frame, Scan};
use idct::{Kernel, Portable, Quantization};
use markers::{Event, Markers};
use sequential::{Sequential, Tables};
use smoothing::ScanProgress;
use strips::Strips;

pub use color::{ColorTransform, under_black};
pub use error::JpegError;

/// The most scans that a file may have. Each takes time, however little data it has.
const MAX_SCANS: usize = 1000;

/// A JPEG file read up to its first scan.
#[derive(Debug)]
pub struct Jpeg<'a> {
    markers: Markers<'a>,
    frame: Frame,
    scan: Scan,
}

impl<'a> Jpeg<'a> {
    /// Reads a file that starts with a start-of-image marker.
    ///
    /// # Errors
    /// When the header is damaged or truncated, or the kind of JPEG is unsupported.
    pub fn open(bytes: &'a [u8]) -> Result<Self> {
        let jpeg = Self::open_frame(Markers::new(bytes))?;
        if jpeg.components() == 2 {
            return Err(JpegError::Unsupported("other than 1, 3 or 4 components"));
        }
        Ok(jpeg)
    }

    /// Reads a part of another file, whose tables may be in `tables`, a file without an image.
    ///
    /// # Errors
    /// Those of [`Jpeg::open`].
    pub fn open_part(tables: Option<&'a [u8]>, bytes: &'a [u8]) -> Result<Self> {
        let mut markers = Markers::new(tables.unwrap_or(bytes));
        if tables.is_some() {
            match markers.read() {
                // Some writers leave out the end of the tables.
                Ok(Event::End) | Err(JpegError::Truncated) => {}
                Ok(Event::Scan(_)) => return Err(damaged("its tables have an image")),
                Err(error) => return Err(error),
            }
            markers.continue_with(bytes);
        }
        Self::open_frame(markers)
    }

    fn open_frame(mut markers: Markers<'a>) -> Result<Self> {
        match (markers.read()?, markers.frame.clone()) {
            (Event::Scan(scan), Some(frame)) => Ok(Self {
                markers,
                frame,
                scan,
            }),
            _ => Err(damaged("it has no image")),
        }
    }

    /// Returns the width and height in pixels.
    pub fn dimensions(&self) -> (u32, u32) {
        (self.frame.width as u32, self.frame.height as u32)
    }

    /// Returns the number of components.
    pub fn components(&self) -> usize {
        self.frame.components.len()
    }

    /// Returns the EXIF data, without its name.
    pub fn exif(&self) -> Option<&[u8]> {
        let exif = &self.markers.exif;
        (!exif.is_empty()).then_some(exif)
    }

    /// Returns the XMP data, without its name.
    pub fn xmp(&self) -> Option<&[u8]> {
        self.markers.xmp
    }

    /// Decodes an image whose color model a container tells.
    ///
    /// # Errors
    /// Those of [`Jpeg::decode`].
    pub fn decode_as(mut self, colors: ColorTransform) -> Result<RgbImage> {
        self.markers.colors = Some(colors);
        self.decode()
    }

    /// Decodes the image as it is stored, without its orientation.
    ///
    /// # Errors
    /// When the file is truncated, a table is missing, or libjpeg rejects a scan.
    pub fn decode(self) -> Result<RgbImage> {
        let (width, height) = self.dimensions();
        let mut image = RgbImage::new(width, height);
        // The whole of it is compiled for newer processors, too: reading bits gains as much from that as arithmetic.
        #[cfg(target_arch = "x86_64")]
        if let Some(simd) = pulp::x86::V3::try_new() {
            simd.vectorize(Vectorized {
                jpeg: self,
                pixels: &mut image,
                simd,
            })?;
            return Ok(image);
        }
        self.decode_into(&mut image, Portable)?;
        Ok(image)
    }

    #[inline(always)]
    fn decode_into(self, pixels: &mut [u8], kernel: impl Kernel) -> Result<()> {
        let is_one_scan = self.scan.members.len() == self.frame.components.len();
        if is_one_scan && !self.frame.is_progressive {
            self.decode_one_scan(pixels, kernel)
        } else {
            self.decode_scans(pixels, kernel)
        }
    }

    /// Decodes a file with a single scan of complete blocks, row by row.
    #[inline(always)]
    fn decode_one_scan(mut self, pixels: &mut [u8], kernel: impl Kernel) -> Result<()> {
        let (frame, scan) = (&self.frame, &self.scan);
        self.markers.latch_quantization(scan)?;
        self.markers.default_tables();
        let tables = Tables::of(scan, &self.markers)?;
        let quantization = quantization(&self.markers);
        let mut strips = Strips::new(frame, self.markers.transform(), pixels);
        let mcus = frame.mcus_wide();
        let mut entropy = Entropy::new(&mut self.markers)?;
        let mut block = [0; COEFFICIENTS];
        for mcu_row in 0..frame.mcus_high() {
            let mut next = 0;
            while next < mcus {
                let mut run = entropy.run(next..mcus)?;
                for mcu in run.mcus.clone() {
                    for (index, member) in scan.members.iter().enumerate() {
                        let component = &frame.components[member.component];
                        let quantization = &quantization[member.component];
                        for (row, column) in component.blocks_of(mcu) {
                            let positions = match run.data() {
                                Some((reader, carry)) => {
                                    let dc = &mut carry.dc[index & 3];
                                    tables[index].decode_block(reader, dc, &mut block)
                                }
                                None => 0,
                            };
                            if column < component.blocks_wide {
                                let samples =
                                    idct::transform(kernel, &block, quantization, positions);
                                strips.put(member.component, row, column, &samples);
                            }
                            block = [0; COEFFICIENTS];
                        }
                    }
                    run.end_mcu();
                }
                next = run.mcus.end;
                let end = run.end();
                entropy.resume_at(end);
            }
            strips.finish(mcu_row);
        }
        match self.markers.read()? {
            Event::End => Ok(()),
            Event::Scan(_) => Err(damaged("it has more than one scan")),
        }
    }

    /// Decodes a file with several scans of partial blocks.
    #[inline(always)]
    fn decode_scans(mut self, pixels: &mut [u8], kernel: impl Kernel) -> Result<()> {
        let frame = &self.frame;
        let mut coefficients = Coefficients::new(frame);
        if !frame.is_progressive {
            self.markers.default_tables();
        }
        let mut progress = ScanProgress::new(frame);
        let mut scan = self.scan;
        for number in 1.. {
            self.markers.latch_quantization(&scan)?;
            if frame.is_progressive {
                progress.last_row =
                    progressive::decode(&scan, frame, &mut self.markers, &mut coefficients)?;
                progress.add(&scan);
            } else {
                let decoder = Sequential(Tables::of(&scan, &self.markers)?);
                let entropy = Entropy::new(&mut self.markers)?;
                coefficients.decode(&scan, frame, entropy, &decoder)?;
            }
            match self.markers.read()? {
                Event::End => break,
                Event::Scan(next) => scan = next,
            }
            if number == MAX_SCANS {
                return Err(damaged(format!("it has more than {MAX_SCANS} scans")));
            }
        }
        let quantization = quantization(&self.markers);
        // The frame with its quantization tables, if something is missing.
        let latched = self.markers.frame.clone();
        let latched = latched.filter(|frame| frame.is_progressive && progress.is_partial(frame));
        let mut smoothed = Vec::new();
        let mut strips = Strips::new(frame, self.markers.transform(), pixels);
        for mcu_row in 0..frame.mcus_high() {
            for (index, component) in frame.components.iter().enumerate() {
                let first_row = mcu_row * component.v;
                for row in 0..component.v.min(component.blocks_high - first_row) {
                    let mut blocks = coefficients.row(index, first_row + row);
                    if let Some(latched) = &latched {
                        progress.smooth(
                            &coefficients,
                            latched,
                            index,
                            (mcu_row, row),
                            &mut smoothed,
                        );
                        blocks = &smoothed;
                    }
                    for (column, block) in blocks[..component.blocks_wide].iter().enumerate() {
                        let positions = idct::positions(block);
                        let samples =
                            idct::transform(kernel, block, &quantization[index], positions);
                        strips.put(index, row, column, &samples);
                    }
                }
            }
            strips.finish(mcu_row);
        }
        Ok(())
    }
}

/// A call of [`Jpeg::decode_into`] that is compiled for newer processors.
#[cfg(target_arch = "x86_64")]
struct Vectorized<'a, 'p> {
    jpeg: Jpeg<'a>,
    pixels: &'p mut [u8],
    simd: pulp::x86::V3,
}

#[cfg(target_arch = "x86_64")]
impl pulp::NullaryFnOnce for Vectorized<'_, '_> {
    type Output = Result<()>;

    #[inline(always)]
    fn call(self) -> Result<()> {
        self.jpeg.decode_into(self.pixels, self.simd)
    }
}

/// Returns the quantization table of each component; zeros when no scan has used it.
fn quantization(markers: &Markers) -> Vec<Quantization> {
    let components = markers.frame.iter().flat_map(|frame| &frame.components);
    components
        .map(|component| {
            let table = component.quantization.unwrap_or([0; COEFFICIENTS]);
            table.map(|value| value as i16)
        })
        .collect()
}
