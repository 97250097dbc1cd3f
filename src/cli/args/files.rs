//! The files that `resnet predict` writes: Grad-CAM images and features.

use crate::cli::output::console::Console;
use crate::embedding::Embedding;
use crate::error::usage_error;
use crate::explain::{Folder, class_called};
use crate::predict::Predicted;
use crate::text::pluralize;
use anyhow::Result;
use candle_core::DType;
use std::path::{Path, PathBuf};

#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Explanations and features")]
pub struct FileArgs {
    /// Write a Grad-CAM heat map of each image to a folder
    ///
    /// A PNG per image: the regions that speak for its top class.
    #[arg(long, value_name = "DIR")]
    explain: Option<PathBuf>,
    /// Class to explain instead of the top one: a label or a number
    #[arg(
        long,
        value_name = "CLASS",
        requires = "explain",
        allow_negative_numbers = true
    )]
    explain_class: Option<String>,
    /// Write the pooled features of each image to a file
    ///
    /// A .safetensors, .npy or .csv file. One row per image. For x.npy, the image names are in x.names.txt.
    #[arg(long, value_name = "FILE")]
    embed: Option<PathBuf>,
}

impl FileArgs {
    /// Returns true if images are explained.
    pub fn has_explanations(&self) -> bool {
        self.explain.is_some()
    }

    /// Returns true if features are written.
    pub fn has_embedding(&self) -> bool {
        self.embed.is_some()
    }

    /// Returns the folder of the explanations of the images at `paths`, if any.
    pub fn folder(&self, paths: &[PathBuf]) -> Result<Option<Folder>> {
        let folder = self.explain.as_deref();
        folder
            .map(|folder| Folder::create(folder, paths))
            .transpose()
    }

    /// Returns the class to explain, if one is named.
    pub fn class(&self, labels: &[String], classes: usize) -> Result<Option<usize>> {
        let class = self.explain_class.as_deref();
        class
            .map(|class| class_called(class, labels, classes))
            .transpose()
    }

    /// Returns the file of the features, if any; `others` are files that the command reads, or writes, too.
    pub fn embedding(&self, dtype: DType, others: &[&Path]) -> Result<Option<Embedding>> {
        let Some(file) = &self.embed else {
            return Ok(None);
        };
        let embedding = Embedding::create(file, dtype)?;
        for written in embedding.files() {
            let there = written.canonicalize().ok();
            let is_it = |file: &&Path| {
                *file == written || (there.is_some() && file.canonicalize().ok() == there)
            };
            if others.iter().any(is_it) {
                return Err(usage_error(
                    format!("features would take the place of `{}`", written.display()),
                    "pass another file",
                ));
            }
        }
        Ok(Some(embedding))
    }
}

/// The files to write, and counts of what is in them.
pub struct Written {
    embedding: Option<Embedding>,
    /// Images that were explained.
    explained: usize,
    /// Explained images in which nothing speaks for the class.
    cold: usize,
    /// Images without features.
    left_out: usize,
}

impl Written {
    pub fn new(embedding: Option<Embedding>) -> Self {
        Self {
            embedding,
            explained: 0,
            cold: 0,
            left_out: 0,
        }
    }

    /// Adds the result of the image called `name`.
    pub fn add(&mut self, name: &str, predicted: &Predicted) {
        if let Some(embedding) = &mut self.embedding {
            embedding.add(name, &predicted.features);
        }
        if let Some(explained) = &predicted.explained {
            self.explained += 1;
            self.cold += usize::from(explained.is_cold);
        }
    }

    /// Counts an image without a result.
    pub fn leave_out(&mut self) {
        self.left_out += 1;
    }

    /// Writes the features, `features` per image, and notes where the files are.
    pub fn finish(self, features: usize, folder: Option<&Folder>, console: &Console) -> Result<()> {
        if let Some(folder) = folder {
            let images = pluralize(self.explained, "image");
            let folder = folder.path().display();
            console.note(format_args!("explanations of {images} saved to {folder}"));
            if self.cold > 0 {
                console.note(format_args!(
                    "in {} of them nothing speaks for the class, so that no region is colored",
                    self.cold
                ));
            }
        }
        if let Some(embedding) = self.embedding {
            let files = embedding.files();
            let rows = pluralize(embedding.finish(features)?, "image");
            let file = files[0].display();
            let names = match files.get(1) {
                Some(names) => format!(", their names in {}", names.display()),
                None => String::new(),
            };
            let left_out = match self.left_out {
                0 => String::new(),
                count => format!("; no row for {}", pluralize(count, "image")),
            };
            console.note(format_args!(
                "features of {rows} saved to {file}{names}{left_out}"
            ));
        }
        Ok(())
    }
}
