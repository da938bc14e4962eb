//! Hosts follow each other: what one has committed, the other is told once, also if commits end in another order than they began.

use crate::support::{address, forgetful};
use host_store::testing::samples;
use host_store::{Applied, Changes, Conflict, InboxProgress, InboxState, NewsPlace, Partition, Reader, Store};
use host_store_postgres::PostgresStore;
use std::thread;
use std::time::Duration;

fn toys() -> Partition {
    samples::partition()
}

/// A host that follows the others.
struct Follower {
    reader: Box<dyn Reader>,
    place: NewsPlace,
}

impl Follower {
    fn new(store: &dyn Store) -> Follower {
        let mut reader = store.reader().expect("a reader");
        reader.begin().expect("a snapshot");
        let (news, place) = reader.news(&toys(), None, 10).expect("the place");
        reader.end().expect("a snapshot");
        assert_eq!(news, [], "a host begins with what is stored from now on");
        Follower { reader, place }
    }

    /// Returns the news of at most three new events: number, account, and whether it is new.
    fn news(&mut self) -> Vec<(u64, Option<String>, bool)> {
        self.reader.begin().expect("a snapshot");
        let (news, place) = self.reader.news(&toys(), Some(self.place), 3).expect("read");
        self.reader.end().expect("a snapshot");
        self.place = place;
        news.into_iter().map(|it| (it.seq, it.account.map(|account| account.to_string()), it.is_new)).collect()
    }
}

impl Follower {
    /// Returns the next news. They may come late: open transactions, also those of other stores of the server, hold changes up.
    fn next(&mut self) -> Vec<(u64, Option<String>, bool)> {
        for _ in 0..2_000 {
            let news = self.news();
            if !news.is_empty() {
                return news;
            }
            thread::sleep(Duration::from_millis(10));
        }
        panic!("no news within 20 s");
    }
}

/// Returns the change that stores an event of an account as decided.
fn decided(account: &str, id: &str) -> Changes {
    let mut new = samples::new_event(id);
    new.progress = done(account);
    samples::accepted(new)
}

/// Returns the change that decides an accepted event later.
fn later(seq: u64, account: &str) -> Changes {
    Changes { inbox: Some(samples::moved(seq, done(account))), ..Changes::default() }
}

fn done(account: &str) -> InboxProgress {
    InboxProgress { account: Some(account.parse().expect("an account")), ..samples::progress(InboxState::Done) }
}

#[test]
fn new_events_and_events_that_are_decided_later_are_told_once() {
    let settings = address();
    let mut store = PostgresStore::open(&settings).expect("opened");
    store.apply(&decided("user:ada", "evt_0")).expect("applied");
    let mut follower = Follower::new(&store);
    assert_eq!(follower.news(), []);
    store.apply(&decided("user:ada", "evt_1")).expect("applied");
    store.apply(&samples::accepted(samples::new_event("evt_2"))).expect("applied");
    assert_eq!(follower.news(), [(2, Some("user:ada".to_owned()), true), (3, None, true)]);
    assert_eq!(follower.news(), []);
    store.apply(&later(3, "user:bob")).expect("applied");
    assert_eq!(follower.next(), [(3, Some("user:bob".to_owned()), false)]);
    assert_eq!(follower.news(), []);
    for number in 4..9 {
        store.apply(&decided("user:ada", &format!("evt_{number}"))).expect("applied");
    }
    let [first, second, third] = [0; 3].map(|_| follower.news().len());
    assert_eq!((first, second, third), (3, 2, 0), "at most three at a time");
}

#[test]
fn a_slow_commit_is_told_after_its_end_and_not_forgotten() {
    let settings = address();
    let [mut slow, mut quick] = [0, 1].map(|_| PostgresStore::open(&settings).expect("opened"));
    for id in ["evt_1", "evt_2"] {
        quick.apply(&samples::accepted(samples::new_event(id))).expect("applied");
    }
    let mut follower = Follower::new(&quick);
    slow.begin().expect("no group");
    slow.apply(&later(1, "user:ada")).expect("applied");
    slow.apply(&decided("user:ada", "evt_3")).expect("applied");
    quick.apply(&later(2, "user:bob")).expect("applied");
    quick.apply(&decided("user:bob", "evt_4")).expect("applied");
    let mut told = follower.news();
    slow.commit().expect("committed");
    while told.len() < 4 {
        told.extend(follower.next());
    }
    let of = |account: &str, seq, is_new| (seq, Some(account.to_owned()), is_new);
    let expected =
        [of("user:ada", 1, false), of("user:bob", 2, false), of("user:ada", 3, true), of("user:bob", 4, true)];
    let mut sorted = told.clone();
    sorted.sort();
    assert_eq!(sorted, expected, "each once: {told:?}");
}

#[test]
fn after_a_crash_news_are_told_whose_numbers_were_given_before() {
    let (mut server, address) = forgetful();
    let mut store = PostgresStore::open(&address).expect("opened");
    let old = decided("user:ada", "evt_old");
    store.apply(&samples::accepted(samples::new_event("evt_old"))).expect("applied");
    let mut follower = Follower::new(&store);
    for number in 0..3 {
        store.begin().expect("no group");
        store.apply(&decided("user:ada", &format!("evt_lost_{number}"))).expect("applied");
        store.rollback().expect("a group");
    }
    assert_eq!(follower.news(), []);
    // The next transactions and events get the numbers of those that nobody has committed.
    server.restart();
    while store.apply(&old) != Ok(Applied::Conflict(Conflict::Event)) {
        thread::sleep(Duration::from_millis(10));
    }
    store.apply(&later(1, "user:bob")).expect("applied");
    store.apply(&decided("user:eve", "evt_kept")).expect("applied");
    let told = follower.next();
    let of = |account: &str| told.iter().any(|(_, told, _)| told.as_deref() == Some(account));
    assert!(of("user:bob") && of("user:eve"), "{told:?}");
    assert_eq!(follower.news(), []);
}
