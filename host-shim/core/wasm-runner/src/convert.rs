//! The contract's types and the generated ones, moved into each other.

use crate::bindings as wire;

products_contract::crossing!();

impl Cross<products_contract::LogLevel> for wire::Level {
    fn cross(self) -> products_contract::LogLevel {
        match self {
            wire::Level::Debug => products_contract::LogLevel::Debug,
            wire::Level::Info => products_contract::LogLevel::Info,
            wire::Level::Warn => products_contract::LogLevel::Warn,
            wire::Level::Error => products_contract::LogLevel::Error,
        }
    }
}
