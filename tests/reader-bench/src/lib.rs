//! The benchmark cases. For wasm32, this crate is built as the module that the benchmark measures in wasmtime.

mod shapes;

use serde::de::IgnoredAny;
use std::sync::OnceLock;

/// The body of the host's benchmark.
const BODY: &str = include_str!("../../../host-shim/lab/bench/bodies/subscription_updated.json");

/// Returns a Stripe event of about 8 kB, indented as in Stripe's webhooks.
pub fn body() -> &'static str {
    static FILLED: OnceLock<String> = OnceLock::new();
    FILLED.get_or_init(|| {
        BODY.trim_end()
            .replace("@E@", "000100000000000000000000")
            .replace("@N@", "00000000000000000000")
            .replace("@CREATED@", "1767225601")
            .replace("@PRICE@", "price_professional_monthly")
            .replace("@PRICE_BEFORE@", "price_xyz789")
    })
}

/// A benchmark case: a target type and a reader.
#[derive(Clone, Copy, Debug)]
pub struct Reading {
    /// Name of the target type.
    pub shape: &'static str,
    /// Name of the reader.
    pub reader: &'static str,
    read: fn(&'static str) -> Option<u64>,
}

/// All benchmark cases. The first reader of a shape is the baseline for the shape's other readers.
pub const READINGS: &[Reading] = &[
    Reading {
        shape: "the unit's struct",
        reader: "serde_json",
        read: |text| Some(serde_json::from_str::<shapes::unit::Body<'_>>(text).ok()?.sum()),
    },
    Reading {
        shape: "the unit's struct",
        reader: "extension-reader",
        read: |text| Some(extension_reader::from_str::<shapes::unit::Body<'_>>(text).ok()?.sum()),
    },
    Reading {
        shape: "the extension's struct",
        reader: "serde_json",
        read: |text| {
            let event: shapes::Event<'_> = serde_json::from_str(text).ok()?;
            Some(event.sum())
        },
    },
    Reading {
        shape: "the extension's struct",
        reader: "extension-reader",
        read: |text| {
            let event: shapes::Event<'_> = extension_reader::from_str(text).ok()?;
            Some(event.sum())
        },
    },
    Reading {
        shape: "nothing",
        reader: "serde_json",
        read: |text| serde_json::from_str::<IgnoredAny>(text).ok().map(|_| 0),
    },
    Reading {
        shape: "nothing",
        reader: "extension-reader",
        read: |text| extension_reader::from_str::<IgnoredAny>(text).ok().map(|_| 0),
    },
];

impl Reading {
    /// Reads the body `times` times. Returns a checksum of the values, or `None` if the body can't be read.
    pub fn run(&self, times: u32) -> Option<u64> {
        let mut sum = 0_u64;
        for _ in 0..times {
            sum = sum.wrapping_add((self.read)(std::hint::black_box(body()))?);
        }
        Some(sum)
    }
}

/// Exports [`Reading::run`] to the module's host. Returns `u64::MAX` if the body can't be read.
#[allow(unsafe_code)]
// SAFETY: no other function of the module has this name.
#[unsafe(no_mangle)]
pub extern "C" fn run(reading: u32, times: u32) -> u64 {
    READINGS.get(reading as usize).and_then(|reading| reading.run(times)).unwrap_or(u64::MAX)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::{READINGS, body};

    #[test]
    fn readers_of_a_shape_read_the_same_values() {
        assert!((7_500..9_000).contains(&body().len()));
        for reading in READINGS {
            let first = READINGS.iter().find(|other| other.shape == reading.shape).unwrap();
            assert_eq!(reading.run(1).unwrap(), first.run(1).unwrap(), "{reading:?}");
        }
    }
}
