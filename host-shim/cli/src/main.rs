//! The command line: options in, report out, exit code.

fn main() {}
