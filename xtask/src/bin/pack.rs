//! `pack PROGRAM ZIP`: writes a zip file with one executable file. `cargo xtask build --notes` runs this program.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

fn main() -> ExitCode {
    let arguments: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let [program, to] = arguments.as_slice() else {
        eprintln!("usage: pack PROGRAM ZIP");
        return ExitCode::from(2);
    };
    match pack(program, to) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: cannot write {}: {error}", to.display());
            ExitCode::FAILURE
        }
    }
}

/// Writes a zip file with the program, which keeps its name.
fn pack(program: &Path, to: &Path) -> std::io::Result<()> {
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
    // Each zip has the same time, 1980, so that the provider sees a change only if the program has changed.
    let options = options.compression_level(Some(9)).unix_permissions(0o755).last_modified_time(DateTime::default());
    let mut zip = ZipWriter::new(File::create(to)?);
    zip.start_file(program.file_name().map(OsStr::to_string_lossy).unwrap_or_default(), options)?;
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
        let path = |name| folder.path().join(name);
        let (program, first, second) = (path("bootstrap"), path("1.zip"), path("2.zip"));
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
        assert!(pack(&path("none"), &first).is_err());
    }
}
