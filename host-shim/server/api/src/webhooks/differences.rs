//! Finds what has changed in an account, and turns it into messages. The tables keep a hash of each object as it was last
//! reported.

use crate::webhooks::deliveries::{NewMessage, add_message};
use crate::webhooks::endpoint::Endpoint;
use crate::webhooks::endpoints::telling;
use crate::webhooks::heads;
use crate::webhooks::tables::{Webhooks, WebhooksError};
use extension_contract::{Account, Timestamp};
use host_store_postgres::small::{SmallError, Statements, values};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// The lists of an account whose entries are reported, each with its name in event types.
pub(crate) const KINDS: [(&str, &str); 4] =
    [("products", "instance"), ("subscriptions", "subscription"), ("purchases", "purchase"), ("invoices", "invoice")];
/// The statuses of a subscription that has finally ended.
const ENDED: [&str; 3] = ["canceled", "cancelled", "incomplete_expired"];
/// Name of the entitlements among the objects.
const ENTITLEMENTS: &str = "entitlements";
/// Marks an ended subscription in the hash.
const ENDED_MARK: &str = ":ended";

/// The current state of an account.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Seen {
    /// The entries of the lists, by the list's name, each with its id.
    pub lists: BTreeMap<&'static str, Vec<(String, Value)>>,
    /// The entitlements.
    pub entitlements: Vec<Value>,
    /// Revision of the account.
    pub revision: u64,
    /// True if the personal data of the account has been erased. Earlier messages about it are then deleted.
    pub is_erased: bool,
}

impl Seen {
    /// Returns the names of the lists that are read.
    pub fn lists() -> impl Iterator<Item = &'static str> {
        KINDS.iter().map(|(list, _)| *list)
    }
}

/// A change to report.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// Event type.
    pub event_type: String,
    /// Data of the message.
    pub data: Value,
}

/// The hashes of objects, by kind and id.
type Hashes = BTreeMap<(String, String), String>;

fn hash(value: &Value) -> String {
    hex::encode(Sha256::digest(value.to_string()))
}

/// Returns the changes since the objects had these hashes, and the current hashes.
pub fn differences(before: &Hashes, seen: &Seen) -> (Vec<Change>, Hashes) {
    let (mut changes, mut after) = (Vec::new(), Hashes::new());
    for (list, name) in KINDS {
        for (id, value) in seen.lists.get(list).into_iter().flatten() {
            let is_ended =
                name == "subscription" && value["status"].as_str().is_some_and(|status| ENDED.contains(&status));
            let hash = format!("{}{}", hash(value), if is_ended { ENDED_MARK } else { "" });
            let key = (name.to_owned(), id.clone());
            let known = before.get(&key);
            let verb = match known {
                None if is_ended => Some("ended"),
                None => Some("created"),
                Some(known) if *known == hash => None,
                Some(known) if is_ended && !known.ends_with(ENDED_MARK) => Some("ended"),
                Some(_) => Some("updated"),
            };
            if let Some(verb) = verb {
                let mut object = value.clone();
                object["id"] = json!(id);
                let mut data = json!({name: object});
                if name == "subscription" {
                    data[ENTITLEMENTS] = json!(seen.entitlements);
                }
                changes.push(Change { event_type: format!("{name}.{verb}"), data });
            }
            after.insert(key, hash);
        }
    }
    // Only an instance ends by leaving its list; other entries leave it when an account is erased.
    let gone =
        before.keys().filter(|(name, id)| name == "instance" && !after.contains_key(&(name.clone(), id.clone())));
    for (_, id) in gone {
        changes.push(Change { event_type: "instance.deleted".to_owned(), data: json!({"instance": {"id": id}}) });
    }
    // Usage changes with every measurement, so only the allowance is reported.
    let allowed: Vec<Value> =
        seen.entitlements.iter().map(|row| json!([row["key"], row["allowed"], row["ends_at"]])).collect();
    let (key, hash) = ((ENTITLEMENTS.to_owned(), String::new()), hash(&json!(allowed)));
    if before.get(&key).map_or(!allowed.is_empty(), |known| *known != hash) {
        let data = json!({ENTITLEMENTS: seen.entitlements});
        changes.push(Change { event_type: "entitlements.updated".to_owned(), data });
    }
    after.insert(key, hash);
    (changes, after)
}

/// Deletes the messages about an account.
fn erase(rows: &impl Statements, account: &str) -> Result<(), SmallError> {
    let headed = heads::of_messages(rows, "account = ?1", &account.into())?;
    rows.execute("DELETE FROM messages WHERE account = ?1", values![account])?;
    for (endpoint, account) in headed {
        heads::set(rows, &endpoint, &account)?;
    }
    Ok(())
}

impl Webhooks {
    /// Returns true if any endpoint wants to be notified of something.
    ///
    /// # Errors
    /// Fails if the tables cannot be read.
    pub fn has_endpoints(&self) -> Result<bool, WebhooksError> {
        Ok(!self.0.rows("SELECT 1 FROM endpoints LIMIT 1", &[])?.is_empty())
    }

    /// Returns true if the state of all accounts was recorded when the first endpoint was created.
    ///
    /// # Errors
    /// Fails if the tables cannot be read.
    pub fn has_baseline(&self) -> Result<bool, WebhooksError> {
        Ok(!self.0.rows("SELECT 1 FROM baseline LIMIT 1", &[])?.is_empty())
    }

    /// Records that the state of all accounts is known from now on.
    ///
    /// # Errors
    /// Fails if the tables cannot be written.
    pub fn set_baseline(&self) -> Result<(), WebhooksError> {
        self.0.execute("INSERT INTO baseline (begun) VALUES (1)", &[])?;
        Ok(())
    }

    /// Deletes the record of what was reported, once no endpoint wants to be notified.
    ///
    /// # Errors
    /// Fails if the tables cannot be written.
    pub fn forget_baseline(&self) -> Result<(), WebhooksError> {
        self.0.write(|rows| {
            for table in ["baseline", "objects", "accounts", "messages"] {
                rows.execute(&format!("DELETE FROM {table}"), &[])?;
            }
            Ok(())
        })
    }

    /// Returns the revision of an account when it was last reported, or none if it never was.
    ///
    /// # Errors
    /// Fails if the tables cannot be read.
    pub fn told_revisions(&self) -> Result<BTreeMap<String, u64>, WebhooksError> {
        let all = "SELECT account, revision FROM accounts";
        Ok(self.0.query(all, &[], |row| Ok((row.get(0)?, row.get(1)?)))?.into_iter().collect())
    }

    /// Reports what has changed in an account since the last report: the messages and the new state are written together.
    /// Without `is_told`, only the state is recorded. `id` generates the ids of messages.
    ///
    /// # Errors
    /// Fails if the tables cannot be written.
    pub fn take(
        &self,
        account: &Account,
        seen: &Seen,
        is_told: bool,
        now: Timestamp,
        mut id: impl FnMut() -> String + Send,
    ) -> Result<usize, WebhooksError> {
        let name = account.to_string();
        self.0.write(|rows| {
            if seen.is_erased {
                erase(rows, &name)?;
            }
            let before = "SELECT kind, id, hash FROM objects WHERE account = ?1";
            let before =
                rows.query(before, values![&name], |row| Ok(((row.get(0)?, row.get(1)?), row.get::<String>(2)?)))?;
            let before: Hashes = before.into_iter().collect();
            let (changes, after) = differences(&before, seen);
            let endpoints: Vec<Endpoint> = if is_told { telling(rows, account)? } else { Vec::new() };
            let told = if endpoints.is_empty() { &[][..] } else { &changes[..] };
            for change in told {
                let (event_type, data, id) = (change.event_type.as_str(), change.data.clone(), id());
                add_message(rows, &NewMessage { id: &id, account, event_type, at: now, data }, &endpoints)?;
            }
            let put = "INSERT INTO objects (account, kind, id, hash) VALUES (?1, ?2, ?3, ?4) \
                       ON CONFLICT (account, kind, id) DO UPDATE SET hash = excluded.hash";
            for ((kind, id), hash) in after.iter().filter(|(key, hash)| before.get(*key) != Some(hash)) {
                rows.execute(put, values![&name, kind, id, hash])?;
            }
            let delete = "DELETE FROM objects WHERE account = ?1 AND kind = ?2 AND id = ?3";
            for (kind, id) in before.keys().filter(|key| !after.contains_key(*key)) {
                rows.execute(delete, values![&name, kind, id])?;
            }
            rows.execute(
                "INSERT INTO accounts (account, revision) VALUES (?1, ?2) \
                 ON CONFLICT (account) DO UPDATE SET revision = excluded.revision",
                values![&name, seen.revision],
            )?;
            Ok(told.len())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(status: &str, allowed: i64) -> Seen {
        let subscription = ("sub_1".to_owned(), json!({"status": status}));
        let entitlements = vec![json!({"key": "bots", "allowed": allowed, "used": 1})];
        Seen {
            lists: BTreeMap::from([("subscriptions", vec![subscription])]),
            entitlements,
            revision: 1,
            is_erased: false,
        }
    }

    fn types(changes: &[Change]) -> Vec<&str> {
        changes.iter().map(|change| change.event_type.as_str()).collect()
    }

    #[test]
    fn an_object_is_told_when_it_comes_changes_and_ends() {
        let (changes, first) = differences(&Hashes::new(), &seen("active", 1));
        assert_eq!(types(&changes), ["subscription.created", "entitlements.updated"]);
        assert_eq!(changes[0].data["subscription"], json!({"id": "sub_1", "status": "active"}));
        assert_eq!(changes[0].data["entitlements"][0]["allowed"], json!(1), "what it gives comes with it");
        assert_eq!(types(&differences(&first, &seen("active", 1)).0), Vec::<&str>::new());
        let (changes, second) = differences(&first, &seen("past_due", 1));
        assert_eq!(types(&changes), ["subscription.updated"]);
        let (changes, third) = differences(&second, &seen("canceled", 0));
        assert_eq!(types(&changes), ["subscription.ended", "entitlements.updated"]);
        assert_eq!(types(&differences(&third, &seen("canceled", 0)).0), Vec::<&str>::new(), "it ends once");
        // A change in usage alone is not reported.
        let mut used = seen("canceled", 0);
        used.entitlements[0]["used"] = json!(9);
        assert_eq!(types(&differences(&third, &used).0), Vec::<&str>::new());
    }

    #[test]
    fn an_instance_that_left_its_list_is_deleted_and_an_invoice_is_not() {
        let with = |list, rows: &[&str]| Seen {
            lists: BTreeMap::from([(list, rows.iter().map(|id| ((*id).to_owned(), json!({}))).collect())]),
            ..Seen::default()
        };
        let (_, before) = differences(&Hashes::new(), &with("products", &["a", "b"]));
        let (changes, _) = differences(&before, &with("products", &["b"]));
        assert_eq!(changes, [Change { event_type: "instance.deleted".into(), data: json!({"instance": {"id": "a"}}) }]);
        let (_, before) = differences(&Hashes::new(), &with("invoices", &["a"]));
        assert_eq!(differences(&before, &with("invoices", &[])).0, []);
    }
}
