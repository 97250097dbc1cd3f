//! Conversion of components to red, green and blue: libjpeg's fixed-point arithmetic (`jdcolor.c`), and Pillow's for CMYK.
//!
//! With `cb` and `cr` less 128, and products rounded to whole numbers at 16 binary places,
//!
//! ```text
//! red   = y              + 1.40200 cr
//! green = y - 0.34414 cb - 0.71414 cr
//! blue  = y + 1.77200 cb
//! ```
//!
//! Each factor is split into a whole number and a remainder below one half, so that the products of the remainders fit
//! 16-bit arithmetic: `1.402 = 1 + 0.402`, `-0.71414 = -1 + 0.28586` and `1.772 = 2 - 0.228`.

/// The color model of an image's components.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColorTransform {
    Gray,
    Rgb,
    YCbCr,
    /// Inverted, as Adobe writes it and Pillow assumes.
    Cmyk,
    /// CMYK as it is, in TIFF.
    Ink,
    /// CMYK, also inverted, whose first three are coded as luma and chroma.
    Ycck,
}

/// Pixels per conversion.
const CHUNK: usize = 16;
/// The remainders of the factors, times 65536.
const RED_CR: i16 = 26345;
const GREEN_CB: i16 = -22554;
const GREEN_CR: i16 = 18734;
const BLUE_CB: i16 = -14942;

/// Converts a row of samples of each component into a row of red, green and blue.
#[inline(always)]
pub fn convert(transform: ColorTransform, rows: &[&[u8]], pixels: &mut [u8]) {
    match (transform, rows) {
        (ColorTransform::Gray, [gray, ..]) => {
            for (pixel, &gray) in pixels.as_chunks_mut::<3>().0.iter_mut().zip(*gray) {
                *pixel = [gray; 3];
            }
        }
        (ColorTransform::Rgb, [red, green, blue, ..]) => {
            let samples = red.iter().zip(*green).zip(*blue);
            for (pixel, ((&r, &g), &b)) in pixels.as_chunks_mut::<3>().0.iter_mut().zip(samples) {
                *pixel = [r, g, b];
            }
        }
        (ColorTransform::YCbCr, [y, cb, cr]) => ycbcr(y, cb, cr, pixels),
        (ColorTransform::Cmyk, [c, m, y, k]) => {
            let samples = c.iter().zip(*m).zip(*y).zip(*k);
            for (pixel, (((&c, &m), &y), &k)) in
                pixels.as_chunks_mut::<3>().0.iter_mut().zip(samples)
            {
                *pixel = [c, m, y].map(|ink| under_black(ink, k));
            }
        }
        (ColorTransform::Ink, [c, m, y, k]) => {
            let samples = c.iter().zip(*m).zip(*y).zip(*k);
            for (pixel, (((&c, &m), &y), &k)) in
                pixels.as_chunks_mut::<3>().0.iter_mut().zip(samples)
            {
                *pixel = [c, m, y].map(|ink| under_black(255 - ink, 255 - k));
            }
        }
        (ColorTransform::Ycck, [y, cb, cr, k]) => {
            ycbcr(y, cb, cr, pixels);
            for (pixel, &k) in pixels.as_chunks_mut::<3>().0.iter_mut().zip(*k) {
                // libjpeg's CMYK is the inverse of these colors.
                *pixel = pixel.map(|light| under_black(255 - light, k));
            }
        }
        _ => debug_assert!(false, "{transform:?} of {} components", rows.len()),
    }
}

/// Returns a color sample from inverted ink and inverted black: Pillow's `cmyk2rgb`.
#[inline(always)]
pub fn under_black(ink: u8, black: u8) -> u8 {
    let product = (255 - u32::from(ink)) * u32::from(black) + 128;
    let absorbed = (product + (product >> 8)) >> 8;
    black.saturating_sub(absorbed as u8)
}

#[inline(always)]
fn ycbcr(y: &[u8], cb: &[u8], cr: &[u8], pixels: &mut [u8]) {
    let (chunks, rest) = pixels.as_chunks_mut::<{ 3 * CHUNK }>();
    let samples = y
        .as_chunks::<CHUNK>()
        .0
        .iter()
        .zip(cb.as_chunks::<CHUNK>().0)
        .zip(cr.as_chunks::<CHUNK>().0);
    let whole = chunks.len();
    for (pixels, ((y, cb), cr)) in chunks.iter_mut().zip(samples) {
        *pixels = ycbcr_chunk(y, cb, cr);
    }
    if !rest.is_empty() {
        let pixels = rest.len() / 3;
        let last = |row: &[u8]| {
            let mut samples = [0; CHUNK];
            let start = whole * CHUNK;
            samples[..pixels].copy_from_slice(&row[start..start + pixels]);
            samples
        };
        rest.copy_from_slice(&ycbcr_chunk(&last(y), &last(cb), &last(cr))[..3 * pixels]);
    }
}

#[inline(always)]
fn ycbcr_chunk(y: &[u8; CHUNK], cb: &[u8; CHUNK], cr: &[u8; CHUNK]) -> [u8; 3 * CHUNK] {
    // Red, green, blue and zero of a pixel, from the lowest byte up.
    let mut colors = [0_u32; CHUNK];
    for (at, color) in colors.iter_mut().enumerate() {
        let y = i16::from(y[at]);
        let cb = i16::from(cb[at]) - 128;
        let cr = i16::from(cr[at]) - 128;
        let red = y + cr + rounded_product(cr, RED_CR);
        let blue = y + 2 * cb + rounded_product(cb, BLUE_CB);
        let green = i32::from(cb) * i32::from(GREEN_CB) + i32::from(cr) * i32::from(GREEN_CR);
        let green = y - cr + ((green + (1 << 15)) >> 16) as i16;
        let [red, green, blue] = [red, green, blue].map(|light| light.clamp(0, 255) as u32);
        *color = red | green << 8 | blue << 16;
    }
    let mut pixels = [0; 3 * CHUNK];
    for (pixels, colors) in pixels
        .as_chunks_mut::<12>()
        .0
        .iter_mut()
        .zip(colors.as_chunks::<4>().0)
    {
        let [first, second, third, fourth] = colors;
        let words = [
            first | second << 24,
            second >> 8 | third << 16,
            third >> 16 | fourth << 8,
        ];
        for (bytes, word) in pixels.as_chunks_mut::<4>().0.iter_mut().zip(words) {
            *bytes = word.to_le_bytes();
        }
    }
    pixels
}

/// Returns `sample * factor / 65536`, rounded, from the high 16 bits of the doubled product alone.
#[inline(always)]
fn rounded_product(sample: i16, factor: i16) -> i16 {
    let twice = ((i32::from(2 * sample) * i32::from(factor)) >> 16) as i16;
    (twice + 1) >> 1
}

#[cfg(test)]
mod tests {
    use super::*;

    /// libjpeg's tables, from the factors themselves.
    fn by_definition(y: u8, cb: u8, cr: u8) -> [u8; 3] {
        let fixed = |factor: f64| (factor * 65536.0 + 0.5) as i32;
        let (y, cb, cr) = (i32::from(y), i32::from(cb) - 128, i32::from(cr) - 128);
        let red = y + ((fixed(1.402) * cr + 32768) >> 16);
        let green = y + ((-fixed(0.34414) * cb - fixed(0.71414) * cr + 32768) >> 16);
        let blue = y + ((fixed(1.772) * cb + 32768) >> 16);
        [red, green, blue].map(|light| light.clamp(0, 255) as u8)
    }

    #[test]
    fn every_chroma_gives_libjpegs_colors() {
        for y in [0, 1, 77, 128, 200, 255] {
            for cb in 0..=255 {
                let cr: Vec<u8> = (0..=255).chain([3, 7, 250]).collect();
                let mut pixels = vec![0; 3 * cr.len()];
                let rows = [&vec![y; cr.len()][..], &vec![cb; cr.len()], &cr];
                convert(ColorTransform::YCbCr, &rows, &mut pixels);
                for (pixel, &cr) in pixels.as_chunks::<3>().0.iter().zip(&cr) {
                    assert_eq!(*pixel, by_definition(y, cb, cr), "{y} {cb} {cr}");
                }
            }
        }
    }
}
