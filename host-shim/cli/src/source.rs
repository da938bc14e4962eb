//! Which business the inputs are of: the options that commands share.

use clap::Parser;
use host_replay::library::Sources;
use std::path::PathBuf;

/// Which business the inputs are of, and where fixtures are.
#[derive(Debug, Parser)]
pub(crate) struct SourceArgs {
    /// The business: its name in the fixtures, or a folder with catalog.yml [default: that of the input's folder]
    #[arg(long, value_name = "NAME|DIR")]
    pub(crate) business: Option<String>,

    /// The folder of fixtures, with businesses and Stripe's bodies [default: found above the inputs, the working folder or
    /// the program; else the program's own bodies]
    #[arg(long, value_name = "DIR")]
    pub(crate) fixtures: Option<PathBuf>,
}

impl SourceArgs {
    /// The same for the library.
    pub(crate) fn sources(&self) -> Sources {
        Sources { business: self.business.clone(), fixtures: self.fixtures.clone() }
    }
}
