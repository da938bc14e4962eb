//! Installs what only these tests need, once, in pinned versions, into `target/counterparts`; `counterparts` installs the other clients.

use std::path::{Path, PathBuf};

/// Returns the folder with the clients' scripts and pinned versions.
pub fn clients() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("clients")
}

/// Returns the folder of a client. Runs `line`, which makes this folder, unless it did so for the same pinned versions.
fn installed(name: &str, pins: &Path, line: impl FnOnce(&str) -> String) -> PathBuf {
    counterparts::installed(name, &std::fs::read_to_string(pins).unwrap(), line)
}

/// Installs the packages of `clients/NAME/package.json`, and returns the folder with `node_modules`.
pub fn node(name: &str) -> PathBuf {
    let pins = clients().join(name).join("package.json");
    installed(name, &pins, |dir| {
        format!(
            "mkdir -p {dir} && cp {} {dir}/ && \
             npm install --no-package-lock --no-audit --no-fund --legacy-peer-deps --prefix {dir}",
            pins.display()
        )
    })
}

/// Installs the packages of `clients/NAME/requirements.txt`, and returns the Python interpreter.
pub fn python(name: &str) -> PathBuf {
    let pins = clients().join(name).join("requirements.txt");
    let line = |dir: &str| format!("{} && {dir}/bin/pip install --quiet -r {}", venv(dir), pins.display());
    installed(name, &pins, line).join("bin/python")
}

fn venv(dir: &str) -> String {
    format!("python3 -m venv --clear {dir}")
}

/// Downloads the sources of Stripe's Python library, in the version that is installed, and returns their folder.
pub fn stripe_python_sources() -> PathBuf {
    let pins = clients().join("requirements.txt");
    let python = counterparts::stripe_python();
    installed("stripe-python-sources", &pins, |dir| {
        format!(
            "rm -rf {dir} && mkdir -p {dir} && {} -m pip download --quiet --no-deps --no-binary :all: -d {dir} -r {} && \
             tar -xzf {dir}/stripe-*.tar.gz -C {dir} --strip-components=1",
            python.display(),
            pins.display()
        )
    })
}

/// An installation of dj-stripe: the path of its Python interpreter, and an empty, migrated database.
pub struct DjStripe {
    pub python: PathBuf,
    pub database: PathBuf,
}

/// Installs dj-stripe in its own Python environment, as it needs another version of Stripe's library.
pub fn djstripe() -> DjStripe {
    let project = clients().join("djstripe");
    let pins = project.join("requirements.txt");
    let folder = installed("djstripe", &pins, |dir| {
        format!(
            "{} && {dir}/bin/pip install --quiet -r {} && \
             DJSTRIPE_DATABASE={dir}/migrated.sqlite3 PYTHONDONTWRITEBYTECODE=1 {dir}/bin/django-admin migrate --settings settings --pythonpath {} --verbosity 0",
            venv(dir),
            pins.display(),
            project.display()
        )
    });
    DjStripe { python: folder.join("bin/python"), database: folder.join("migrated.sqlite3") }
}
