//! Transfers to connected accounts. What was sent before counts, so that no share is sent twice.
//!
//! The books request the transfers of an account in a currency one after the other, by number. Books that were restored from a backup
//! request numbers again that Stripe has, and often with other amounts, since other shares are due by then.

use super::{currency, only_id};
use crate::stripe::api::Api;
use crate::stripe::failure::Failed;
use crate::stripe::marks::{KEY, Marks, SCOPE};
use crate::stripe::payload::Payload;
use crate::stripe::recovery;
use host_provider_api::Call;
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};
use stripe_client_core::StripeRequest;
use stripe_connect::transfer::{CreateTransfer, UpdateTransfer};

/// Beginning of the metadata names that say how much of a transfer counts for a number.
const COUNTS_FOR: &str = "provisioner_for_";

/// Sends what is still missing of an amount, after the transfers that these books cannot know: those with the number of the request or
/// a later one, and the rest of those that an earlier request has used in part.
///
/// No share is sent twice, for three reasons. A transfer is made only for what no earlier transfer covers. An amount at Stripe covers one
/// request: the transfer with the number of the request belongs to it as a whole unless its metadata says otherwise, and of any other
/// transfer the metadata says for which numbers how much of it counts. And a repeated attempt finds the transfer of the one before, in
/// the list or by the idempotency key, which contains the amounts. So Stripe has sent what the books say, or what it had sent before the
/// restore as long as that is more.
///
/// `stripe.transfer.create`: takes `destination`, `amount_minor`, `currency`, `transfer_group`; returns `id`, that of an earlier transfer
/// if nothing is missing.
pub(crate) fn create(api: &Api<'_>, call: &Call) -> Result<Value, Failed> {
    let (payload, marks) = (Payload::of(call), Marks::of(call));
    let (destination, group) = (payload.id("destination")?, payload.text("transfer_group")?);
    let (of, amount) = (currency(payload.text("currency")?)?, payload.amount("amount_minor")?);
    let series = Series::of(&marks.key);
    let mut sent = sent(api, &marks, &series, destination)?;
    let missing = cover(&mut sent, series.number, amount);
    // An entry of books that were lost says nothing. It ends before anything is sent: a request that fails leaves no entry.
    for one in sent.iter().filter(|one| one.entry(series.number).is_some() && one.entry(series.number) != one.wanted) {
        one.write(api, series.number, None)?;
    }
    let made = match missing {
        0 => None,
        _ => {
            let request = CreateTransfer::new(of, destination)
                .amount(missing)
                .transfer_group(group)
                .metadata(marks.on(payload.metadata()?));
            Some(api.post(request.build(), &marks, &format!("transfer-{amount}-{missing}"))?)
        }
    };
    for one in sent.iter().filter(|one| one.wanted.is_some() && one.entry(series.number) != one.wanted) {
        one.write(api, series.number, one.wanted)?;
    }
    match (made, sent.iter().rev().find(|one| one.taken > 0)) {
        (Some(made), _) => only_id(&made),
        (None, Some(last)) => Ok(json!({"id": last.id})),
        (None, None) => Err(Failed::Payload { member: "amount_minor", expected: "an amount above zero" }),
    }
}

/// The transfers of an account in a currency: `transfer:usd` and the number, of the key `transfer:usd:3`.
struct Series<'k> {
    name: &'k str,
    number: u64,
}

impl Series<'_> {
    fn of(key: &str) -> Series<'_> {
        let numbered = key.rsplit_once(':').and_then(|(name, number)| Some((name, number.parse().ok()?)));
        let (name, number) = numbered.unwrap_or((key, 0));
        Series { name, number }
    }
}

/// A transfer that Stripe has.
#[derive(Debug, PartialEq, Eq)]
struct Sent {
    id: String,
    number: u64,
    /// The amount, also if some of it was taken back: the books hear of that by its event.
    amount: i64,
    /// How much counts for which numbers; empty if all counts for its own number.
    counts_for: BTreeMap<u64, i64>,
    /// How much counts for the request.
    taken: i64,
    /// The entry that the metadata are to have for the request.
    wanted: Option<i64>,
}

impl Sent {
    /// Reads a transfer; none if it is not of the series.
    fn of(object: &Value, marks: &Marks, series: &Series<'_>) -> Option<Sent> {
        let metadata = object.get("metadata")?.as_object()?;
        let text = |name: &str| metadata.get(name).and_then(Value::as_str);
        let own = Series::of(text(KEY)?);
        if text(SCOPE) != Some(&marks.scope) || own.name != series.name {
            return None;
        }
        let entry = |(name, value): (&String, &Value)| {
            Some((name.strip_prefix(COUNTS_FOR)?.parse().ok()?, value.as_str()?.parse().ok()?))
        };
        Some(Sent {
            id: object.get("id")?.as_str()?.to_owned(),
            number: own.number,
            amount: object.get("amount")?.as_i64()?,
            counts_for: metadata.iter().filter_map(entry).collect(),
            taken: 0,
            wanted: None,
        })
    }

    fn entry(&self, number: u64) -> Option<i64> {
        self.counts_for.get(&number).copied()
    }

    /// Returns what counts for no request before this number.
    fn free(&self, number: u64) -> i64 {
        if self.number < number && self.counts_for.is_empty() {
            return 0;
        }
        let before: i64 = self.counts_for.range(..number).map(|(_, amount)| amount).sum();
        self.amount.saturating_sub(before).max(0)
    }

    /// Writes how much counts for a number. Repeated, it changes nothing.
    fn write(&self, api: &Api<'_>, number: u64, amount: Option<i64>) -> Result<(), Failed> {
        // An empty value removes the entry.
        let value = amount.map(|amount| amount.to_string()).unwrap_or_default();
        let metadata = HashMap::from([(format!("{COUNTS_FOR}{number}"), value)]);
        api.set(UpdateTransfer::new(self.id.as_str()).metadata(metadata).build())?;
        Ok(())
    }
}

/// Returns the transfers of a series to an account, by number, and the older before the newer.
fn sent(api: &Api<'_>, marks: &Marks, series: &Series<'_>, destination: &str) -> Result<Vec<Sent>, Failed> {
    let mut sent = Vec::new();
    recovery::pages(api, "/transfers", &[("destination", destination)], recovery::PAGES_MAX, &mut |object| {
        sent.extend(Sent::of(&object, marks, series));
        Ok(true)
    })?;
    sent.reverse();
    sent.sort_by_key(|one| one.number);
    Ok(sent)
}

/// Counts for the request what counts for no other, in order. Returns what is missing.
fn cover(sent: &mut [Sent], number: u64, amount: i64) -> i64 {
    let mut missing = amount;
    for one in sent {
        one.taken = one.free(number).min(missing);
        missing -= one.taken;
        let is_own = one.number == number;
        let counts_as_a_whole = is_own && one.taken == one.amount && one.counts_for.is_empty();
        one.wanted = (!counts_as_a_whole && (is_own || one.taken > 0)).then_some(one.taken);
    }
    missing
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Stripe, as far as transfers are concerned: what was sent, by number.
    #[derive(Default)]
    struct Account(Vec<Sent>);

    impl Account {
        /// Carries out a request of the books, and returns what was sent.
        fn request(&mut self, number: u64, amount: i64) -> i64 {
            let missing = cover(&mut self.0, number, amount);
            for one in &mut self.0 {
                match one.wanted {
                    Some(wanted) => drop(one.counts_for.insert(number, wanted)),
                    None => drop(one.counts_for.remove(&number)),
                }
            }
            if missing > 0 {
                let (id, counts_for) = (format!("tr_{}", self.0.len()), BTreeMap::new());
                self.0.push(Sent { id, number, amount: missing, counts_for, taken: 0, wanted: None });
                self.0.sort_by_key(|one| one.number);
            }
            missing
        }

        fn total(&self) -> i64 {
            self.0.iter().map(|one| one.amount).sum()
        }
    }

    #[test]
    fn each_request_of_books_that_are_not_restored_is_sent_as_a_whole_and_once() {
        let mut account = Account::default();
        for number in 1..5 {
            assert_eq!(account.request(number, 400), 400);
            assert_eq!(account.request(number, 400), 0, "a repeated attempt");
        }
        assert!(account.0.iter().all(|one| one.counts_for.is_empty()), "nothing is written");
    }

    #[test]
    fn what_was_sent_before_a_restore_is_used_up_before_anything_is_sent() {
        let before = || {
            let mut account = Account::default();
            for (number, amount) in [(1, 400), (2, 300), (3, 200)] {
                account.request(number, amount);
            }
            account
        };
        // The books find all shares again at once, or in parts, and others.
        let cases: [&[(u64, i64, i64)]; 5] = [
            &[(1, 900, 0), (2, 500, 500), (3, 100, 100)],
            &[(1, 400, 0), (2, 300, 0), (3, 200, 0), (4, 50, 50)],
            &[(1, 100, 0), (2, 500, 0), (3, 500, 200), (4, 70, 70)],
            &[(1, 1_200, 300), (2, 100, 100)],
            &[(1, 800, 0), (2, 80, 0), (3, 10, 0), (4, 10, 0), (5, 30, 30)],
        ];
        for requests in cases {
            let (mut account, mut books) = (before(), 0);
            for (number, amount, sent) in requests {
                assert_eq!(account.request(*number, *amount), *sent, "{requests:?}, {number}");
                assert_eq!(account.request(*number, *amount), 0, "a repeated attempt, {requests:?}, {number}");
                books += amount;
                assert_eq!(account.total(), books.max(900), "{requests:?}, {number}");
            }
        }
    }

    #[test]
    fn entries_of_books_that_were_restored_once_more_count_no_longer() {
        let mut account = Account::default();
        account.request(1, 400);
        account.request(2, 300);
        assert_eq!(account.request(1, 500), 0, "after the first restore");
        assert_eq!(account.request(2, 100), 0);
        assert_eq!(account.request(1, 700), 0, "after the second one");
        assert_eq!(account.request(2, 100), 100);
        assert_eq!(account.total(), 800);
    }
}
