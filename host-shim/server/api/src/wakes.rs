//! Wakes the streams to which a commit may bring something: those of its accounts, and those of callers with access to every account.
//! The cost of a commit does not depend on how many other clients are connected.

use extension_contract::Account;
use host_identity::access::Reach;
use host_store::Partition;
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// The waiting streams of a server, by the name of a scope (`business/mode/account`), or by business and mode for all its accounts.
#[derive(Debug, Default)]
pub(crate) struct Wakes(Mutex<Waiting>);

#[derive(Debug, Default)]
struct Waiting {
    of: HashMap<String, HashMap<u64, watch::Sender<()>>>,
    number: u64,
}

/// The registration of a stream to be woken, until it is dropped.
#[derive(Debug)]
pub(crate) struct Wake {
    wakes: Arc<Wakes>,
    names: Vec<String>,
    number: u64,
}

impl Wakes {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a stream. The receiver changes with each commit that may bring something to it.
    pub(crate) fn add(self: &Arc<Self>, partition: &Partition, reach: &Reach) -> (Wake, watch::Receiver<()>) {
        let names: Vec<String> = match reach {
            Reach::All => vec![partition.name()],
            Reach::Accounts(accounts) => {
                accounts.iter().map(|account| partition.scope(account.clone()).name()).collect()
            }
        };
        let (sender, receiver) = watch::channel(());
        let mut waiting = self.waiting();
        waiting.number += 1;
        let number = waiting.number;
        for name in &names {
            waiting.of.entry(name.clone()).or_default().insert(number, sender.clone());
        }
        (Wake { wakes: self.clone(), names, number }, receiver)
    }

    /// Wakes the streams affected by a commit about some accounts.
    pub(crate) fn committed<'a>(&self, partition: &Partition, accounts: impl Iterator<Item = &'a Account>) {
        let scopes = accounts.map(|account| partition.scope(account.clone()).name());
        let names: BTreeSet<String> = scopes.chain([partition.name()]).collect();
        let waiting = self.waiting();
        let streams = names.iter().filter_map(|name| waiting.of.get(name)).flat_map(HashMap::values);
        streams.for_each(|stream| stream.send_modify(|()| {}));
    }
}

impl Drop for Wake {
    fn drop(&mut self) {
        let mut waiting = self.wakes.waiting();
        for name in &self.names {
            let Some(streams) = waiting.of.get_mut(name) else { continue };
            streams.remove(&self.number);
            if streams.is_empty() {
                waiting.of.remove(name);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn partition(business: &str) -> Partition {
        Partition { business: business.to_owned(), livemode: false }
    }

    fn user(id: &str) -> Account {
        Account::User(id.to_owned())
    }

    #[test]
    fn a_commit_wakes_the_streams_of_its_accounts_and_those_of_operators() {
        let (wakes, shop) = (Arc::new(Wakes::default()), partition("shop"));
        let stream = |of: &Partition, reach: Reach| wakes.add(of, &reach);
        let ada = stream(&shop, Reach::Accounts(vec![user("ada"), Account::Organization("team".to_owned())]));
        let bob = stream(&shop, Reach::Accounts(vec![user("bob")]));
        let (root, other) = (stream(&shop, Reach::All), stream(&partition("other"), Reach::All));
        let mut all = [ada, bob, root, other];
        let mut woken = |accounts: &[Account]| {
            wakes.committed(&shop, accounts.iter());
            all.each_mut().map(|(_, stream)| {
                let is_woken = stream.has_changed().expect("a sender");
                stream.mark_unchanged();
                is_woken
            })
        };
        assert_eq!(woken(&[user("ada")]), [true, false, true, false]);
        assert_eq!(woken(&[Account::Organization("team".to_owned())]), [true, false, true, false]);
        assert_eq!(woken(&[user("bob"), user("ada")]), [true, true, true, false]);
        assert_eq!(woken(&[]), [false, false, true, false], "an event without an account is the operators'");
        drop(all);
        assert!(wakes.waiting().of.is_empty(), "a stream that has ended is forgotten");
    }
}
