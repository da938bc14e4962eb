//! The chores behind the two commands of the README.

fn main() {}
