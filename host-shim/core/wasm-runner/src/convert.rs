//! Conversions between the types of the contract and the generated types.

use crate::bindings as wire;

extension_contract::crossing!();

impl Cross<extension_contract::LogLevel> for wire::Level {
    fn cross(self) -> extension_contract::LogLevel {
        match self {
            wire::Level::Debug => extension_contract::LogLevel::Debug,
            wire::Level::Info => extension_contract::LogLevel::Info,
            wire::Level::Warn => extension_contract::LogLevel::Warn,
            wire::Level::Error => extension_contract::LogLevel::Error,
        }
    }
}
