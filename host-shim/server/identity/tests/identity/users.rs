//! Users and their sessions.

use crate::{all_users, person};
use host_identity::{Address, User};

fn ada() -> User {
    User { id: "usr_1".into(), name: Some("Ada".into()), ..person("ada") }
}

#[test]
fn an_address_belongs_to_one_user_of_a_mode() {
    for users in all_users() {
        assert!(users.add(&ada(), "hash").expect("written"));
        assert!(!users.add(&User { id: "usr_2".into(), ..ada() }, "other").expect("written"), "the address is taken");
        assert!(users.add(&User { id: "usr_3".into(), livemode: true, ..ada() }, "live").expect("written"));
        let address = Address::parse("Ada@Example.com").expect("an address");
        assert_eq!(users.by_address(false, &address).expect("read"), Some((ada(), "hash".into())));
        assert_eq!(users.by_address(true, &address).expect("read").map(|(user, _)| user.id), Some("usr_3".into()));
        let other = Address::parse("bob@example.com").expect("an address");
        assert_eq!(users.by_address(false, &other).expect("read"), None);
    }
}

#[test]
fn a_session_ends_by_itself_and_when_its_user_leaves() {
    for users in all_users() {
        users.add(&ada(), "hash").expect("written");
        users.begin("s1", "usr_1", 100, 200).expect("written");
        users.begin("s2", "usr_1", 100, 200).expect("written");
        let of =
            |session: &str, livemode, now| users.of_session(livemode, session, now).expect("read").map(|user| user.id);
        assert_eq!(of("s1", false, 199), Some("usr_1".into()));
        assert_eq!((of("s1", false, 200), of("s1", true, 150), of("s3", false, 150)), (None, None, None));
        users.end("s1", 150).expect("written");
        assert_eq!((of("s1", false, 160), of("s2", false, 160)), (None, Some("usr_1".into())));
    }
}

#[test]
fn a_user_is_announced_once() {
    for users in all_users() {
        users.add(&ada(), "hash").expect("written");
        assert_eq!(users.unannounced(false).expect("read"), [ada()]);
        assert_eq!(users.unannounced(true).expect("read"), []);
        users.announced("usr_1", 5).expect("written");
        assert_eq!(users.unannounced(false).expect("read"), []);
    }
}

#[test]
fn the_users_and_operators_of_a_mode_are_listed() {
    for users in all_users() {
        users.add(&ada(), "hash").expect("written");
        assert!(!users.has_operator(false).expect("read"));
        let bob = User { is_operator: true, ..person("bob") };
        users.add(&bob, "hash").expect("written");
        assert!(users.has_operator(false).expect("read") && !users.has_operator(true).expect("read"));
        assert_eq!(users.all(false).expect("read"), [bob, ada()]);
        assert_eq!(users.all(true).expect("read"), []);
    }
}
