//! Tests of the commands as programs: output, exit status and files.

mod documents;
mod embed;
mod explain;
mod logs;
mod output_functions;
mod predict;
mod predictions;
mod program;
mod refusals;
mod summary;
