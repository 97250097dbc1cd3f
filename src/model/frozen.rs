//! The part of a network that is frozen in training.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// The frozen part of a network, starting at the input. Written `none`, `stem`, `layer1`, `layer2`... or `backbone`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Frozen {
    /// Everything is trained.
    #[default]
    Nothing,
    /// The stem.
    Stem,
    /// The stem and the stages up to and including `layer<n>`, n from 1.
    Stage(usize),
    /// All but the head.
    Backbone,
}

impl Frozen {
    /// Returns true if the tensor `name`, in torchvision's names, belongs to the frozen part.
    pub fn holds(self, name: &str) -> bool {
        let part = name.split('.').next().unwrap_or_default();
        let place = match part {
            "conv1" | "bn1" | "maxpool" => 0,
            part => match part.strip_prefix("layer").map(str::parse) {
                Some(Ok(stage)) => stage,
                _ => return false,
            },
        };
        place < self.stages()
    }

    /// Returns the number of frozen parts, where the stem is the first and `layer1` the second.
    pub(super) fn stages(self) -> usize {
        match self {
            Self::Nothing => 0,
            Self::Stem => 1,
            Self::Stage(stage) => stage.saturating_add(1),
            Self::Backbone => usize::MAX,
        }
    }
}

impl fmt::Display for Frozen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("none"),
            Self::Stem => f.write_str("stem"),
            Self::Stage(stage) => write!(f, "layer{stage}"),
            Self::Backbone => f.write_str("backbone"),
        }
    }
}

impl From<Frozen> for String {
    fn from(frozen: Frozen) -> Self {
        frozen.to_string()
    }
}

impl TryFrom<String> for Frozen {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl FromStr for Frozen {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "none" => Ok(Self::Nothing),
            "stem" => Ok(Self::Stem),
            "backbone" => Ok(Self::Backbone),
            text => match text.strip_prefix("layer").map(str::parse) {
                Some(Ok(stage)) if stage > 0 => Ok(Self::Stage(stage)),
                _ => Err(format!(
                    "`{text}` is not a part of a model: choose none, stem, layer1, layer2... or backbone"
                )),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_parsed_from_its_own_text() {
        for frozen in [
            Frozen::Nothing,
            Frozen::Stem,
            Frozen::Stage(3),
            Frozen::Backbone,
        ] {
            assert_eq!(frozen.to_string().parse(), Ok(frozen));
            let json = serde_json::to_string(&frozen).unwrap();
            assert_eq!(serde_json::from_str::<Frozen>(&json).unwrap(), frozen);
        }
        for wrong in ["", "layer", "layer0", "layer-1", "Layer1", "head"] {
            assert!(wrong.parse::<Frozen>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_part_holds_the_tensors_before_its_end() {
        let names = [
            "conv1.weight",
            "layer1.0.bn2.bias",
            "layer2.0.conv1.weight",
            "fc.weight",
        ];
        let held = |frozen: Frozen| names.map(|name| frozen.holds(name));
        assert_eq!(held(Frozen::Nothing), [false, false, false, false]);
        assert_eq!(held(Frozen::Stem), [true, false, false, false]);
        assert_eq!(held(Frozen::Stage(1)), [true, true, false, false]);
        assert_eq!(held(Frozen::Backbone), [true, true, true, false]);
        assert!(!Frozen::Stage(1).holds("layer10.0.conv1.weight"));
    }
}
