//! The options with which several commands select the business and the fixtures.

use crate::library::Sources;
use clap::Parser;
use std::path::PathBuf;

/// The choice of business and fixtures.
#[derive(Debug, Parser)]
pub struct SourceArgs {
    /// The business: its name in the fixtures, or a folder with catalog.yml [default: the business of the input's
    /// folder]
    #[arg(long, value_name = "NAME|DIR")]
    pub business: Option<String>,

    /// The fixtures folder, with Stripe's bodies, and with businesses in it or its sub-folders [default: found above the
    /// inputs, the working folder or the program; otherwise the built-in bodies]
    #[arg(long, value_name = "DIR")]
    pub fixtures: Option<PathBuf>,
}

impl SourceArgs {
    /// Converts the options to the sources of a library.
    pub fn sources(&self) -> Sources {
        Sources { business: self.business.clone(), fixtures: self.fixtures.clone() }
    }
}
