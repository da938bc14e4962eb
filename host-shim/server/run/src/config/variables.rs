//! Lists the environment variables that a server reads for a business. The `.env.example` in the business's folder lists them.

use crate::config::file::CONFIG_FILE;
use crate::config::interpolate::collect;
use host_business::folder::BusinessFolder;
use host_business::yaml::Node;
use host_business::yaml::bad_input::{BadInput, read_text};
use std::collections::BTreeSet;

/// Key of Stripe's API.
pub const STRIPE_SECRET_KEY: &str = "STRIPE_SECRET_KEY";
/// Signing secret of Stripe's endpoint.
pub const STRIPE_WEBHOOK_SECRET: &str = "STRIPE_WEBHOOK_SECRET";
/// Signing secret of Stripe's endpoint for connected accounts.
pub const CONNECT_WEBHOOK_SECRET: &str = "STRIPE_CONNECT_WEBHOOK_SECRET";
/// Key of the stored secrets.
pub const SECRETS_KEY: &str = "PROVISIONER_SECRETS_KEY";
/// Variables that every business has on a server.
const OF_SERVER: [&str; 4] = [SECRETS_KEY, CONNECT_WEBHOOK_SECRET, STRIPE_SECRET_KEY, STRIPE_WEBHOOK_SECRET];

/// Returns the variables that a server reads for a business: its own, those of the business's configuration keys, those in the
/// configuration file in its folder, and those that the business declares as unused.
///
/// # Errors
/// Fails if the configuration file in the folder cannot be read.
pub fn variables_of_folder(business: &BusinessFolder) -> Result<BTreeSet<String>, BadInput> {
    let mut names: BTreeSet<String> = OF_SERVER.map(str::to_owned).into();
    names.extend(business.own.config.iter().filter_map(|decl| decl.env.clone()));
    names.extend(business.own.unused_variables.keys().cloned());
    let file = business.folder.join(CONFIG_FILE);
    if file.is_file() {
        collect(&Node::parse(&file, &read_text(&file)?)?, &mut names);
    }
    Ok(names)
}
