//! From the outbox to providers and back as events.
