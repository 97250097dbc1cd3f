//! Tests of the structure of the code and of what is written about it.

mod layers;
mod readme;
mod wording;
