//! The servers of a database know of each other: two have different names, and none runs while the store is copied.

use crate::support::{address, end_connections};
use host_store_postgres::{Absence, Presence, PresenceError};

#[test]
fn two_running_servers_have_different_names() {
    let settings = address();
    let mut first = Presence::take(&settings, "a").expect("free");
    drop(Presence::take(&settings, "b").expect("another name"));
    let refused = Presence::take(&settings, "a").err();
    assert!(matches!(refused, Some(PresenceError::SameName { .. })), "{refused:?}");
    drop(Presence::take(&address(), "a").expect("the name in another store"));
    assert_eq!(first.keep(), Ok(true));
    drop(first);
    drop(Presence::take(&settings, "a").expect("free again"));
}

#[test]
fn a_server_takes_its_name_again_over_a_new_connection_unless_another_one_has_it() {
    let settings = address();
    let mut first = Presence::take(&settings, "a").expect("free");
    end_connections(&settings);
    assert_eq!(first.keep(), Ok(true), "taken again");
    let refused = Presence::take(&settings, "a").err();
    assert!(matches!(refused, Some(PresenceError::SameName { .. })), "{refused:?}");
    end_connections(&settings);
    let second = Presence::take(&settings, "a").expect("free, as long as the first does not look");
    assert_eq!(first.keep(), Ok(false), "another server has the name");
    drop(second);
}

#[test]
fn a_store_that_a_server_uses_is_not_copied_and_the_other_way_round() {
    let settings = address();
    let server = Presence::take(&settings, "a").expect("free");
    let other = Presence::take(&settings, "b").expect("free");
    drop(server);
    let refused = Absence::take(&settings).err();
    assert!(matches!(refused, Some(PresenceError::Served)), "{refused:?}");
    drop(other);
    let taken = (0..100).find_map(|_| {
        std::thread::sleep(std::time::Duration::from_millis(20));
        Absence::take(&settings).ok()
    });
    let copying = taken.expect("no server runs");
    let refused = Presence::take(&settings, "a").err();
    assert!(matches!(refused, Some(PresenceError::Copied)), "{refused:?}");
    drop(copying);
    drop(Presence::take(&settings, "a").expect("the copy has ended"));
}
