//! Runs a block under wasmi, as the platform does: a new instance for each call, with fuel and memory limits, and with no right
//! that the block has not declared.

use crate::info::BlockInfo;
use crate::rights::Rights;
use crate::services::Services;
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;
use wasmi::{Caller, Config, Engine, Error, Extern, Linker, Memory, Module, ResourceLimiter, Store, TypedFunc};

/// Fuel of a call.
pub const FUEL: u64 = 100_000_000;
/// Memory of a call, in bytes: 256 pages.
pub const MEMORY_BYTES: usize = 256 * 65_536;
/// Maximum number of open streams.
const STREAMS_MAX: usize = 1024;
/// Maximum size of one part of an answer, in bytes.
const CHUNK_BYTES: usize = 512 * 1024;

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

/// The reason why a block cannot be loaded or called.
#[derive(Debug, thiserror::Error)]
pub enum GuestError {
    /// `wafer.toml` or the module cannot be read.
    #[error("{0}")]
    Load(String),
    /// A required configuration key has no value. The guest was not called.
    #[error("the required configuration key `{0}` has no value")]
    Config(String),
    /// The guest trapped, ran out of fuel or memory, or was killed.
    #[error("the guest failed: {0}")]
    Trap(String),
    /// An answer of the guest has a different form.
    #[error("the guest's answer cannot be read: {0}")]
    Answer(String),
}

/// What a call used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Used {
    /// Units of fuel.
    pub fuel: u64,
    /// Bytes of memory at the end.
    pub memory: usize,
    /// Number of calls of services.
    pub calls: u64,
}

/// A stream between the guest and a service.
struct Stream {
    block: String,
    kind: String,
    request: Vec<u8>,
    answer: Vec<u8>,
    read: usize,
    error: Option<(i64, String)>,
}

struct State {
    services: Arc<Services>,
    rights: Rights,
    streams: Vec<Option<Stream>>,
    calls: u64,
    /// Number of the service call before which the guest is killed.
    kill_at: Option<u64>,
    /// True to kill the guest after the call instead of before it.
    kill_after: bool,
}

impl ResourceLimiter for State {
    fn memory_growing(
        &mut self,
        _: usize,
        desired: usize,
        _: Option<usize>,
    ) -> Result<bool, wasmi::errors::MemoryError> {
        Ok(desired <= MEMORY_BYTES)
    }

    fn table_growing(&mut self, _: usize, _: usize, _: Option<usize>) -> Result<bool, wasmi::errors::TableError> {
        Ok(true)
    }

    fn instances(&self) -> usize {
        1
    }

    fn tables(&self) -> usize {
        10
    }

    fn memories(&self) -> usize {
        1
    }
}

/// A loaded block.
pub struct Guest {
    engine: Engine,
    module: Module,
    linker: Linker<State>,
    services: Arc<Services>,
    rights: Rights,
    /// The block's description of itself.
    pub info: BlockInfo,
}

fn memory(caller: &Caller<'_, State>) -> Result<Memory, Error> {
    match caller.get_export("memory") {
        Some(Extern::Memory(memory)) => Ok(memory),
        _ => Err(Error::new("the guest exports no memory")),
    }
}

fn read(caller: &Caller<'_, State>, address: i32, len: i32) -> Result<Vec<u8>, Error> {
    let (from, len) = (address as u32 as usize, usize::try_from(len).map_err(|_| Error::new("a negative length"))?);
    let memory = memory(caller)?;
    let bytes = memory.data(caller).get(from..from.saturating_add(len));
    bytes.map(<[u8]>::to_vec).ok_or_else(|| Error::new("a slice outside of the memory"))
}

/// Writes bytes into memory that the guest allocates.
fn give(caller: &mut Caller<'_, State>, bytes: &[u8]) -> Result<i64, Error> {
    let Some(Extern::Func(alloc)) = caller.get_export("__wafer_alloc") else {
        return Err(Error::new("the guest exports no `__wafer_alloc`"));
    };
    let len = i32::try_from(bytes.len()).map_err(|_| Error::new("too many bytes"))?;
    let address = alloc.typed::<i32, i32>(&*caller)?.call(&mut *caller, len)?;
    let memory = memory(caller)?;
    memory.write(&mut *caller, address as u32 as usize, bytes).map_err(|error| Error::new(error.to_string()))?;
    Ok((i64::from(address as u32) << 32) | i64::from(len))
}

fn number_of(code: &str) -> i64 {
    CODES.iter().position(|known| *known == code).and_then(|at| i64::try_from(at).ok()).unwrap_or(2)
}

fn stream<'c>(caller: &'c mut Caller<'_, State>, handle: i64) -> Option<&'c mut Stream> {
    let at = usize::try_from(handle).ok()?.checked_sub(1)?;
    caller.data_mut().streams.get_mut(at)?.as_mut()
}

/// Opens a stream; a negative number is an error.
fn stream_init(
    mut caller: Caller<'_, State>,
    name: i32,
    name_len: i32,
    message: i32,
    message_len: i32,
) -> Result<i64, Error> {
    #[derive(serde::Deserialize)]
    struct Message {
        kind: String,
    }
    let block = String::from_utf8(read(&caller, name, name_len)?).map_err(|error| Error::new(error.to_string()))?;
    if !caller.data().rights.may_call(&block) {
        return Ok(-number_of("PermissionDenied"));
    }
    let message = read(&caller, message, message_len)?;
    let message = rmp_serde::from_slice::<Message>(&message).ok().or_else(|| serde_json::from_slice(&message).ok());
    let Some(Message { kind }) = message else { return Ok(-number_of("InvalidArgument")) };
    let streams = &mut caller.data_mut().streams;
    if streams.iter().flatten().count() >= STREAMS_MAX {
        return Ok(-number_of("ResourceExhausted"));
    }
    streams.push(Some(Stream { block, kind, request: Vec::new(), answer: Vec::new(), read: 0, error: None }));
    i64::try_from(streams.len()).map_err(|error| Error::new(error.to_string()))
}

fn stream_write(mut caller: Caller<'_, State>, handle: i64, address: i32, len: i32) -> Result<i32, Error> {
    let bytes = read(&caller, address, len)?;
    Ok(match stream(&mut caller, handle) {
        Some(stream) => {
            stream.request.extend(bytes);
            0
        }
        None => -5,
    })
}

/// Calls the service.
fn stream_finish(mut caller: Caller<'_, State>, handle: i64) -> Result<i32, Error> {
    let (services, rights) = (caller.data().services.clone(), caller.data().rights.clone());
    let number = caller.data().calls;
    caller.data_mut().calls += 1;
    let kill = caller.data().kill_at == Some(number);
    let after = caller.data().kill_after;
    if kill && !after {
        return Err(Error::new("killed before a call of a service"));
    }
    let Some(stream) = stream(&mut caller, handle) else { return Ok(-5) };
    let answered = rights.check(&stream.block, &stream.kind, &stream.request);
    let answered = answered.and_then(|()| services.call(&stream.block, &stream.kind, &stream.request));
    match answered {
        Ok(answer) => stream.answer = answer,
        Err(error) => {
            let body = json!({"code": error.code, "message": error.message, "meta": []});
            stream.error = Some((number_of(error.code), body.to_string()));
        }
    }
    if kill {
        return Err(Error::new("killed after a call of a service"));
    }
    // A service's error comes with the first part of its answer.
    Ok(0)
}

fn stream_read(mut caller: Caller<'_, State>, handle: i64) -> Result<i64, Error> {
    let Some(stream) = stream(&mut caller, handle) else { return Ok(-5) };
    if let Some((number, _)) = stream.error {
        return Ok(-number);
    }
    let chunk: Vec<u8> = stream.answer[stream.read..].iter().take(CHUNK_BYTES).copied().collect();
    stream.read += chunk.len();
    if chunk.is_empty() { Ok(0) } else { give(&mut caller, &chunk) }
}

fn stream_error(mut caller: Caller<'_, State>, handle: i64) -> Result<i64, Error> {
    let error = stream(&mut caller, handle).and_then(|stream| stream.error.take());
    let Some((_, body)) = error else { return Ok(0) };
    let body: Value = serde_json::from_str(&body).map_err(|error| Error::new(error.to_string()))?;
    let bytes = rmp_serde::to_vec_named(&body).map_err(|error| Error::new(error.to_string()))?;
    give(&mut caller, &bytes)
}

fn stream_close(mut caller: Caller<'_, State>, handle: i64) {
    let at = usize::try_from(handle).ok().and_then(|handle| handle.checked_sub(1));
    if let Some(slot) = at.and_then(|at| caller.data_mut().streams.get_mut(at)) {
        *slot = None;
    }
}

fn host_log(caller: Caller<'_, State>, level: i32, level_len: i32, text: i32, text_len: i32) -> Result<(), Error> {
    let (level, text) = (read(&caller, level, level_len)?, read(&caller, text, text_len)?);
    caller.data().services.log(&String::from_utf8_lossy(&level), &String::from_utf8_lossy(&text));
    Ok(())
}

fn clock(mut caller: Caller<'_, State>, _: i32, _: i64, address: i32) -> Result<i32, Error> {
    let nanoseconds = u64::try_from(caller.data().services.now_ms()).unwrap_or_default().saturating_mul(1_000_000);
    let memory = memory(&caller)?;
    let written = memory.write(&mut caller, address as u32 as usize, &nanoseconds.to_le_bytes());
    Ok(if written.is_ok() { 0 } else { 21 })
}

fn random(mut caller: Caller<'_, State>, address: i32, len: i32) -> Result<i32, Error> {
    let mut bytes = vec![0; usize::try_from(len).unwrap_or_default()];
    getrandom::fill(&mut bytes).map_err(|error| Error::new(error.to_string()))?;
    let memory = memory(&caller)?;
    let written = memory.write(&mut caller, address as u32 as usize, &bytes);
    Ok(if written.is_ok() { 0 } else { 21 })
}

fn linker(engine: &Engine) -> Result<Linker<State>, Error> {
    let mut linker = Linker::new(engine);
    let wafer = "wafer";
    linker.func_wrap(wafer, "__wafer_host_is_cancelled", |_: Caller<'_, State>| 0_i32)?;
    linker.func_wrap(wafer, "__wafer_host_log", host_log)?;
    linker.func_wrap(wafer, "__wafer_host_stream_init", stream_init)?;
    linker.func_wrap(wafer, "__wafer_host_stream_write_chunk", stream_write)?;
    linker.func_wrap(wafer, "__wafer_host_stream_finish", stream_finish)?;
    linker.func_wrap(wafer, "__wafer_host_stream_read_chunk", stream_read)?;
    linker.func_wrap(wafer, "__wafer_host_stream_take_error", stream_error)?;
    linker.func_wrap(wafer, "__wafer_host_stream_close", stream_close)?;
    let wasi = "wasi_snapshot_preview1";
    linker.func_wrap(wasi, "clock_time_get", clock)?;
    linker.func_wrap(wasi, "random_get", random)?;
    Ok(linker)
}

impl Guest {
    /// Loads a block: its `wafer.toml`, and the module next to it.
    ///
    /// # Errors
    /// Fails if a file cannot be read, or if the block declares a different name, or imports something that the platform does not
    /// have.
    pub fn load(folder: &Path, services: Arc<Services>, granted: Option<Rights>) -> Result<Guest, GuestError> {
        let load = |error: &dyn std::fmt::Display| GuestError::Load(format!("{}: {error}", folder.display()));
        let text = std::fs::read_to_string(folder.join("wafer.toml")).map_err(|error| load(&error))?;
        let package: toml::Table = text.parse().map_err(|error: toml::de::Error| load(&error))?;
        let field = |name: &str| {
            let value = package.get("package").and_then(|package| package.get(name));
            value.and_then(toml::Value::as_str).ok_or_else(|| load(&format!("`package.{name}` is missing")))
        };
        let name = format!("{}/{}", field("org")?, field("name")?);
        if package["package"].get("abi").and_then(toml::Value::as_integer) != Some(1) {
            return Err(load(&"`abi` is not 1"));
        }
        let module = std::fs::read(folder.join("block.wasm")).map_err(|error| load(&error))?;
        Guest::of(&module, &name, services, granted)
    }

    /// Loads a module.
    ///
    /// # Errors
    /// Fails like [`Guest::load`].
    pub fn of(
        module: &[u8],
        name: &str,
        services: Arc<Services>,
        granted: Option<Rights>,
    ) -> Result<Guest, GuestError> {
        let load = |error: &dyn std::fmt::Display| GuestError::Load(error.to_string());
        let mut config = Config::default();
        config.consume_fuel(true);
        let engine = Engine::new(&config);
        let module = Module::new(&engine, module).map_err(|error| load(&error))?;
        let linker = linker(&engine).map_err(|error| load(&error))?;
        let (rights, info) = (Rights::none(), BlockInfo::default());
        let mut guest = Guest { engine, module, linker, services, rights, info };
        let (info, _) = guest.call("__wafer_info", None, None)?;
        guest.info = BlockInfo::read(&info, name).map_err(|error| load(&error))?;
        let declared = guest.info.capabilities.clone().of_block(name).map_err(|error| load(&error))?;
        guest.rights = granted.map_or(declared.clone(), |granted| declared.within(&granted));
        Ok(guest)
    }

    /// Returns a guest of the same module on another platform.
    pub fn on(&self, services: Arc<Services>) -> Guest {
        let Guest { engine, module, linker, rights, info, .. } = self;
        let (engine, module, linker) = (engine.clone(), module.clone(), linker.clone());
        Guest { engine, module, linker, services, rights: rights.clone(), info: info.clone() }
    }

    /// Returns the rights: those that the block declares, as far as the operator grants them.
    pub fn rights(&self) -> &Rights {
        &self.rights
    }

    /// Calls a function of a new instance with bytes, and returns the bytes of its answer.
    fn call(
        &self,
        function: &str,
        frame: Option<&[u8]>,
        kill: Option<(u64, bool)>,
    ) -> Result<(Vec<u8>, Used), GuestError> {
        let trap = |error: Error| GuestError::Trap(format!("{error:?}"));
        let state = State {
            services: self.services.clone(),
            rights: self.rights.clone(),
            streams: Vec::new(),
            calls: 0,
            kill_at: kill.map(|(at, _)| at),
            kill_after: kill.is_some_and(|(_, after)| after),
        };
        let mut store = Store::new(&self.engine, state);
        store.limiter(|state| state);
        store.set_fuel(FUEL).map_err(trap)?;
        let instance = self.linker.instantiate(&mut store, &self.module).map_err(trap)?;
        let instance = instance.start(&mut store).map_err(trap)?;
        let memory = instance.get_memory(&store, "memory").ok_or_else(|| GuestError::Load("no memory".to_owned()))?;
        let packed = match frame {
            Some(frame) => {
                let alloc: TypedFunc<i32, i32> = instance.get_typed_func(&store, "__wafer_alloc").map_err(trap)?;
                let len = i32::try_from(frame.len()).map_err(|error| GuestError::Answer(error.to_string()))?;
                let address = alloc.call(&mut store, len).map_err(trap)?;
                let written = memory.write(&mut store, address as u32 as usize, frame);
                written.map_err(|error| GuestError::Trap(error.to_string()))?;
                let handle: TypedFunc<(i32, i32), i64> = instance.get_typed_func(&store, function).map_err(trap)?;
                handle.call(&mut store, (address, len)).map_err(trap)?
            }
            None => {
                let info: TypedFunc<(), i64> = instance.get_typed_func(&store, function).map_err(trap)?;
                info.call(&mut store, ()).map_err(trap)?
            }
        };
        if packed < 0 {
            return Err(GuestError::Answer(format!("error {packed}")));
        }
        let (address, len) = ((packed >> 32) as usize, (packed & 0xffff_ffff) as usize);
        let answer = memory.data(&store).get(address..address.saturating_add(len)).map(<[u8]>::to_vec);
        let answer = answer.ok_or_else(|| GuestError::Answer("a slice outside of the memory".to_owned()))?;
        let fuel = FUEL - store.get_fuel().map_err(trap)?;
        let used = Used { fuel, memory: memory.data_size(&store), calls: store.data().calls };
        self.services.add(used);
        Ok((answer, used))
    }

    fn json(answer: &[u8]) -> Result<Value, GuestError> {
        serde_json::from_slice(answer).map_err(|error| GuestError::Answer(error.to_string()))
    }

    /// Calls the block's lifecycle. The result is `{"Ok": null}` or `{"Err": error}`.
    ///
    /// # Errors
    /// Fails if the guest fails, or, before the guest is called, if a required configuration key has no value.
    pub fn lifecycle(&self, event: &str) -> Result<(Value, Used), GuestError> {
        if let Some(key) = self.info.missing_key(&self.services) {
            return Err(GuestError::Config(key.to_owned()));
        }
        let frame = json!({"event_type": event, "data": []}).to_string();
        let (answer, used) = self.call("__wafer_lifecycle", Some(frame.as_bytes()), None)?;
        Ok((Guest::json(&answer)?, used))
    }

    /// Passes a request to the block. `kill` is the number of the service call at which the guest is killed, and whether it is
    /// killed after the call.
    ///
    /// # Errors
    /// Fails if the guest fails.
    pub fn handle(
        &self,
        kind: &str,
        meta: &[(String, String)],
        body: &[u8],
        kill: Option<(u64, bool)>,
    ) -> Result<(Value, Used), GuestError> {
        let meta: Vec<Value> = meta.iter().map(|(key, value)| json!({"key": key, "value": value})).collect();
        let frame = json!([{"kind": kind, "meta": meta}, body]).to_string();
        let (answer, used) = self.call("__wafer_handle", Some(frame.as_bytes()), kill)?;
        Ok((Guest::json(&answer)?, used))
    }
}
