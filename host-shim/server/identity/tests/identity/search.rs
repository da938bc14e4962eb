//! Operators find accounts by names and addresses.

use crate::{all_users, proved};
use extension_contract::Account;
use host_identity::{Holder, Organization, User, Users};

fn accounts(users: &Users, part: &str, after: Option<&Account>, limit: usize) -> Vec<String> {
    let found = users.search(false, part, after, limit).expect("read");
    found.iter().map(ToString::to_string).collect()
}

#[test]
fn accounts_are_found_by_a_part_of_a_name_or_an_address_in_any_case() {
    for users in all_users() {
        for (id, name, email) in [
            ("u1", Some("Ada Lovelace"), "ada@example.com"),
            ("u2", Some("Öre 100%"), "ore@example.com"),
            ("u3", None, "bob_a@lovelace.example"),
        ] {
            let user = User { name: name.map(str::to_owned), email: email.to_owned(), ..proved(id) };
            assert!(users.add(&user, "").expect("written"));
        }
        let choir = Organization { id: "o1".into(), name: "Lovelace Choir".into(), created_at: 5 };
        assert!(users.found(false, &choir, "u1").expect("written"));

        assert_eq!(accounts(&users, "LOVELACE", None, 9), ["organization:o1", "user:u1", "user:u3"]);
        assert_eq!(accounts(&users, "Öre", None, 9), ["user:u2"]);
        assert_eq!(accounts(&users, "nobody", None, 9), [""; 0]);
        // Characters of a pattern stand for themselves.
        assert_eq!(accounts(&users, "0%", None, 9), ["user:u2"]);
        assert_eq!(accounts(&users, "a_a", None, 9), [""; 0]);
        assert_eq!(accounts(&users, "b_a", None, 9), ["user:u3"]);
        assert_eq!(users.search(true, "ada", None, 9).expect("read"), [], "another mode");

        assert_eq!(accounts(&users, "example", None, 2), ["user:u1", "user:u2"]);
        let second = Account::User("u2".into());
        assert_eq!(accounts(&users, "example", Some(&second), 2), ["user:u3"]);
        let organization = Account::Organization("o1".into());
        assert_eq!(accounts(&users, "lovelace", Some(&organization), 2), ["user:u1", "user:u3"]);

        let holder = |account: &Account| users.holder(false, account).expect("read");
        let ada = Holder { name: Some("Ada Lovelace".into()), email: Some("ada@example.com".into()) };
        assert_eq!(holder(&Account::User("u1".into())), ada);
        let choir = Holder { name: Some("Lovelace Choir".into()), email: Some("ada@example.com".into()) };
        assert_eq!(holder(&organization), choir, "an owner gets the mails of an organization");
        assert_eq!(holder(&Account::Platform), Holder::default());
    }
}
