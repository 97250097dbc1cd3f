//! What the tests share: the program as a process, fixtures, hostile files and a server in place of the hub.

pub mod command;
pub mod fixture;
pub mod hostile;
pub mod hub_server;
