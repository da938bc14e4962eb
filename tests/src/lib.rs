//! End-to-end tests against the built component and real counterparts.
