//! Tests of the structure of the code and of what is written about it.

mod flags;
mod imports;
mod layers;
mod length;
mod loops;
mod names;
mod readme;
mod sources;
mod wording;
