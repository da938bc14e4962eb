//! `dist/notes.zip`: the program of instances on AWS Lambda, as the runtime `provided.al2023` starts it.

use crate::build::{dist, install, target_folder};
use crate::process;
use anyhow::Result;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

/// The program is static, since Amazon Linux 2023 has an older C library than the machine that builds it may have.
const TARGET: &str = "x86_64-unknown-linux-musl";
/// Cargo profile of the program.
const PROFILE: &str = "notes";
/// Name of the zip file.
pub const FILE: &str = "notes.zip";
/// The file that Lambda starts.
const PROGRAM: &str = "bootstrap";
/// The variable that names the C compiler for the target.
const CC: &str = "CC_x86_64_unknown_linux_musl";
/// The C compiler of musl, if it is installed.
const MUSL_CC: &str = "musl-gcc";

/// Returns true if this machine's own C compiler and linker can make the program.
pub fn is_possible() -> bool {
    cfg!(all(target_os = "linux", target_arch = "x86_64"))
}

/// Builds the program, puts it into `dist/notes.zip`, and returns the path. The same program gives the same bytes.
///
/// # Errors
///
/// It does not compile, or `dist` cannot be written.
pub fn build() -> Result<PathBuf> {
    component_builder::ensure_target(TARGET)?;
    let mut cargo = process::cargo(["build", "--package", "notes", "--features", "lambda", "--bin", PROGRAM]);
    cargo.args(["--target", TARGET, "--profile", PROFILE]);
    if let Some(remap) = component_builder::remap_flag() {
        cargo.env("CARGO_ENCODED_RUSTFLAGS", remap);
    }
    // The C code of ring needs no library of C, so the system's compiler will do.
    if std::env::var_os(CC).is_none() && !process::succeeds(Command::new(MUSL_CC).arg("--version")) {
        cargo.env(CC, "cc");
    }
    process::run(&mut cargo)?;
    let program = target_folder().join(TARGET).join(PROFILE).join(PROGRAM);
    let path = dist().join(FILE);
    install(&path, |to| pack(&program, to))?;
    Ok(path)
}

/// Writes a zip file with one executable file.
fn pack(program: &Path, to: &Path) -> std::io::Result<()> {
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
    // Each zip has the same time, 1980, so that the provider sees a change only if the program has changed.
    let options = options.compression_level(Some(9)).unix_permissions(0o755).last_modified_time(DateTime::default());
    let mut zip = ZipWriter::new(File::create(to)?);
    zip.start_file(PROGRAM, options)?;
    zip.write_all(&fs::read(program)?)?;
    zip.finish()?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::pack;
    use std::fs::{self, File};
    use std::io::Read;

    #[test]
    fn the_zip_has_an_executable_file_and_depends_on_the_program_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let (program, first, second) =
            (folder.path().join("built"), folder.path().join("1.zip"), folder.path().join("2.zip"));
        fs::write(&program, "program").expect("a program");
        pack(&program, &first).expect("a zip");
        File::options()
            .write(true)
            .open(&program)
            .expect("a file")
            .set_modified(std::time::UNIX_EPOCH)
            .expect("a time");
        pack(&program, &second).expect("a zip");
        assert_eq!(fs::read(&first).expect("a zip"), fs::read(&second).expect("a zip"));
        let mut zip = zip::ZipArchive::new(File::open(&first).expect("a zip")).expect("a zip");
        assert_eq!(zip.len(), 1);
        let mut file = zip.by_name("bootstrap").expect("the program");
        assert_eq!(file.unix_mode().map(|mode| mode & 0o777), Some(0o755));
        let mut content = String::new();
        file.read_to_string(&mut content).expect("text");
        assert_eq!(content, "program");
    }
}
