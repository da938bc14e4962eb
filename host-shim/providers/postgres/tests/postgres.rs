//! The provider against real servers.

mod postgres {
    mod adopt;
    mod backup;
    mod faults;
    mod isolation;
    mod life;
    mod steps;
    mod support;
}
