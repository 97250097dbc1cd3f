//! The `resnet` binary: all of it is in [`resnet::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    resnet::cli::main()
}
