//! A cache of compiled components on disk. Their machine code is executed, so files that another user could have
//! written must not be loaded.

use sha2::{Digest, Sha256};
use std::fs::File;
use std::hash::{Hash, Hasher};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use wasmtime::Engine;
use wasmtime::component::Component;

/// Maximum number of files in a cache; the oldest files are removed first.
const ENTRIES_MAX: usize = 16;

/// Name of the file that a caller locks while it compiles.
const LOCK: &str = "lock";

/// Length in bytes of the SHA-256 at the start of a file, before the machine code.
const CHECKSUM_BYTES: usize = 32;

/// The reason why a folder is not used as a cache.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// The folder cannot be created or read.
    #[error("cannot use {} as the cache of compiled components: {source}", folder.display())]
    Unusable {
        /// Path of the folder.
        folder: PathBuf,
        /// Error of the operating system.
        source: std::io::Error,
    },
    /// The path is not a folder but, for example, a file or a link.
    #[error("the cache of compiled components {} is not a folder", folder.display())]
    NotAFolder {
        /// Path of the folder.
        folder: PathBuf,
    },
    /// The folder belongs to another user, who could replace its files.
    #[error(
        "the cache of compiled components {} belongs to user {owner}, expected {expected}: \
         its files are run as machine code", folder.display()
    )]
    ForeignOwner {
        /// Path of the folder.
        folder: PathBuf,
        /// Owner's user id.
        owner: u32,
        /// Our effective user id.
        expected: u32,
    },
    /// Other users may write to the folder.
    #[error(
        "the cache of compiled components {} has mode {mode:03o}, expected 700: \
         its files are run as machine code, so nobody else may write there", folder.display()
    )]
    WritableByOthers {
        /// Path of the folder.
        folder: PathBuf,
        /// Permission bits of the folder.
        mode: u32,
    },
    /// This operating system is not Unix, so the owner and the mode of the folder cannot be checked.
    #[error("this system has no file modes, so compiled components are not cached")]
    Unsupported,
}

/// A folder of compiled components that only this user can write.
#[derive(Clone, Debug)]
pub struct ComponentCache {
    folder: PathBuf,
}

/// The origin of a compiled component.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Compiled now, without a cache.
    Compiled,
    /// Compiled now and stored in the cache.
    Stored,
    /// Compiled now; storing it in the cache failed for this reason.
    NotStored(String),
    /// Loaded from the cache.
    Cached,
}

impl ComponentCache {
    /// Opens a folder as a cache. Creates it with mode 0700 if it does not exist.
    ///
    /// # Errors
    /// Fails with [`CacheError`] if the folder cannot be used, belongs to another user, or is writable by others.
    pub fn open(folder: &Path) -> Result<Self, CacheError> {
        let cache = ComponentCache { folder: folder.to_owned() };
        system::make_folder(folder).map_err(|source| CacheError::Unusable { folder: folder.to_owned(), source })?;
        system::check_folder(folder)?;
        Ok(cache)
    }

    /// Opens the user's default folder as a cache; none if the user has no such folder, or if it cannot be used. Without a
    /// cache, components are compiled each time the program starts, which only takes longer.
    pub fn of_user() -> Option<Self> {
        ComponentCache::default_folder().and_then(|folder| ComponentCache::open(&folder).ok())
    }

    /// Returns the user's default folder: `provisioner/components` in `XDG_CACHE_HOME` or `~/.cache`; none if the user
    /// has no home folder and the variable is not set to an absolute path.
    pub fn default_folder() -> Option<PathBuf> {
        let base = std::env::var_os("XDG_CACHE_HOME").filter(|path| Path::new(path).is_absolute()).map(PathBuf::from);
        let base = base.or_else(|| std::env::home_dir().map(|home| home.join(".cache")))?;
        Some(base.join("provisioner").join("components"))
    }

    /// Loads the compiled component from the cache. If the file is missing or damaged, compiles `bytes` and stores the
    /// result in the cache. If there are several callers, one compiles and the others wait for it.
    pub(crate) fn load_or_compile(&self, engine: &Engine, bytes: &[u8]) -> wasmtime::Result<(Component, Origin)> {
        let path = self.folder.join(key(engine, bytes));
        if let Some(component) = read(engine, &path) {
            return Ok((component, Origin::Cached));
        }
        let _lock = self.lock();
        if let Some(component) = read(engine, &path) {
            return Ok((component, Origin::Cached));
        }
        let component = Component::new(engine, bytes)?;
        let origin = match component.serialize() {
            Ok(code) => match self.write(&path, &code) {
                Ok(()) => Origin::Stored,
                Err(error) => Origin::NotStored(error.to_string()),
            },
            Err(error) => Origin::NotStored(error.to_string()),
        };
        Ok((component, origin))
    }

    /// Waits until no other thread or process is compiling. Returns none if the folder has no locks: two callers then
    /// compile the same component, which only takes longer.
    fn lock(&self) -> Option<File> {
        let file = File::options().create(true).truncate(false).write(true).open(self.folder.join(LOCK)).ok()?;
        file.lock().ok().map(|()| file)
    }

    /// Writes a checksum and machine code to a file atomically. Then removes the oldest files beyond the limit.
    fn write(&self, path: &Path, code: &[u8]) -> std::io::Result<()> {
        let mut file = tempfile::NamedTempFile::new_in(&self.folder)?;
        file.write_all(&Sha256::digest(code))?;
        file.write_all(code)?;
        file.persist(path)?;
        self.prune()
    }

    /// Removes the oldest files beyond the limit.
    fn prune(&self) -> std::io::Result<()> {
        let mut files = Vec::new();
        for entry in std::fs::read_dir(&self.folder)? {
            let entry = entry?;
            if entry.file_name() != LOCK {
                files.push((entry.metadata()?.modified()?, entry.path()));
            }
        }
        files.sort();
        let surplus = files.len().saturating_sub(ENTRIES_MAX);
        for (_, path) in &files[..surplus] {
            std::fs::remove_file(path)?;
        }
        Ok(())
    }
}

/// Returns the file name of a compiled component: a hash of its bytes, wasmtime's version and all settings that affect
/// the code.
fn key(engine: &Engine, bytes: &[u8]) -> String {
    let mut digest = DigestHasher(Sha256::new());
    engine.precompile_compatibility_hash().hash(&mut digest);
    digest.0.update(Sha256::digest(bytes));
    format!("{}.cwasm", hex::encode(digest.0.finalize()))
}

/// A [`Hasher`] that passes all bytes to SHA-256.
struct DigestHasher(Sha256);

impl Hasher for DigestHasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        // `key` reads the digest from the field; no caller uses this short hash.
        0
    }
}

/// Reads a compiled component from a file that only this user can have written; none if it is missing or damaged.
fn read(engine: &Engine, path: &Path) -> Option<Component> {
    let mut content = Vec::new();
    system::open_own_file(path)?.read_to_end(&mut content).ok()?;
    let (checksum, code) = content.split_at_checked(CHECKSUM_BYTES)?;
    if Sha256::digest(code)[..] != *checksum {
        return None;
    }
    // SAFETY: `code` must be the unchanged result of `Component::serialize`. Only `write` creates these files: the file
    // belongs to us and nobody else may write it (checked on the open file), and the checksum rules out damage. A file for
    // another wasmtime or other settings has a different name, and wasmtime checks both again.
    #[allow(unsafe_code)]
    let component = unsafe { Component::deserialize(engine, code) };
    component.ok()
}

#[cfg(unix)]
mod system {
    use super::CacheError;
    use std::fs::{DirBuilder, File, OpenOptions};
    use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
    use std::path::Path;

    /// Permission bits that let the group or others write.
    const WRITABLE_BY_OTHERS: u32 = 0o022;

    pub fn make_folder(folder: &Path) -> std::io::Result<()> {
        if let Some(parent) = folder.parent() {
            std::fs::create_dir_all(parent)?;
        }
        match DirBuilder::new().mode(0o700).create(folder) {
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
            made => made,
        }
    }

    pub fn check_folder(folder: &Path) -> Result<(), CacheError> {
        let found = std::fs::symlink_metadata(folder)
            .map_err(|source| CacheError::Unusable { folder: folder.to_owned(), source })?;
        if !found.is_dir() {
            return Err(CacheError::NotAFolder { folder: folder.to_owned() });
        }
        let expected = rustix::process::geteuid().as_raw();
        if found.uid() != expected {
            return Err(CacheError::ForeignOwner { folder: folder.to_owned(), owner: found.uid(), expected });
        }
        if found.mode() & WRITABLE_BY_OTHERS != 0 {
            return Err(CacheError::WritableByOthers { folder: folder.to_owned(), mode: found.mode() & 0o777 });
        }
        Ok(())
    }

    /// Opens a regular file that belongs to us and that others may not write. Checks the file after opening it, so that
    /// nobody can replace the file between the check and the reading.
    pub fn open_own_file(path: &Path) -> Option<File> {
        let no_links = rustix::fs::OFlags::NOFOLLOW.bits().cast_signed();
        let file = OpenOptions::new().read(true).custom_flags(no_links).open(path).ok()?;
        let found = file.metadata().ok()?;
        let own = found.is_file() && found.uid() == rustix::process::geteuid().as_raw();
        (own && found.mode() & WRITABLE_BY_OTHERS == 0).then_some(file)
    }
}

#[cfg(not(unix))]
mod system {
    use super::CacheError;
    use std::fs::File;
    use std::path::Path;

    pub fn make_folder(_folder: &Path) -> std::io::Result<()> {
        Ok(())
    }

    pub fn check_folder(_folder: &Path) -> Result<(), CacheError> {
        Err(CacheError::Unsupported)
    }

    pub fn open_own_file(_path: &Path) -> Option<File> {
        None
    }
}

#[cfg(all(test, unix))]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::{CacheError, ComponentCache, Origin};
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::path::{Path, PathBuf};
    use wasmtime::{Config, Engine};

    fn load_with(cache: &ComponentCache, engine: &Engine) -> Origin {
        let bytes =
            wat::parse_str(r#"(component (core module (func (export "f") (result i32) i32.const 1)))"#).unwrap();
        cache.load_or_compile(engine, &bytes).unwrap().1
    }

    fn load(cache: &ComponentCache) -> Origin {
        load_with(cache, &Engine::default())
    }

    /// Returns an empty cache, its folder, and the folder that is removed at the end of a test.
    fn new_cache() -> (ComponentCache, PathBuf, tempfile::TempDir) {
        let outer = tempfile::tempdir().unwrap();
        let folder = outer.path().join("cache");
        (ComponentCache::open(&folder).unwrap(), folder, outer)
    }

    /// Returns the only compiled component in a cache.
    fn entry(folder: &Path) -> PathBuf {
        let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let compiled: Vec<_> = paths.filter(|path| path.extension().is_some_and(|end| end == "cwasm")).collect();
        let [path] = compiled.as_slice() else { panic!("{compiled:?}") };
        path.clone()
    }

    #[test]
    fn other_settings_use_another_entry() {
        let (cache, _folder, _outer) = new_cache();
        assert_eq!((load(&cache), load(&cache)), (Origin::Stored, Origin::Cached));
        let other = Engine::new(Config::new().consume_fuel(true)).unwrap();
        assert_eq!((load_with(&cache, &other), load(&cache)), (Origin::Stored, Origin::Cached));
    }

    #[test]
    fn of_several_callers_one_compiles() {
        let (cache, _folder, _outer) = new_cache();
        let origins = std::thread::scope(|scope| {
            let callers = [(); 8].map(|()| scope.spawn(|| load(&cache)));
            callers.map(|caller| caller.join().unwrap())
        });
        let count = |origin| origins.iter().filter(|found| **found == origin).count();
        assert_eq!((count(Origin::Stored), count(Origin::Cached)), (1, 7), "{origins:?}");
    }

    #[test]
    fn a_damaged_entry_is_compiled_again() {
        let (cache, folder, _outer) = new_cache();
        load(&cache);
        let file = entry(&folder);
        let mut content = fs::read(&file).unwrap();
        let middle = content.len() / 2;
        content[middle] ^= 1;
        fs::write(&file, &content).unwrap();
        assert_eq!((load(&cache), load(&cache)), (Origin::Stored, Origin::Cached));
        fs::write(&file, b"short").unwrap();
        assert_eq!(load(&cache), Origin::Stored);
    }

    #[test]
    fn a_link_or_an_entry_that_others_may_write_is_not_loaded() {
        let (cache, folder, outer) = new_cache();
        load(&cache);
        let file = entry(&folder);
        fs::set_permissions(&file, fs::Permissions::from_mode(0o666)).unwrap();
        assert_eq!(load(&cache), Origin::Stored);
        let elsewhere = outer.path().join("elsewhere");
        fs::rename(&file, &elsewhere).unwrap();
        std::os::unix::fs::symlink(&elsewhere, &file).unwrap();
        assert_eq!(load(&cache), Origin::Stored);
    }

    #[test]
    fn a_folder_that_others_may_write_is_refused() {
        let (_, folder, _outer) = new_cache();
        assert_eq!(fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o700);
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o770)).unwrap();
        let error = ComponentCache::open(&folder).unwrap_err();
        assert!(matches!(error, CacheError::WritableByOthers { mode: 0o770, .. }), "{error}");
    }

    #[test]
    fn a_file_or_a_link_is_refused_as_a_cache() {
        let outer = tempfile::tempdir().unwrap();
        let file = outer.path().join("file");
        fs::write(&file, b"").unwrap();
        assert!(matches!(ComponentCache::open(&file), Err(CacheError::NotAFolder { .. })));
        let target = outer.path().join("target");
        fs::create_dir(&target).unwrap();
        let link = outer.path().join("link");
        std::os::unix::fs::symlink(&target, &link).unwrap();
        assert!(matches!(ComponentCache::open(&link), Err(CacheError::NotAFolder { .. })));
    }
}
