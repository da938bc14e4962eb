//! The ids of commands for which the caller gives none.

/// Generates ids.
pub trait Ids: Send + Sync {
    /// Returns a new id; none if the system has no random bytes.
    fn command(&self) -> Option<String>;
}

/// Generates random ids of 128 bits.
#[derive(Clone, Copy, Debug, Default)]
pub struct RandomIds;

impl Ids for RandomIds {
    fn command(&self) -> Option<String> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).ok()?;
        Some(format!("cmd_{}", hex::encode(bytes)))
    }
}
