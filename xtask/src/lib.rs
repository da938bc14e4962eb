//! The commands of `cargo xtask`, for the programs `xtask` and `coverage`.
//!
//! Each command installs what it needs. The machine must have only rustup's cargo and a C compiler.

pub mod bench;
pub mod bindings;
pub mod build;
pub mod cargo_component;
pub mod coverage;
pub mod entries;
pub mod groups;
pub mod keywords;
pub mod launch;
pub mod lines;
pub mod live;
pub mod mutants;
pub mod notes;
pub mod package;
pub mod packages;
pub mod process;
pub mod replay;
pub mod serve;
pub mod test;
pub mod tool;
