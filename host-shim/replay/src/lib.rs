//! Scenarios and raw streams replayed, compared and reported.
