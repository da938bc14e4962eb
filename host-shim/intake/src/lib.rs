//! From bytes to an authentic, bounded envelope.
