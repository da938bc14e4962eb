//! Series: objects that are read by time range, such as the meter events of a customer.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use super::{ROWS_AT_ONCE, State};
use crate::object::Object;
use crate::store::StoreError;

/// An iterator over the objects of a series, latest first; see [`State::series`].
#[derive(Debug)]
pub struct Series<'s> {
    state: &'s State,
    series: String,
    from_s: i64,
    /// The time and number of the object that was read last; the next objects come before it.
    below: (i64, i64),
    ids: VecDeque<String>,
    at_once: usize,
}

impl State {
    /// Iterates over the objects of a series in a time range, latest first. Of two objects at the same second, the
    /// object created later comes first. Reads only the rows in the range.
    pub fn series(&self, series: String, within_s: Range<i64>) -> Series<'_> {
        Series {
            state: self,
            series,
            from_s: within_s.start,
            // All numbers are larger, so objects at the end of the range are excluded.
            below: (within_s.end, i64::MIN),
            ids: VecDeque::new(),
            at_once: ROWS_AT_ONCE.start,
        }
    }
}

impl Iterator for Series<'_> {
    type Item = Arc<Object>;

    fn next(&mut self) -> Option<Arc<Object>> {
        if self.ids.is_empty() {
            let found = self.state.store.series_below(&self.series, self.from_s, self.below, self.at_once);
            let found = found.unwrap_or_else(|error| self.state.fail(error));
            self.below = found.last().map_or(self.below, |(at_s, seq, _)| (*at_s, *seq));
            self.ids.extend(found.into_iter().map(|(_, _, id)| id));
            self.at_once = (self.at_once * 2).min(ROWS_AT_ONCE.end);
        }
        let id = self.ids.pop_front()?;
        let object = self.state.find_row(&id);
        if object.is_none() {
            self.state.fail(StoreError::missing("object", id))
        }
        object
    }
}
