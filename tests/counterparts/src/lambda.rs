//! Starts an emulator of Lambda's runtime API, `cargo lambda watch`, and functions that poll it for requests.

use crate::install::venv;
use crate::server::Server;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// The requirement for pip, with a pinned version.
const CARGO_LAMBDA: &str = "cargo-lambda==1.9.2";

/// An emulator of Lambda's runtime API and of function URLs, and the running functions.
pub struct Lambda {
    server: Server,
    functions: Vec<Function>,
}

struct Function {
    child: Child,
    log: PathBuf,
}

impl Lambda {
    /// Installs the emulator if needed, and starts it for functions with these names.
    pub fn start(names: &[&str]) -> Lambda {
        let home = venv("cargo-lambda", &[CARGO_LAMBDA]);
        let server = Server::start(|port, folder| {
            // The emulator serves the functions that are programs of a package, even if it does not start them itself.
            let programs = names.iter().map(|name| format!("[[bin]]\nname = '{name}'\npath = 'main.rs'\n"));
            let package = "[package]\nname = 'functions'\nversion = '0.0.0'\nedition = '2024'\n[workspace]\n";
            let manifest = format!("{package}{}", programs.collect::<String>());
            fs::write(folder.join("Cargo.toml"), manifest).expect("a manifest");
            fs::write(folder.join("main.rs"), "fn main() {}\n").expect("a program");
            let mut command = Command::new(home.join("bin/cargo-lambda"));
            command.args(["lambda", "watch", "--only-lambda-apis", "--invoke-address", "127.0.0.1"]);
            command.args(["--invoke-port", &port.to_string()]).current_dir(folder);
            command
        });
        Lambda { server, functions: Vec::new() }
    }

    /// Starts a function's program with these variables and those that Lambda itself sets, and no others.
    pub fn run(&mut self, name: &str, program: &Path, variables: &BTreeMap<String, String>) {
        let log = self.server.folder().join(format!("{}-{name}.log", self.functions.len()));
        let output = File::create(&log).expect("the log of a function");
        let errors = output.try_clone().expect("a second handle on the log");
        let mut command = Command::new(program);
        command.env_clear().envs(variables);
        command.env("AWS_LAMBDA_RUNTIME_API", format!("{}/.rt/{name}", self.server.url()));
        command.env("AWS_LAMBDA_FUNCTION_NAME", name).env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST");
        command.env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512").env("_HANDLER", "bootstrap");
        let child = command.stdin(Stdio::null()).stdout(output).stderr(errors).spawn();
        let child = child.unwrap_or_else(|error| panic!("{}: {error}", program.display()));
        self.functions.push(Function { child, log });
    }

    /// Returns the URL of a function, without a trailing slash.
    pub fn url(&self, name: &str) -> String {
        format!("{}/lambda-url/{name}", self.server.url())
    }

    /// Returns what the functions have written to their logs.
    pub fn logs(&self) -> String {
        self.functions.iter().map(|function| fs::read_to_string(&function.log).unwrap_or_default()).collect()
    }
}

impl Drop for Lambda {
    fn drop(&mut self) {
        for function in &mut self.functions {
            // The result does not matter: the test is over.
            let _ = function.child.kill();
            let _ = function.child.wait();
        }
    }
}
