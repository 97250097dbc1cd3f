//! Fine-tunes the bundled model on the bundled images for a few steps, and classifies an image with the result.
//!
//!     cargo run --release --example fine_tune [-- DATA [MODEL]]

#![expect(clippy::print_stdout, reason = "an example prints its results")]

use resnet::Model;
use resnet::train::Trainer;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let data = arguments.next().unwrap_or("sample".to_owned());
    let model = arguments.next().unwrap_or("sample".to_owned());
    let folder = tempfile::tempdir()?;
    let run = folder.path().join("run");
    let trainer = Trainer::builder(data)
        .model(model)
        .epochs(1)
        .max_steps(20)
        .lr(0.01)
        .output(&run);
    trainer.start()?.run()?;
    let tuned = Model::builder(run.to_string_lossy()).load()?;
    for top in tuned.classify("assets/images/boot.png", 3)? {
        let label = top.label.unwrap_or_default();
        println!("{:6.2} % {label}", 100.0 * top.probability);
    }
    Ok(())
}
