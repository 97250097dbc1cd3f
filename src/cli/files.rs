//! The files that `resnet predict` writes: Grad-CAM images and features.

use super::console::Console;
use crate::embedding::Embedding;
use crate::error::misuse;
use crate::explain::{Folder, class_called};
use crate::predict::Predicted;
use crate::words::counted;
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
    /// Write pooled features to a .safetensors, .npy or .csv file
    ///
    /// One row per image. For x.npy, the image names are in x.names.txt.
    #[arg(long, value_name = "FILE")]
    embed: Option<PathBuf>,
}

impl FileArgs {
    /// Where the explanations of the pictures at `paths` go.
    pub fn folder(&self, paths: &[PathBuf]) -> Result<Option<Folder>> {
        let folder = self.explain.as_deref();
        folder
            .map(|folder| Folder::create(folder, paths))
            .transpose()
    }

    /// The class to explain, if one is named.
    pub fn class(&self, labels: &[String], classes: usize) -> Result<Option<usize>> {
        let class = self.explain_class.as_deref();
        class
            .map(|class| class_called(class, labels, classes))
            .transpose()
    }

    /// Where features go; `others` are files that the command reads, or writes, too.
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
                return Err(misuse(
                    format!("features would take the place of `{}`", written.display()),
                    "pass another file",
                ));
            }
        }
        Ok(Some(embedding))
    }
}

/// What there is to write, and to say of what was written.
pub struct Written {
    embedding: Option<Embedding>,
    /// Pictures that were explained.
    explained: usize,
    /// Those of them in which nothing speaks for the class.
    cold: usize,
    /// Pictures that there are no features of.
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

    /// Takes in a picture of that name.
    pub fn add(&mut self, name: &str, predicted: &Predicted) {
        if let Some(embedding) = &mut self.embedding {
            embedding.add(name, &predicted.features);
        }
        if let Some(explained) = &predicted.explained {
            self.explained += 1;
            self.cold += usize::from(explained.is_cold);
        }
    }

    /// Counts a picture that nothing could be told of.
    pub fn leave_out(&mut self) {
        self.left_out += 1;
    }

    /// Writes the features, so many a picture, and says where all of it is.
    pub fn finish(self, features: usize, folder: Option<&Folder>, console: &Console) -> Result<()> {
        if let Some(folder) = folder {
            let pictures = counted(self.explained, "picture");
            let folder = folder.path().display();
            console.note(format_args!("explanations of {pictures} are in {folder}"));
            if self.cold > 0 {
                console.note(format_args!(
                    "in {} of them nothing speaks for the class, so that no place has a colour",
                    self.cold
                ));
            }
        }
        if let Some(embedding) = self.embedding {
            let files = embedding.files();
            let rows = counted(embedding.finish(features)?, "picture");
            let file = files[0].display();
            let names = match files.get(1) {
                Some(names) => format!(", their names in {}", names.display()),
                None => String::new(),
            };
            let left_out = match self.left_out {
                0 => String::new(),
                count => format!("; no row for {}", counted(count, "picture")),
            };
            console.note(format_args!(
                "features of {rows} are in {file}{names}{left_out}"
            ));
        }
        Ok(())
    }
}
