//! How the platform calls the block, and how the block calls services: exports and imports of the module, in their first version.

use crate::http::Response;
use crate::platform::Platform;
use crate::store::{Service, ServiceError};
use crate::{frame, info};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

#[global_allocator]
static ARENA: extension_arena::Arena = extension_arena::Arena::new();

#[link(wasm_import_module = "wafer")]
unsafe extern "C" {
    fn __wafer_host_log(level: *const u8, level_len: i32, text: *const u8, text_len: i32);
    fn __wafer_host_stream_init(name: *const u8, name_len: i32, message: *const u8, message_len: i32) -> i64;
    fn __wafer_host_stream_write_chunk(stream: i64, bytes: *const u8, len: i32) -> i32;
    fn __wafer_host_stream_finish(stream: i64) -> i32;
    fn __wafer_host_stream_read_chunk(stream: i64) -> i64;
    fn __wafer_host_stream_take_error(stream: i64) -> i64;
    fn __wafer_host_stream_close(stream: i64);
}

#[link(wasm_import_module = "wasi_snapshot_preview1")]
unsafe extern "C" {
    fn clock_time_get(clock: i32, precision: i64, nanoseconds: *mut u64) -> i32;
}

/// The platform's error names, by number.
const CODES: [&str; 17] = [
    "Ok",
    "Cancelled",
    "Unknown",
    "InvalidArgument",
    "DeadlineExceeded",
    "NotFound",
    "AlreadyExists",
    "PermissionDenied",
    "ResourceExhausted",
    "FailedPrecondition",
    "Aborted",
    "OutOfRange",
    "Unimplemented",
    "Internal",
    "Unavailable",
    "DataLoss",
    "Unauthenticated",
];

/// A message to a service.
#[derive(Serialize)]
struct Message<'m> {
    kind: &'m str,
    meta: [u8; 0],
}

/// An error of a service.
#[derive(Deserialize)]
struct WaferError {
    code: String,
    message: String,
}

fn length(bytes: &[u8]) -> i32 {
    i32::try_from(bytes.len()).unwrap_or(i32::MAX)
}

/// Takes over bytes that the host wrote into memory from [`__wafer_alloc`].
fn taken(packed: i64) -> Vec<u8> {
    let (address, len) = ((packed >> 32) as usize, (packed & 0xffff_ffff) as usize);
    // SAFETY: the host allocated `len` bytes at this address with `__wafer_alloc`, and hands them over.
    unsafe { Vec::from_raw_parts(std::ptr::with_exposed_provenance_mut(address), len, len) }
}

/// Hands over bytes to the host, which reads them before its next call.
fn given(bytes: Vec<u8>) -> i64 {
    let bytes = bytes.leak();
    ((bytes.as_ptr().expose_provenance() as i64) << 32) | i64::from(length(bytes))
}

fn code_of(number: i64) -> ServiceError {
    let code = usize::try_from(-number).ok().and_then(|number| CODES.get(number)).copied().unwrap_or("Unknown");
    ServiceError { code: code.to_owned(), message: "the platform refused the call".to_owned() }
}

/// A stream to a service, which is closed when dropped.
struct Stream(i64);

impl Drop for Stream {
    fn drop(&mut self) {
        // SAFETY: the import has no condition; an unknown stream is ignored.
        unsafe { __wafer_host_stream_close(self.0) }
    }
}

impl Stream {
    /// Returns the error of a failed step.
    fn error(&self, number: i64) -> ServiceError {
        // SAFETY: the host answers with bytes in memory from `__wafer_alloc`, with 0, or with a negative number.
        let packed = unsafe { __wafer_host_stream_take_error(self.0) };
        let told = (packed > 0).then(|| rmp_serde::from_slice::<WaferError>(&taken(packed)).ok()).flatten();
        told.map_or_else(|| code_of(number), |WaferError { code, message }| ServiceError { code, message })
    }
}

/// Calls an operation of a service block.
fn call(block: &str, kind: &str, request: &[u8]) -> Result<Vec<u8>, ServiceError> {
    let failed = |error: rmp_serde::encode::Error| ServiceError {
        code: "Internal".to_owned(),
        message: format!("a message cannot be written: {error}"),
    };
    let message = rmp_serde::to_vec_named(&Message { kind, meta: [] }).map_err(failed)?;
    // SAFETY: the addresses and lengths are those of slices that live during the call.
    let stream = unsafe {
        __wafer_host_stream_init(block.as_ptr(), length(block.as_bytes()), message.as_ptr(), length(&message))
    };
    if stream < 0 {
        return Err(code_of(stream));
    }
    let stream = Stream(stream);
    // SAFETY: as above.
    let written = unsafe { __wafer_host_stream_write_chunk(stream.0, request.as_ptr(), length(request)) };
    if written < 0 {
        return Err(stream.error(i64::from(written)));
    }
    // SAFETY: the stream is open.
    let finished = unsafe { __wafer_host_stream_finish(stream.0) };
    if finished < 0 {
        return Err(stream.error(i64::from(finished)));
    }
    let mut answer = Vec::new();
    loop {
        // SAFETY: the stream is open.
        let packed = unsafe { __wafer_host_stream_read_chunk(stream.0) };
        match packed {
            0 => return Ok(answer),
            number if number < 0 => return Err(stream.error(number)),
            packed if answer.is_empty() => answer = taken(packed),
            packed => answer.extend(taken(packed)),
        }
    }
}

/// The platform's database service.
struct Database;

impl Service for Database {
    fn call(&self, kind: &str, request: &[u8]) -> Result<Vec<u8>, ServiceError> {
        call("wafer-run/database", kind, request)
    }
}

fn config(key: &str) -> Result<String, ServiceError> {
    #[derive(Serialize)]
    struct Get<'k> {
        key: &'k str,
    }
    #[derive(Deserialize)]
    struct Got {
        value: String,
    }
    let failed = |error: String| ServiceError { code: "Internal".to_owned(), message: error };
    let request = rmp_serde::to_vec_named(&Get { key }).map_err(|error| failed(error.to_string()))?;
    match call("wafer-run/config", "config.get", &request) {
        Ok(answer) => {
            rmp_serde::from_slice::<Got>(&answer).map(|got| got.value).map_err(|error| failed(error.to_string()))
        }
        // The key is not set.
        Err(error) if error.code == "NotFound" => Ok(String::new()),
        Err(error) => Err(error),
    }
}

fn now() -> i64 {
    let mut nanoseconds = 0_u64;
    // SAFETY: the host writes 8 bytes at the address of the number.
    unsafe { clock_time_get(0, 0, &raw mut nanoseconds) };
    i64::try_from(nanoseconds / 1_000_000).unwrap_or(i64::MAX)
}

fn log(level: &str, text: &str) {
    // SAFETY: the addresses and lengths are those of slices that live during the call.
    unsafe { __wafer_host_log(level.as_ptr(), length(level.as_bytes()), text.as_ptr(), length(text.as_bytes())) }
}

fn platform() -> Platform<'static> {
    Platform { database: Arc::new(Database), config: &config, now: now(), log: &log }
}

/// Allocates memory into which the host writes. The host never frees it.
#[unsafe(no_mangle)]
extern "C" fn __wafer_alloc(len: i32) -> i32 {
    let bytes = Vec::<u8>::with_capacity(usize::try_from(len).unwrap_or_default()).leak();
    i32::try_from(bytes.as_ptr().expose_provenance()).unwrap_or_default()
}

/// Returns the description of the block.
#[unsafe(no_mangle)]
extern "C" fn __wafer_info() -> i64 {
    given(info::info().to_string().into_bytes())
}

/// Answers a request.
#[unsafe(no_mangle)]
extern "C" fn __wafer_handle(address: i32, len: i32) -> i64 {
    let frame = taken((i64::from(address) << 32) | i64::from(len));
    let response = match frame::read(&frame) {
        Ok(request) => {
            drop(frame);
            crate::handle(&platform(), request)
        }
        Err(frame::FrameError::TooLarge) => Response::error(413, "too-large", frame::FrameError::TooLarge.to_string()),
        Err(error) => Response::error(400, "malformed", error.to_string()),
    };
    given(frame::response(&response))
}

/// Handles a lifecycle event.
#[unsafe(no_mangle)]
extern "C" fn __wafer_lifecycle(address: i32, len: i32) -> i64 {
    let frame = taken((i64::from(address) << 32) | i64::from(len));
    let event = frame::lifecycle(&frame).map_err(|error| error.to_string());
    let result = event.and_then(|event| crate::lifecycle(&platform(), &event));
    if let Err(faults) = &result {
        log("error", faults);
    }
    given(frame::lifecycle_result(result))
}
