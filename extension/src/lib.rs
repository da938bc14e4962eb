//! All decisions of the instance provisioner: a pure library without I/O, clock or randomness.
