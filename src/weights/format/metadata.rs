//! Keys of the metadata of safetensors files that `resnet` writes.

/// Configuration of a model, in timm's form.
pub const CONFIG: &str = "resnet.config";

/// Identity of a training run, in its state.
pub const STATE: &str = "resnet.state";
