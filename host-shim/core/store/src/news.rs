//! What any host has stored: the hosts of one store follow each other by it.

use extension_contract::Account;

/// A place in the log of a store: the reader knows everything before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NewsPlace {
    /// Number of the last new event.
    pub accepted: u64,
    /// First transaction whose changes of older events are not known.
    pub changed: u64,
}

/// An event that a host has stored, or decided later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct News {
    /// Its number.
    pub seq: u64,
    /// Its account, if it was placed.
    pub account: Option<Account>,
    /// True for a new event. For the older events of an account, only the last change is reported.
    pub is_new: bool,
}
