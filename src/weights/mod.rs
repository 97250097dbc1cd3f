//! Weights from anywhere: files, folders and the hub, in torchvision's, timm's and transformers' names.
