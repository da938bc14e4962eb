//! A component that misbehaves on request: the event's kind says how.
