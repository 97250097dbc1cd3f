//! SVG to PNG by resvg, with the font inside the binary and the system's for the letters that it lacks.

use std::sync::{Arc, LazyLock};

use anyhow::{Context, Result};
use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::fontdb::Database;
use resvg::usvg::{Options, Tree};

const FONT: &[u8] = include_bytes!("../../../assets/fonts/DejaVuSans.ttf");
const FAMILY: &str = "DejaVu Sans";

/// The font inside the binary.
static OWN: LazyLock<Arc<Database>> = LazyLock::new(|| Arc::new(own()));
/// It and the system's.
static ALL: LazyLock<Arc<Database>> = LazyLock::new(|| {
    let mut fonts = own();
    fonts.load_system_fonts();
    fonts.set_sans_serif_family(FAMILY);
    Arc::new(fonts)
});

fn own() -> Database {
    let mut fonts = Database::new();
    fonts.load_font_data(FONT.to_vec());
    fonts.set_sans_serif_family(FAMILY);
    fonts
}

/// Returns true if the font inside the binary has the letter `c`, roughly; `assets/fonts/README.md` has its letters.
fn is_ours(c: char) -> bool {
    matches!(c, '\n' | '\t' | ' '..='~' | '\u{a0}'..='\u{24f}' | '\u{370}'..='\u{45f}' | '\u{1e00}'..='\u{22ff}' | '\u{2713}' | '\u{2717}')
}

/// Returns the image of `svg` with `scale` pixels per unit.
pub fn png(svg: &str, scale: f32) -> Result<Vec<u8>> {
    // Reading the system's fonts takes a while.
    let fonts = if svg.chars().all(is_ours) { &OWN } else { &ALL };
    let options = Options {
        fontdb: Arc::clone(fonts),
        font_family: FAMILY.to_owned(),
        ..Options::default()
    };
    let tree = Tree::from_str(svg, &options).context("cannot draw a figure")?;
    let size = tree.size().to_int_size();
    let size = size
        .scale_by(scale)
        .context("cannot draw a figure without extent")?;
    let mut pixels =
        Pixmap::new(size.width(), size.height()).context("cannot draw a figure without extent")?;
    resvg::render(
        &tree,
        Transform::from_scale(scale, scale),
        &mut pixels.as_mut(),
    );
    pixels.encode_png().context("cannot draw a figure")
}
