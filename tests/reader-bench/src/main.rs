//! Measures the readers natively and in wasmtime: the time without fuel metering, and the fuel.

use reader_bench::{READINGS, body};
use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;
use wasmtime::error::Context;
use wasmtime::{Config, Engine, Instance, Module, Result, Store, TypedFunc, bail, ensure};

/// Number of readings in a round.
const TIMES: u32 = 2_000;
/// Number of measured rounds, after one round of warm-up; the median is reported.
const ROUNDS: usize = 15;
/// The package whose library is built as the WebAssembly module.
const PACKAGE: &str = env!("CARGO_PKG_NAME");
const TARGET: &str = "wasm32-unknown-unknown";

/// Returns the median time of one reading in nanoseconds.
fn nanoseconds(mut round: impl FnMut() -> Result<()>) -> Result<f64> {
    let mut times = Vec::with_capacity(ROUNDS);
    for number in 0..=ROUNDS {
        let begun = Instant::now();
        round()?;
        if number > 0 {
            times.push(begun.elapsed().as_secs_f64() * 1e9 / f64::from(TIMES));
        }
    }
    times.sort_by(f64::total_cmp);
    times.get(ROUNDS / 2).copied().context("no round was measured")
}

/// Builds the WebAssembly module with the same flags as a component, and returns the path of its file.
fn module() -> Result<PathBuf> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let output = Command::new(cargo)
        .args(["rustc", "--quiet", "--package", PACKAGE, "--lib", "--crate-type", "cdylib", "--target", TARGET])
        .args(["--profile", "component", "--message-format", "json-render-diagnostics"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env_remove("RUSTFLAGS")
        .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS", "-Ctarget-feature=+simd128")
        .stderr(std::process::Stdio::inherit())
        .output()
        .context("cannot run cargo")?;
    ensure!(output.status.success(), "cargo could not build the module");
    let messages = String::from_utf8_lossy(&output.stdout);
    let mut files = messages
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter_map(|message| message["filenames"].as_array().cloned())
        .flatten()
        .filter_map(|file| file.as_str().map(PathBuf::from))
        .filter(|file| file.extension().is_some_and(|extension| extension == "wasm"));
    files.next_back().context("cargo reported no module")
}

/// The WebAssembly module, loaded in wasmtime.
struct Guest {
    store: Store<()>,
    run: TypedFunc<(u32, u32), u64>,
}

impl Guest {
    fn load(bytes: &[u8], fuel: bool) -> Result<Guest> {
        let mut config = Config::new();
        config.consume_fuel(fuel).cranelift_nan_canonicalization(true).relaxed_simd_deterministic(true);
        let engine = Engine::new(&config)?;
        let mut store = Store::new(&engine, ());
        if fuel {
            store.set_fuel(u64::MAX)?;
        }
        let instance = Instance::new(&mut store, &Module::new(&engine, bytes)?, &[])?;
        let run = instance.get_typed_func(&mut store, "run")?;
        Ok(Guest { store, run })
    }

    fn read(&mut self, reading: usize, times: u32) -> Result<u64> {
        match self.run.call(&mut self.store, (u32::try_from(reading)?, times))? {
            u64::MAX => bail!("the module can't read the body"),
            sum => Ok(sum),
        }
    }
}

fn main() -> Result<()> {
    let bytes = std::fs::read(module()?)?;
    let mut timed = Guest::load(&bytes, false)?;
    let mut fueled = Guest::load(&bytes, true)?;
    let mut table = comfy_table::Table::new();
    table.load_style(comfy_table::presets::UTF8_FULL_CONDENSED);
    table.set_header([
        "what is read",
        "reader",
        "native ns",
        "in U",
        "÷ serde_json",
        "wasm ns",
        "in U",
        "÷ serde_json",
        "fuel",
    ]);
    let mut unit = None;
    let mut first: Option<(&str, f64, f64)> = None;
    for (number, reading) in READINGS.iter().enumerate() {
        let expected = reading.run(1).context("the body can't be read")?;
        ensure!(timed.read(number, 1)? == expected, "{reading:?}: the module's checksum differs");
        let native = nanoseconds(|| reading.run(TIMES).map(drop).context("the body can't be read"))?;
        let wasm = nanoseconds(|| timed.read(number, TIMES).map(drop))?;
        fueled.read(number, 1)?;
        let before = fueled.store.get_fuel()?;
        fueled.read(number, 1)?;
        let fuel = before - fueled.store.get_fuel()?;
        let unit = *unit.get_or_insert(native);
        let (_, first_native, first_wasm) = match first {
            Some(values) if values.0 == reading.shape => values,
            _ => *first.insert((reading.shape, native, wasm)),
        };
        table.add_row([
            reading.shape.to_owned(),
            reading.reader.to_owned(),
            format!("{native:.0}"),
            format!("{:.2}", native / unit),
            format!("{:.2}", native / first_native),
            format!("{wasm:.0}"),
            format!("{:.2}", wasm / unit),
            format!("{:.2}", wasm / first_wasm),
            fuel.to_string(),
        ]);
    }
    println!("body: {} bytes; U is the first row's native time; module: {} bytes", body().len(), bytes.len());
    println!("{table}");
    if cfg!(debug_assertions) {
        println!("Native figures mean nothing here: run it with `--release`.");
    }
    Ok(())
}
