//! Fine-tunes the bundled model on the bundled images for a few steps, and classifies an image with the result.
//!
//!     cargo run --release --example fine_tune [-- DATA [MODEL]]

#![expect(clippy::print_stdout, reason = "an example prints its results")]

use resnet::Model;
use resnet::hub::Silent;
use resnet::train::observe::observer::NoObserver;
use resnet::train::{ExecutionContext, Recipe, Target, Trainer};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let data = arguments.next().unwrap_or("sample".to_owned());
    let model = arguments.next().unwrap_or("sample".to_owned());
    let recipe = Recipe {
        data: Some(data),
        model: Some(model),
        epochs: Some(1),
        max_steps: Some(20),
        lr: Some(0.01),
        ..Recipe::default()
    };
    let context = ExecutionContext {
        device: candle_core::Device::Cpu,
        workers: 2,
        progress: &Silent,
    };
    let folder = tempfile::tempdir()?;
    let target = Target::Folder(folder.path().join("run"));
    let trainer = Trainer::start(
        recipe,
        &target,
        "the example fine_tune",
        &context,
        &mut NoObserver,
    )?;
    trainer.run(&mut NoObserver)?;
    let run = folder.path().join("run");
    let tuned = Model::builder(run.to_string_lossy()).load()?;
    for top in tuned.classify("assets/images/boot.png", 3)? {
        let label = top.label.unwrap_or_default();
        println!("{:6.2} % {label}", 100.0 * top.probability);
    }
    Ok(())
}
