//! Shear, translation and rotation of images: torchvision's `affine` and `rotate` of PIL images, nearest pixel, black fill.
//!
//! An output pixel at column x and row y shows the input at a x + b y + c, d x + e y + f; the matrix is torchvision's or
//! Pillow's, and the coordinates are those of Pillow's `src/libImaging/Geometry.c`, in fixed point with 16 fractional
//! bits when both axes contribute.

use pillow_image::Image;

/// The rows a, b, c and d, e, f of the matrix.
type Matrix = [[f64; 3]; 2];

/// Shifts each row by `slope` times its number.
pub fn shear_x(image: &Image, slope: f64) -> Image {
    let tangent = slope.atan().to_degrees().to_radians().tan();
    nearest(image, [[1.0, tangent, 0.0], [0.0, 1.0, 0.0]])
}

/// Shifts each column by `slope` times its number.
pub fn shear_y(image: &Image, slope: f64) -> Image {
    let angle = slope.atan().to_degrees().to_radians();
    let tangent = angle.sin() / angle.cos();
    nearest(image, [[1.0, 0.0, 0.0], [tangent, 1.0, 0.0]])
}

/// Shifts to the right by `pixels`, truncated to a whole number.
pub fn translate_x(image: &Image, pixels: f64) -> Image {
    image.shifted([0, pixels as isize])
}

/// Shifts down by `pixels`, truncated to a whole number.
pub fn translate_y(image: &Image, pixels: f64) -> Image {
    image.shifted([pixels as isize, 0])
}

/// Rotates to the left by `degrees` around the center.
pub fn rotate(image: &Image, degrees: f64) -> Image {
    let angle = -degrees.rem_euclid(360.0).to_radians();
    let (sine, cosine) = (rounded(angle.sin()), rounded(angle.cos()));
    let [y, x] = image.size().map(|edge| edge as f64 / 2.0);
    let row = |a: f64, b: f64, middle: f64| [a, b, a * -x + b * -y + middle];
    nearest(image, [row(cosine, sine, x), row(-sine, cosine, y)])
}

/// Rounds to 15 decimals, as Pillow rounds sines.
fn rounded(value: f64) -> f64 {
    format!("{value:.15}").parse().unwrap_or(value)
}

/// Transforms `image` by `matrix`.
fn nearest(image: &Image, matrix: Matrix) -> Image {
    let ([height, width], channels) = (image.size(), image.channels());
    let mut output = Image::filled(image.size(), &vec![0; channels]);
    let rows = output.samples_mut().chunks_exact_mut(width * channels);
    let inside = |at: i64, length: usize| usize::try_from(at).ok().filter(|&at| at < length);
    if matrix[0][1] == 0.0 && matrix[1][0] == 0.0 {
        let columns = straight(matrix[0][0], matrix[0][2], width);
        for (row, y) in rows.zip(straight(matrix[1][1], matrix[1][2], height)) {
            let Some(y) = inside(y, height) else { continue };
            let source = image.row(y);
            for (pixel, &x) in row.chunks_exact_mut(channels).zip(&columns) {
                if let Some(x) = inside(x, width) {
                    pixel.copy_from_slice(&source[x * channels..][..channels]);
                }
            }
        }
        return output;
    }
    let [[a, b, c], [d, e, f]] = matrix.map(|[x, y, shift]| {
        // The center of a pixel, not its corner.
        [x, y, shift + x * 0.5 + y * 0.5].map(fixed_point)
    });
    for (row, y) in rows.zip(0..) {
        for (pixel, x) in row.chunks_exact_mut(channels).zip(0..) {
            let [x, y] = [(a * x + b * y + c) >> 16, (d * x + e * y + f) >> 16];
            if let (Some(x), Some(y)) = (inside(x, width), inside(y, height)) {
                pixel.copy_from_slice(&image.row(y)[x * channels..][..channels]);
            }
        }
    }
    output
}

/// Returns the source of each of `length` pixels of an axis that is only scaled and shifted; a negative one is outside.
fn straight(scale: f64, shift: f64, length: usize) -> Vec<i64> {
    let mut at = shift + scale * 0.5;
    (0..length)
        .map(|_| {
            let source = at.floor() as i64;
            at += scale;
            source
        })
        .collect()
}

/// Converts a coordinate to fixed point with 16 fractional bits.
fn fixed_point(value: f64) -> i64 {
    (value * 65536.0 + 0.5).floor() as i64
}

#[cfg(test)]
mod tests {
    use super::super::numbered;
    use super::*;

    #[test]
    fn nothing_moves_by_nothing() {
        let image = numbered([5, 7]);
        for still in [shear_x, shear_y, translate_x, translate_y, rotate] {
            assert_eq!(still(&image, 0.0), image);
            assert_eq!(still(&image, -0.0), image);
        }
        assert_eq!(rotate(&image, 360.0), image);
    }

    #[test]
    fn half_a_turn_reverses_and_a_quarter_turns_rows_to_columns() {
        let image = numbered([4, 4]);
        let mut reversed = image.samples().to_vec();
        reversed.reverse();
        assert_eq!(rotate(&image, 180.0).samples(), reversed);
        assert_eq!(rotate(&image, 90.0).row(0), [4, 8, 12, 16]);
    }

    #[test]
    fn shifts_leave_black_behind() {
        let image = numbered([2, 3]);
        assert_eq!(translate_x(&image, 1.9).samples(), [0, 1, 2, 0, 4, 5]);
        assert_eq!(translate_x(&image, -2.0).samples(), [3, 0, 0, 6, 0, 0]);
        assert_eq!(translate_y(&image, 1.0).samples(), [0, 0, 0, 1, 2, 3]);
        assert_eq!(translate_y(&image, -9.0).samples(), [0; 6]);
    }
}
