//! Keys of effects, timers, claims and facts. Each key is one entry of a table: its parts and its text.
//!
//! Keys contain ids of other systems, which may have colons and slashes. The parsers therefore find the parts of a key
//! from both ends.

/// Declares keys: each entry has its parts and the text in which they stand. The text after `or` applies under its
/// condition.
macro_rules! keys {
    (
        $(#[$about:meta])*
        $visible:vis enum $name:ident $(<$life:lifetime>)? {
            $(
                $(#[$doc:meta])*
                $key:ident $(($only:ident: $only_type:ty))? $({ $($part:ident: $part_type:ty),* })? = $text:literal
                $(, or $short:literal if $is_short:expr)?;
            )*
        }
    ) => {
        $(#[$about])*
        $visible enum $name $(<$life>)? {
            $($(#[$doc])* $key $(($only_type))? $({ $($part: $part_type),* })?,)*
        }

        impl $(<$life>)? std::fmt::Display for $name $(<$life>)? {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                #[allow(unused_variables, reason = "the kind of an effect is not part of its text")]
                match self {
                    $($name::$key $(($only))? $({ $($part),* })? => {
                        $(if $is_short {
                            return write!(f, $short);
                        })?
                        write!(f, $text)
                    })*
                }
            }
        }

        #[cfg(test)]
        impl $(<$life>)? $name $(<$life>)? {
            /// For each entry: its name, its text, and its parts with their types.
            #[allow(dead_code, reason = "not each table is tested")]
            pub const ENTRIES: &'static [(&'static str, &'static str, &'static [(&'static str, &'static str)])] = &[
                $((
                    stringify!($key),
                    $text,
                    &[$((stringify!($only), stringify!($only_type)))? $($((stringify!($part), stringify!($part_type))),*)?],
                ),)*
            ];
        }
    };
}

mod claim;
mod effect;
mod fact;
mod timer;

pub(crate) use claim::{CUSTOMER_CLAIMS, ClaimKey, type_row_id};
pub(crate) use effect::{EffectKey, recipient_of, word_of};
pub(crate) use fact::FactKey;
pub(crate) use timer::TimerKey;
