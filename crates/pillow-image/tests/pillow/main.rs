//! Tests against Pillow's pixels: `tests/fixtures/pillow/make.py` and `tests/fixtures/jpeg/make.py` made them.

mod damage;
mod decode;
mod fixture;
mod jpeg;
mod resize;
mod unusual;
