//! Draws what speaks for the most probable class of an image, as a heat map over it.
//!
//!     cargo run --release --example explain [-- IMAGE [OUTPUT [MODEL]]]

#![expect(clippy::print_stdout, reason = "an example prints its results")]

use resnet::{CamTarget, Model};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let image = arguments
        .next()
        .unwrap_or("assets/images/boot.png".to_owned());
    let output = arguments
        .next()
        .map_or_else(|| std::env::temp_dir().join("explanation.png"), Into::into);
    let model = arguments.next().unwrap_or("sample".to_owned());
    let model = Model::builder(model).load()?;
    let image = model.decode(&image)?;
    let explanation = model.explain(&image, CamTarget::Top)?;
    explanation.overlay(&image).save(&output)?;
    let class = explanation.cam.class;
    let label = model.labels().get(class).map_or("?", String::as_str);
    println!("class {class}, {label}: {}", output.display());
    Ok(())
}
