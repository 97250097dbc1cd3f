//! Searches a folder for the images most similar to one, by the cosine of their pooled features.
//!
//!     cargo run --release --example search [-- IMAGE [FOLDER [MODEL]]]

#![expect(clippy::print_stdout, reason = "an example prints its results")]

use resnet::Model;
use resnet::data::list_images;
use std::path::Path;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let query = arguments
        .next()
        .unwrap_or("assets/images/cat.png".to_owned());
    let folder = arguments.next().unwrap_or("assets/images".to_owned());
    let model = arguments.next().unwrap_or("sample".to_owned());
    let model = Model::builder(model).load()?;
    let (images, _) = list_images(Path::new(&folder));
    let index: Vec<Vec<f32>> = model.embed_batch(&images)?.into_iter().map(unit).collect();
    let query = unit(model.embed(&query)?);
    let mut found: Vec<(f32, &Path)> = index
        .iter()
        .zip(&images)
        .map(|(features, image)| (dot(&query, features), image.as_path()))
        .collect();
    found.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    for (cosine, image) in found.iter().take(10) {
        println!("{cosine:.4} {}", image.display());
    }
    Ok(())
}

/// Scales features to length 1, so that their dot product is the cosine.
fn unit(mut features: Vec<f32>) -> Vec<f32> {
    let length = dot(&features, &features).sqrt().max(f32::MIN_POSITIVE);
    for feature in &mut features {
        *feature /= length;
    }
    features
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
