//! `encode-component MODULE COMPONENT`: wraps a core module as a component. `cargo xtask` runs this program.

use std::path::PathBuf;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let [module, component] = arguments.as_slice() else {
        eprintln!("usage: encode-component MODULE COMPONENT");
        return ExitCode::from(2);
    };
    match component_builder::encode_file(module) {
        Ok(bytes) => match std::fs::write(component, bytes) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => fail(&format!("cannot write {}: {error}", component.display())),
        },
        Err(error) => fail(&error.to_string()),
    }
}

fn fail(message: &str) -> ExitCode {
    eprintln!("error: {message}");
    ExitCode::FAILURE
}
