//! Users who log in at an issuer instead of with a password.

use crate::address::Address;
use crate::identity::{Identity, LoggedIn, Refused, random};
use crate::users::{COLUMNS, User, Users, UsersError, user};
use extension_contract::Timestamp;
use rusqlite::{OptionalExtension, params};

/// Table of the users' ids at issuers.
pub(crate) const TABLE: &str = "
    CREATE TABLE issued (
        livemode INTEGER NOT NULL,
        issuer TEXT NOT NULL,
        subject TEXT NOT NULL,
        user TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
        PRIMARY KEY (livemode, issuer, subject)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX issued_of_user ON issued (user);";

/// Whom an issuer has logged in.
#[derive(Clone, Copy, Debug)]
pub struct Issued<'a> {
    /// The issuer.
    pub issuer: &'a str,
    /// Id at the issuer.
    pub subject: &'a str,
    /// Address that the issuer has proved; none if it has proved none.
    pub email: Option<&'a str>,
    /// Name for people.
    pub name: Option<&'a str>,
}

impl Users {
    fn of_issuer(&self, livemode: bool, issued: Issued<'_>) -> Result<Option<User>, UsersError> {
        let connection = self.lock();
        let query = format!(
            "SELECT {COLUMNS} FROM users \
             WHERE id = (SELECT user FROM issued WHERE livemode = ?1 AND issuer = ?2 AND subject = ?3)"
        );
        let mut one = connection.prepare_cached(&query)?;
        Ok(one.query_row(params![livemode, issued.issuer, issued.subject], user).optional()?)
    }

    fn add_issued(&self, livemode: bool, issued: Issued<'_>, user: &str) -> Result<(), UsersError> {
        let add = "INSERT INTO issued (livemode, issuer, subject, user) VALUES (?1, ?2, ?3, ?4)";
        self.lock().execute(add, params![livemode, issued.issuer, issued.subject, user])?;
        Ok(())
    }
}

impl Identity {
    /// Begins a session of whom an issuer has logged in. The first time, the proved address decides who that is: a user who has it, or
    /// a new one.
    ///
    /// # Errors
    /// Fails if the issuer has proved no address of somebody new, or if the file of users cannot be used.
    pub fn log_in_issued(&self, issued: Issued<'_>, now: Timestamp) -> Result<LoggedIn, Refused> {
        let livemode = self.partition().livemode;
        if let Some(known) = self.users().of_issuer(livemode, issued)? {
            return self.begin(known, now);
        }
        let address = issued.email.and_then(Address::parse).ok_or(Refused::Unproved)?;
        let user = match self.users().by_address(livemode, &address)? {
            Some((user, _)) if user.confirmed_at.is_some() => user,
            Some((user, _)) => {
                // Whoever registered with the address has not proved it, and may be somebody else.
                self.users().set_password(&user.id, "", now)?;
                User { confirmed_at: Some(now), ..user }
            }
            None => self.new_user(&address, issued.name, now)?,
        };
        self.users().add_issued(livemode, issued, &user.id)?;
        self.begin(user, now)
    }

    fn new_user(&self, address: &Address, name: Option<&str>, now: Timestamp) -> Result<User, Refused> {
        let user = User {
            id: random("usr_")?,
            livemode: self.partition().livemode,
            email: address.as_str().to_owned(),
            name: name
                .map(|name| name.chars().filter(|c| !c.is_control()).take(crate::identity::NAME_CHARS_MAX).collect()),
            is_operator: false,
            created_at: now,
            announced_at: None,
            confirmed_at: Some(now),
        };
        match self.users().add(&user, "")? {
            true => Ok(user),
            false => Err(Refused::Taken),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::tests::{identity, register};
    use std::sync::mpsc::channel;

    fn of<'a>(subject: &'a str, email: Option<&'a str>) -> Issued<'a> {
        Issued { issuer: "https://id.example", subject, email, name: Some("Ada\n") }
    }

    #[test]
    fn somebody_new_becomes_a_user_and_is_known_by_the_id_at_the_issuer() {
        let identity = identity();
        let refused = identity.log_in_issued(of("s1", None), 1);
        assert!(matches!(refused, Err(Refused::Unproved)), "anybody can name an address");
        let first = identity.log_in_issued(of("s1", Some("Ada@Example.com")), 1).expect("logged in");
        let user = &first.user;
        assert_eq!((user.email.as_str(), user.name.as_deref()), ("ada@example.com", Some("Ada")));
        assert_eq!((user.confirmed_at, user.announced_at, user.is_operator), (Some(1), None, false));
        let again = identity.log_in_issued(of("s1", None), 2).expect("the address may change or be gone");
        assert_eq!(again.user.id, user.id);
        let other = Issued { issuer: "https://other.example", ..of("s1", None) };
        assert!(matches!(identity.log_in_issued(other, 2), Err(Refused::Unproved)), "the same id at another issuer");
        identity.users().delete(user).expect("deleted");
        assert!(matches!(identity.log_in_issued(of("s1", None), 3), Err(Refused::Unproved)), "the user is gone");
    }

    #[test]
    fn a_registered_user_logs_in_at_the_issuer_too_and_nobody_else_keeps_the_account() {
        let identity = identity();
        let registered = register(&identity, "ada@example.com", "correct horse").expect("registered");
        let (sender, answer) = channel();
        let issued = identity.log_in_issued(of("s1", Some("ada@example.com")), 1).expect("logged in");
        assert_eq!((&issued.user.id, issued.user.confirmed_at), (&registered.user.id, Some(1)));
        assert_eq!(identity.caller(&registered.token, 1).expect("read"), None, "the address was not proved before");
        identity
            .log_in("ada@example.com", "correct horse".into(), 1, move |told| {
                sender.send(told.is_err()).expect("a receiver");
            })
            .expect("taken");
        assert!(answer.recv().expect("an answer"), "the password may be somebody else's");

        let proved = register(&identity, "bob@example.com", "correct horse").expect("registered");
        identity.users().confirmed(&proved.user.id, 1).expect("written");
        let issued = identity.log_in_issued(of("s2", Some("bob@example.com")), 2).expect("logged in");
        assert_eq!(issued.user.id, proved.user.id);
        assert!(identity.caller(&proved.token, 2).expect("read").is_some(), "both ways are the user's");
    }
}
