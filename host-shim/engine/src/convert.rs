//! The contract's types and the generated ones, moved into each other.

use crate::bindings as wire;

products_contract::crossing!();

// What only a host owns: the arguments of the imports. A guest lends them.
products_contract::cross_record!(Page { after, limit });
products_contract::cross_variant!(PurchaseKey [] [Id Session PaymentIntent]);
products_contract::cross_record!(RecordKey { collection, id });
products_contract::cross_record!(RecordWrite { key, expected, value });
products_contract::cross_record!(Effect {
    kind,
    to,
    key,
    generation,
    payload,
    reply_to,
    ordering_key,
    not_before,
    deadline,
    retry
});

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
