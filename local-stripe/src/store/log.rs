//! Reads SQLite's write-ahead log by its documented format. SQLite treats the first frame with a wrong checksum as the
//! end of the log, so a wrong byte would lose acknowledged writes. Here, a wrong checksum counts as damage. This is
//! possible because the sandbox truncates the log to zero whenever it empties the log. So no old frames follow the
//! newest frame, and after a kill, each frame is either complete or cut off.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{BufReader, ErrorKind, Read, Seek};
use std::path::Path;

use super::pages::{CheckError, PAGE_BYTES, sum};

/// The length of the log's header in bytes.
const HEADER_BYTES: usize = 32;
/// The length of a frame's header in bytes.
const FRAME_BYTES: usize = 24;
/// How many frames are read at once.
const FRAMES_AT_ONCE: usize = 16;
/// The magic number at the start of a log. Its last bit gives the byte order of the checksums.
const MAGIC: u32 = 0x377f_0682;

/// The committed pages in a log.
#[derive(Debug, Default)]
pub(super) struct Log {
    /// The checksum of the newest version of each page, by the page's number.
    pub(super) pages: HashMap<u32, u32>,
    /// The number of pages of the database after the last commit; 0 without a commit.
    pub(super) database_pages: u32,
    /// The length in bytes up to the end of the last commit.
    committed_bytes: u64,
}

/// SQLite's own checksum of the log. Each frame's checksum continues the checksum of the previous frame.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Chain(u32, u32);

impl Chain {
    fn add(&mut self, bytes: &[u8], is_big_endian: bool) {
        let word = |bytes: &[u8]| {
            let word = [bytes[0], bytes[1], bytes[2], bytes[3]];
            if is_big_endian { u32::from_be_bytes(word) } else { u32::from_le_bytes(word) }
        };
        for pair in bytes.chunks_exact(8) {
            self.0 = self.0.wrapping_add(word(&pair[..4])).wrapping_add(self.1);
            self.1 = self.1.wrapping_add(word(&pair[4..])).wrapping_add(self.0);
        }
    }
}

/// Reads a 32-bit number of the log. All numbers are big-endian.
fn number(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

impl Log {
    /// Reads and checks the log that an earlier process left. A missing log is empty.
    pub(super) fn check(path: &Path) -> Result<Self, CheckError> {
        match File::open(path) {
            Ok(file) => Self::read(&file, true),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(error.into()),
        }
    }

    /// Reads a log that this process wrote, without checking it.
    pub(super) fn written(mut file: &File) -> Result<Self, CheckError> {
        file.rewind()?;
        Self::read(file, false)
    }

    fn read(file: &File, is_checked: bool) -> Result<Self, CheckError> {
        let mut file = BufReader::with_capacity(FRAMES_AT_ONCE * (FRAME_BYTES + PAGE_BYTES), file);
        let mut log = Self::default();
        let mut header = [0; HEADER_BYTES];
        if !fill(&mut file, &mut header)? {
            return Ok(log);
        }
        let is_big_endian = number(&header, 0) == MAGIC | 1;
        let mut chain = Chain::default();
        chain.add(&header[..24], is_big_endian);
        let is_right = number(&header, 0) | 1 == MAGIC | 1
            && number(&header, 8) as usize == PAGE_BYTES
            && chain == Chain(number(&header, 24), number(&header, 28));
        if !is_right {
            return Err(CheckError::Damaged("the head of its log".into()));
        }
        let mut open = HashMap::new();
        let mut frame = vec![0; FRAME_BYTES + PAGE_BYTES];
        for index in 1_u64.. {
            if !fill(&mut file, &mut frame)? {
                break;
            }
            let (head, page) = frame.split_at(FRAME_BYTES);
            if is_checked {
                chain.add(&head[..8], is_big_endian);
                chain.add(page, is_big_endian);
                if head[8..16] != header[16..24] || chain != Chain(number(head, 16), number(head, 20)) {
                    return Err(CheckError::Damaged(format!("frame {index} of its log")));
                }
            }
            open.insert(number(head, 0), sum(number(head, 0), page));
            let database_pages = number(head, 4);
            if database_pages > 0 {
                log.pages.extend(open.drain());
                log.database_pages = database_pages;
                log.committed_bytes = HEADER_BYTES as u64 + index * (FRAME_BYTES + PAGE_BYTES) as u64;
            }
        }
        Ok(log)
    }

    /// Whether the log has no commit.
    pub(super) fn is_empty(&self) -> bool {
        self.database_pages == 0
    }

    /// Truncates the log after the last commit, as no later frame was acknowledged.
    pub(super) fn cut(&self, path: &Path) -> std::io::Result<()> {
        match OpenOptions::new().write(true).open(path) {
            Ok(file) if file.metadata()?.len() > self.committed_bytes => file.set_len(self.committed_bytes),
            Ok(_) => Ok(()),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// Reads until the buffer is full. Returns `false` at the end of the file, where a kill may have left an incomplete
/// part.
fn fill(file: &mut impl Read, bytes: &mut [u8]) -> std::io::Result<bool> {
    match file.read_exact(bytes) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}
