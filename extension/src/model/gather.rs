//! Sorts and collects with little code. The standard library's sort, which its maps also use in `collect`, is optimised
//! for long lists: it takes 5 to 15 kB of the component for each type of list. The component may have at most 3 MiB.

use std::cmp::Ordering;

/// Sorts a list by heap sort, in O(n log n) and a few hundred bytes of code. The sort is not stable: where the order of
/// equal elements matters, `compare` must distinguish them.
pub(crate) fn sort_by<T>(list: &mut [T], compare: impl Fn(&T, &T) -> Ordering) {
    let sink = |list: &mut [T], mut at: usize| {
        loop {
            let mut child = 2 * at + 1;
            if child >= list.len() {
                return;
            }
            if child + 1 < list.len() && compare(&list[child], &list[child + 1]).is_lt() {
                child += 1;
            }
            if compare(&list[at], &list[child]).is_ge() {
                return;
            }
            list.swap(at, child);
            at = child;
        }
    };
    for at in (0..list.len() / 2).rev() {
        sink(list, at);
    }
    for end in (1..list.len()).rev() {
        list.swap(0, end);
        sink(&mut list[..end], 0);
    }
}

/// Collects items into a map or set by inserting them one by one.
pub(crate) fn gather<C: Default + Extend<T>, T>(items: impl IntoIterator<Item = T>) -> C {
    let mut out = C::default();
    out.extend(items);
    out
}

#[cfg(test)]
mod tests {
    use super::sort_by;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn sort_by_sorts_like_the_standard_library(mut list in proptest::collection::vec(any::<i32>(), 0..200)) {
            let mut expected = list.clone();
            expected.sort();
            sort_by(&mut list, i32::cmp);
            prop_assert_eq!(list, expected);
        }
    }
}
