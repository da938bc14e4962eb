//! Detects damage to a state file. A second file has a checksum for each page, because SQLite has no page checksums and
//! a wrong byte in an index would hide rows. The pages of the state file change only when the log is emptied, which
//! also updates their checksums. A page in the log has its own checksum there.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::Path;
use std::thread;

use crc32fast::Hasher;

use super::log::Log;

/// The size of a database page in bytes.
pub(super) const PAGE_BYTES: usize = 4096;
/// [`PAGE_BYTES`] as a file offset.
const PAGE: u64 = PAGE_BYTES as u64;
/// The first bytes of the file of checksums.
const MAGIC: &[u8; 16] = b"local-stripe-crc";
/// The size of a checksum in bytes.
const SUM_BYTES: usize = 4;
/// The number of pages that are read at once. They fit into the processor's cache, so their checksums are computed
/// fast.
const PAGES_AT_ONCE: usize = 64;
/// The minimum number of pages for another thread.
const PAGES_PER_THREAD: u64 = 1_024;
/// The maximum number of threads that check a file at the start.
const THREADS_MAX: usize = 4;

/// The reason why a check fails.
#[derive(Debug)]
pub(super) enum CheckError {
    /// The file can't be read.
    Io(std::io::Error),
    /// This part of the file differs from the written content.
    Damaged(String),
}

impl From<std::io::Error> for CheckError {
    fn from(error: std::io::Error) -> Self {
        Self::Io(error)
    }
}

/// Returns the checksum of a page. It depends on the page's number, so that swapped pages are found.
pub(super) fn sum(number: u32, page: &[u8]) -> u32 {
    let mut hasher = Hasher::new_with_initial(number);
    hasher.update(page);
    hasher.finalize()
}

/// The open file of checksums: the magic bytes, then one checksum per page, in order.
#[derive(Debug)]
pub(super) struct PageChecksums {
    file: File,
}

impl PageChecksums {
    /// Takes a file that is open for reading and writing, and locked by this process.
    pub(super) fn new(file: File) -> Self {
        Self { file }
    }

    /// Replaces all checksums by those of a database without a log.
    pub(super) fn begin(&mut self, database: &mut File) -> std::io::Result<()> {
        let mut sums = MAGIC.to_vec();
        let mut page = [0; PAGE_BYTES];
        for number in 1_u32.. {
            match database.read_exact(&mut page) {
                Ok(()) => sums.extend(sum(number, &page).to_le_bytes()),
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => break,
                Err(error) => return Err(error),
            }
        }
        self.file.set_len(0)?;
        self.file.rewind()?;
        self.file.write_all(&sums)
    }

    /// Writes the checksums of the log's pages, after these pages were written to the file.
    pub(super) fn take_over(&mut self, log: &Log) -> std::io::Result<()> {
        let mut sums: BTreeMap<u32, u32> = log.pages.iter().map(|(number, sum)| (*number, *sum)).collect();
        // A page that SQLite allocated but did not write, such as a free page, is a hole in the file: it consists of
        // zeros.
        let known = (self.file.metadata()?.len().saturating_sub(MAGIC.len() as u64)) / SUM_BYTES as u64;
        let first_new = u32::try_from(known).unwrap_or(u32::MAX).saturating_add(1);
        for number in first_new..=log.database_pages {
            sums.entry(number).or_insert_with(|| sum(number, &[0; PAGE_BYTES]));
        }
        let mut run: (u32, Vec<u8>) = (0, Vec::new());
        for (number, sum) in sums {
            let (first, bytes) = &mut run;
            if u64::from(*first) + (bytes.len() / SUM_BYTES) as u64 != u64::from(number) {
                write_run(&mut self.file, &run)?;
                run = (number, Vec::new());
            }
            run.1.extend(sum.to_le_bytes());
        }
        write_run(&mut self.file, &run)
    }

    /// Checks the pages of a database, except those with a newer version in the log.
    pub(super) fn check(&mut self, database: &Path, log: &Log) -> Result<(), CheckError> {
        let mut bytes = Vec::new();
        self.file.rewind()?;
        self.file.read_to_end(&mut bytes)?;
        let sums = bytes.strip_prefix(MAGIC).filter(|s| s.len().is_multiple_of(SUM_BYTES));
        let sums = sums.ok_or_else(|| CheckError::Damaged("the file of checksums".into()))?;
        let length = std::fs::metadata(database)?.len();
        let known = (sums.len() / SUM_BYTES) as u64;
        let database_pages = if log.is_empty() { known } else { u64::from(log.database_pages) };
        if log.is_empty() && length != known * PAGE {
            return Err(CheckError::Damaged(format!(
                "its length of {length} bytes, where {} were written,",
                known * PAGE
            )));
        }
        let threads = thread::available_parallelism().map_or(1, |n| n.get().min(THREADS_MAX)) as u64;
        let each = database_pages.div_ceil(threads).max(PAGES_PER_THREAD);
        let parts = (0..database_pages).step_by(usize::try_from(each).unwrap_or(usize::MAX));
        thread::scope(|scope| {
            let checks: Vec<_> = parts
                .map(|first| {
                    let part = first..(first + each).min(database_pages);
                    scope.spawn(move || check_part(database, part, sums, log))
                })
                .collect();
            // A panic of a check is a bug, and is passed on.
            checks.into_iter().try_for_each(|check| check.join().unwrap_or_else(|p| std::panic::resume_unwind(p)))
        })
    }
}

/// Writes the checksums of consecutive pages, starting at the page `first`.
fn write_run(file: &mut File, (first, bytes): &(u32, Vec<u8>)) -> std::io::Result<()> {
    if bytes.is_empty() {
        return Ok(());
    }
    file.seek(SeekFrom::Start(MAGIC.len() as u64 + (u64::from(*first) - 1) * SUM_BYTES as u64))?;
    file.write_all(bytes)
}

/// Checks a range of pages. The index of a page is its number minus one.
fn check_part(database: &Path, part: Range<u64>, sums: &[u8], log: &Log) -> Result<(), CheckError> {
    let mut file = File::open(database)?;
    file.seek(SeekFrom::Start(part.start * PAGE))?;
    let mut file = file.take((part.end - part.start) * PAGE);
    let mut buffer = Vec::with_capacity(PAGES_AT_ONCE * PAGE_BYTES);
    for first in part.clone().step_by(PAGES_AT_ONCE) {
        buffer.clear();
        file.by_ref().take(PAGES_AT_ONCE as u64 * PAGE).read_to_end(&mut buffer)?;
        let mut pages = buffer.chunks_exact(PAGE_BYTES);
        for index in first..(first + PAGES_AT_ONCE as u64).min(part.end) {
            let page = pages.next();
            // SQLite's page numbers have 32 bits.
            let number = u32::try_from(index + 1).unwrap_or(u32::MAX);
            let at = index as usize * SUM_BYTES;
            let kept = sums.get(at..at + SUM_BYTES);
            let is_right = match (page, kept) {
                (Some(page), Some(kept)) => kept == sum(number, page).to_le_bytes(),
                // A commit in the log allocated this page, but it is not written yet.
                (Some(page), None) => page.iter().all(|byte| *byte == 0),
                (None, kept) => kept.is_none(),
            };
            if !is_right && !log.pages.contains_key(&number) {
                return Err(CheckError::Damaged(format!("page {number}")));
            }
        }
    }
    Ok(())
}
