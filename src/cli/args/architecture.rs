//! The network that the flags of an architecture describe.

use crate::cli::args::key_flags::ArchitectureFlags;
use crate::error::{usage_error, without_backtrace};
use crate::model::config::canonical_name;
use crate::model::{Architecture, ModelConfig, StemKind};
use anyhow::Result;

impl ArchitectureFlags {
    /// Returns the first of these flags that was given: a model has its own architecture.
    pub fn settled_by_model(&self) -> Option<String> {
        self.0.keys().first().map(|key| format!("--{key}"))
    }

    /// Returns the network that the flags describe, with `stem` if given.
    pub fn config(&self, stem: Option<StemKind>) -> Result<ModelConfig> {
        let recipe = &self.0;
        let name = recipe.arch.as_deref().and_then(canonical_name);
        if let (Some(name), Some(depth)) = (name, recipe.depth) {
            return Err(usage_error(
                format!("--arch {name} and --depth {depth} are two architectures"),
                "leave one of them out",
            ));
        }
        let architecture = Architecture {
            name,
            depth: recipe.depth.unwrap_or(50),
            stem,
            width: recipe.width,
            groups: recipe.groups,
            width_per_group: recipe.width_per_group,
            plain: recipe.plain.unwrap_or(false),
        };
        architecture.config().map_err(|error| {
            usage_error(
                format!("cannot build this network: {}", without_backtrace(&error)),
                "`resnet summary --help` lists the flags of an architecture",
            )
        })
    }
}
