//! A copy-on-write value with many readers and few writers.

use std::ops::{Deref, DerefMut};
use std::rc::Rc;

/// A shared value that is copied on the first change while other owners exist.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Shared<T>(Rc<T>);

impl<T> From<T> for Shared<T> {
    fn from(value: T) -> Self {
        Shared(Rc::new(value))
    }
}

impl<T> From<Rc<T>> for Shared<T> {
    fn from(value: Rc<T>) -> Self {
        Shared(value)
    }
}

impl<T> Shared<T> {
    /// Returns whether both values share one allocation. Equal values may have separate allocations.
    pub fn is_same_as(&self, other: &Shared<T>) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }

    /// Returns a shared reference to the value.
    pub fn share(&self) -> Rc<T> {
        Rc::clone(&self.0)
    }
}

impl<T> Deref for Shared<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: Clone> DerefMut for Shared<T> {
    fn deref_mut(&mut self) -> &mut T {
        Rc::make_mut(&mut self.0)
    }
}
