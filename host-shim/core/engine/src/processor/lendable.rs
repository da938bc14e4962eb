//! A store or reader that a call of the extension owns while the call runs.

/// A value that is lent and comes back.
pub(super) struct Lendable<T: ?Sized>(Option<Box<T>>);

/// The value is absent only within [`Lendable::lend`], which holds the only reference to it.
const PRESENT: &str = "each call returns what was lent to it";

impl<T: ?Sized> Lendable<T> {
    /// Keeps a value.
    pub fn new(value: Box<T>) -> Self {
        Lendable(Some(value))
    }

    /// Returns the value.
    pub fn get(&self) -> &T {
        self.0.as_deref().expect(PRESENT)
    }

    /// Returns the value, for changes.
    pub fn get_mut(&mut self) -> &mut T {
        self.0.as_deref_mut().expect(PRESENT)
    }

    /// Gives the value away.
    pub fn into_inner(self) -> Box<T> {
        self.0.expect(PRESENT)
    }

    /// Lends the value to a call, which returns it together with its result.
    pub fn lend<R>(&mut self, call: impl FnOnce(Box<T>) -> (Box<T>, R)) -> R {
        let (value, result) = call(self.0.take().expect(PRESENT));
        self.0 = Some(value);
        result
    }
}
