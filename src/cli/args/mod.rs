//! Flags that several commands have, and their values.

pub mod architecture;
pub mod device;
pub mod distributed;
pub mod files;
pub mod key_flags;
pub mod preprocess;
pub mod probability;
pub mod workers;
