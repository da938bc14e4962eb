//! The runner's tests, in one program.

mod component;
mod loading;
