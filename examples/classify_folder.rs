//! Classifies all images of a folder in batches; one that cannot be read is reported, and the others are still classified.
//!
//!     cargo run --release --example classify_folder [-- FOLDER [MODEL]]

#![expect(clippy::print_stdout, reason = "an example prints its results")]

use resnet::Model;
use resnet::data::list_images;
use std::path::Path;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().unwrap_or("assets/images".to_owned());
    // A hub name such as `resnet50`, a folder, a file, or the small model inside the library.
    let model = arguments.next().unwrap_or("sample".to_owned());
    let model = Model::builder(model).load()?;
    let (images, _) = list_images(Path::new(&folder));
    for (image, result) in images.iter().zip(model.classify_batch(&images, 1)) {
        let image = image.display();
        match result.as_deref() {
            Ok([top, ..]) => {
                let label = top.label.as_deref().unwrap_or("?");
                println!("{image}: {label} ({:.1} %)", 100.0 * top.probability);
            }
            Ok([]) => println!("{image}: the model has no class"),
            Err(error) => println!("{image}: {error}"),
        }
    }
    Ok(())
}
