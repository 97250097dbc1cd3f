//! Pictures: decoding, resizing and cropping as Pillow and timm do, normalising, and loading on all cores.
