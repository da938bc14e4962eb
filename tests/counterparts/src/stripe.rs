//! Stripe's own clients, in the versions that `local-stripe/clients` pins: the CLI and the official libraries.

use crate::install::{exclusively, folder, install, installed};
use std::fs;
use std::path::{Path, PathBuf};

fn pins(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../local-stripe/clients").join(name)
}

/// Installs the CLI and the Node clients, and returns the folder with `node_modules`.
pub fn stripe_node() -> PathBuf {
    let (home, wanted) =
        (folder().join("node"), fs::read_to_string(pins("package.json")).expect("the pinned versions"));
    let installed = home.join("package.json");
    exclusively(|| {
        let current = fs::read_to_string(&installed).unwrap_or_default();
        if current != wanted || !stripe_cli_in(&home).exists() {
            fs::create_dir_all(&home).expect("the folder of the Node clients");
            // npm reads this file, so it is written before the installation. An interrupted installation is repeated only
            // if it has not yet installed the CLI.
            fs::write(&installed, &wanted).expect("the pinned versions");
            let line = format!("npm install --no-package-lock --no-audit --no-fund --prefix {}", home.display());
            install("The Node clients of Stripe", &line);
        }
    });
    home
}

fn stripe_cli_in(home: &Path) -> PathBuf {
    home.join("node_modules/.bin/stripe")
}

/// Installs the CLI and returns its path.
pub fn stripe_cli() -> PathBuf {
    stripe_cli_in(&stripe_node())
}

/// Installs Stripe's Python library and returns the path of the Python interpreter.
pub fn stripe_python() -> PathBuf {
    let pins = pins("requirements.txt");
    let wanted = fs::read_to_string(&pins).expect("the pinned versions");
    let line = |dir: &str| format!("python3 -m venv {dir} && {dir}/bin/pip install --quiet -r {}", pins.display());
    installed("python", &wanted, line).join("bin/python")
}
