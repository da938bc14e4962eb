//! Copies all data: a store or a block to JSON lines, and JSON lines to a store or a block. Each line is one part of the data.

use crate::block::{Block, BlockError, TRIES_MAX};
use host_providers::http::Method;
use host_store::copy::{Cursor, Source, Target, is_empty, line_of, page, part_of};
use host_store::{NotState, SqliteStore, Store, StoreError, state_hash};
use serde_json::json;
use std::io::{self, BufRead, Write};

/// Number of parts on a page of a store.
const PAGE: usize = 500;
/// Maximum number of parts in a request to a block, which decides within a limited amount of fuel.
const PARTS_MAX: usize = 20;
/// Maximum length of the lines in a request to a block, in bytes. A body may have 128 KiB, including quotes.
const BYTES_MAX: usize = 64 * 1024;
/// Maximum length of one line, in bytes.
const LINE_BYTES_MAX: usize = 110 * 1024;

/// The reason why data was not copied.
#[derive(Debug, thiserror::Error)]
pub enum MovingError {
    /// The file cannot be read or written.
    #[error("the file: {0}")]
    File(#[from] io::Error),
    /// A store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The block failed.
    #[error(transparent)]
    Block(#[from] BlockError),
    /// A line is not a part.
    #[error("line {line}: {problem}")]
    Line {
        /// Number of the line, from 1.
        line: usize,
        /// What is wrong.
        problem: String,
    },
    /// The block has committed in the meantime.
    #[error("the data changed meanwhile: stop the block's callers, and try again")]
    Changed,
    /// The copy's state differs from the original's.
    #[error("the copy has another state: {copy}, expected {original}")]
    Differs {
        /// State of the copy.
        copy: String,
        /// State of the original.
        original: String,
    },
}

/// Writes all data of a store; returns the number of parts and the hash of the state.
///
/// # Errors
/// Fails if the store or the file fails.
pub fn export_store(store: &(impl Source + Store), out: &mut dyn Write) -> Result<(u64, String), MovingError> {
    let (mut cursor, mut written) = (Cursor::START, 0);
    while cursor != Cursor::End {
        let (parts, next) = page(store, cursor, PAGE)?;
        for part in &parts {
            writeln!(out, "{}", line_of(part)?)?;
            written += 1;
        }
        cursor = next;
    }
    out.flush()?;
    Ok((written, state_hash(&[store], &NotState::default())?))
}

/// Writes all data of a block; returns the number of parts and the hash of the state.
///
/// # Errors
/// Fails if the block or the file fails, or if the block commits in the meantime.
pub fn export_block(block: &Block, out: &mut dyn Write) -> Result<(u64, String), MovingError> {
    let mut copy = SqliteStore::open_in_memory().map_err(|error| StoreError::Unavailable(error.to_string()))?;
    let (mut written, mut commits) = (0, None);
    copy.begin()?;
    each_line(block, &mut |line, of| {
        if *commits.get_or_insert(of) != of {
            return Err(MovingError::Changed);
        }
        copy.put_part(&part_of(line)?)?;
        writeln!(out, "{line}")?;
        written += 1;
        Ok(())
    })?;
    copy.end_parts()?;
    copy.commit()?;
    out.flush()?;
    Ok((written, state_hash(&[&copy], &NotState::default())?))
}

/// Visits the lines of a block, with the number of commits when their page was read.
fn each_line(block: &Block, visit: &mut dyn FnMut(&str, u64) -> Result<(), MovingError>) -> Result<(), MovingError> {
    let mut path = "/export".to_owned();
    loop {
        let answer = block.send_again(Method::Get, &path, None, TRIES_MAX)?;
        let commits = answer["commits"].as_u64().unwrap_or_default();
        for line in answer["lines"].as_array().into_iter().flatten() {
            visit(line.as_str().unwrap_or_default(), commits)?;
        }
        match answer["next"].as_str() {
            Some(next) => path = format!("/export?cursor={next}"),
            None => return Ok(()),
        }
    }
}

/// Visits the non-empty lines of a file, each with its number.
fn lines(
    file: &mut dyn BufRead,
    visit: &mut dyn FnMut(usize, String) -> Result<(), MovingError>,
) -> Result<(), MovingError> {
    for (at, line) in file.lines().enumerate() {
        let line = line?;
        if !line.trim().is_empty() {
            visit(at + 1, line)?;
        }
    }
    Ok(())
}

/// Reads all data into an empty store; returns the number of parts and the hash of the state.
///
/// # Errors
/// Fails if the file or the store fails, or if the store is not empty.
pub fn import_store(file: &mut dyn BufRead, store: &mut impl Target) -> Result<(u64, String), MovingError> {
    if !is_empty(store)? {
        return Err(StoreError::Misuse("the store to import into is not empty".to_owned()).into());
    }
    store.begin()?;
    let mut read = 0;
    let put = lines(file, &mut |line, text| {
        let part = part_of(&text).map_err(|error| MovingError::Line { line, problem: error.to_string() })?;
        store.put_part(&part)?;
        read += 1;
        Ok(())
    });
    let ended = put.and_then(|()| Ok(store.end_parts().and_then(|()| store.commit())?));
    if let Err(error) = ended {
        // The first error is more informative.
        let _ = store.rollback();
        return Err(error);
    }
    Ok((read, state_hash(&[&*store], &NotState::default())?))
}

/// Reads all data into a block that contains only its catalog, or whose import was interrupted; returns the number of parts and the
/// hash of the state, which is read back from the block.
///
/// # Errors
/// Fails if the file or the block fails, or if the block has data.
pub fn import_block(file: &mut dyn BufRead, block: &Block) -> Result<(u64, String), MovingError> {
    let mut original = SqliteStore::open_in_memory().map_err(|error| StoreError::Unavailable(error.to_string()))?;
    let mut pages: Vec<Vec<String>> = vec![Vec::new()];
    let (mut read, mut bytes) = (0, 0);
    original.begin()?;
    lines(file, &mut |line, text| {
        let part = part_of(&text).map_err(|error| MovingError::Line { line, problem: error.to_string() })?;
        original.put_part(&part)?;
        if text.len() > LINE_BYTES_MAX {
            let problem = format!("the part has {} bytes, a block takes at most {LINE_BYTES_MAX}", text.len());
            return Err(MovingError::Line { line, problem });
        }
        read += 1;
        bytes += text.len();
        match pages.last_mut() {
            Some(page) if page.len() < PARTS_MAX && (page.is_empty() || bytes <= BYTES_MAX) => page.push(text),
            _ => {
                bytes = text.len();
                pages.push(vec![text]);
            }
        }
        Ok(())
    })?;
    original.end_parts()?;
    original.commit()?;
    let send = |path: &str, lines: &[String]| block.send_again(Method::Post, path, Some(&json!(lines)), TRIES_MAX);
    // Each request removes part of the block's data.
    while send("/import?begin=true", &[])?["more"] == true {}
    for page in &pages {
        send("/import", page)?;
    }
    // The end of the import loads the catalog, so the state is compared before that.
    let expected = state_hash(&[&original], &NotState::default())?;
    let found = state_of(block)?;
    if found != expected {
        return Err(MovingError::Differs { copy: found, original: expected });
    }
    send("/import?end=true", &[])?;
    Ok((read, expected))
}

/// Returns the hash of a block's state.
fn state_of(block: &Block) -> Result<String, MovingError> {
    let (_, state) = export_block(block, &mut io::sink())?;
    Ok(state)
}
