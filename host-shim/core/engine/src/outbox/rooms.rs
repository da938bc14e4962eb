//! Limits the concurrent calls of each provider and decides which call begins next. An effect is leased, and its call begun, only if
//! the provider has capacity, so a lease lasts as long as its call and a slow provider delays no others. Accounts take turns at each
//! provider: an account with many calls waits behind its own calls and does not delay other accounts.

use host_provider_api::{Registry, Room};
use std::collections::{BTreeMap, VecDeque};

/// How many of a provider's last calls are remembered with their accounts.
const RECENT: usize = 64;

/// The running and the last calls, by the number of the provider. Calls to simulations are not counted, since they take no time.
#[derive(Clone, Debug, Default)]
pub struct Rooms(BTreeMap<usize, Calls>);

#[derive(Clone, Debug, Default)]
struct Calls {
    running: usize,
    of_scope: BTreeMap<String, usize>,
    /// Scopes of the last calls, oldest first.
    recent: VecDeque<String>,
}

/// A provider's remaining capacity.
struct Left {
    calls: usize,
    per_account: usize,
    of_scope: BTreeMap<String, usize>,
}

impl Left {
    fn of(room: Room, calls: Option<&Calls>) -> Left {
        let running = calls.map_or(0, |calls| calls.running);
        Left {
            calls: room.at_once.saturating_sub(running).min(room.begins),
            per_account: room.per_account,
            of_scope: calls.map(|calls| calls.of_scope.clone()).unwrap_or_default(),
        }
    }

    /// Takes up the capacity for a call. Returns false if there is none.
    fn take(&mut self, scope: &str) -> bool {
        let of_scope = self.of_scope.entry(scope.to_owned()).or_default();
        if self.calls == 0 || *of_scope >= self.per_account {
            return false;
        }
        self.calls -= 1;
        *of_scope += 1;
        true
    }
}

impl Rooms {
    /// Counts a call that begins. Returns the number of its provider, for [`Rooms::leave`].
    pub fn enter(&mut self, registry: &Registry, kind: &str, scope: &str) -> Option<usize> {
        let (number, _) = registry.room(kind)?;
        registry.reserve(kind);
        self.give_turn(number, scope);
        let calls = self.0.entry(number).or_default();
        calls.running += 1;
        *calls.of_scope.entry(scope.to_owned()).or_default() += 1;
        Some(number)
    }

    /// Counts a turn of an account at a provider.
    pub(super) fn give_turn(&mut self, number: usize, scope: &str) {
        let calls = self.0.entry(number).or_default();
        if calls.recent.len() == RECENT {
            calls.recent.pop_front();
        }
        calls.recent.push_back(scope.to_owned());
    }

    /// Counts a call of a provider that has ended.
    pub fn leave(&mut self, number: usize, scope: &str) {
        let Some(calls) = self.0.get_mut(&number) else { return };
        calls.running = calls.running.saturating_sub(1);
        if let Some(of_scope) = calls.of_scope.get_mut(scope) {
            *of_scope = of_scope.saturating_sub(1);
            if *of_scope == 0 {
                calls.of_scope.remove(scope);
            }
        }
    }

    /// Returns true if a call may begin.
    pub(super) fn has_room(&self, registry: &Registry, kind: &str, scope: &str) -> bool {
        let Some((number, room)) = registry.room(kind) else { return true };
        let calls = self.0.get(&number);
        let (running, of_scope) =
            calls.map_or((0, 0), |calls| (calls.running, calls.of_scope.get(scope).copied().unwrap_or_default()));
        room.begins > 0 && running < room.at_once && of_scope < room.per_account
    }

    /// Returns true for a kind whose provider has no capacity.
    pub(super) fn is_busy(&self, registry: &Registry, kind: &str) -> bool {
        registry.room(kind).is_some_and(|(number, room)| Left::of(room, self.0.get(&number)).calls == 0)
    }

    /// Returns the milliseconds after which a provider that currently admits no call, because of its rate or an outage, admits one.
    pub(super) fn wait_ms<'k>(&self, registry: &Registry, kinds: impl Iterator<Item = &'k String>) -> Option<i64> {
        let rooms = kinds.filter_map(|kind| Some(registry.room(kind)?.1));
        rooms.filter(|room| room.begins == 0).map(|room| room.wait_ms.max(1)).min()
    }

    /// Chooses the calls that begin now, at most `limit`, with accounts taking turns. The waiting calls are given as kinds and scopes
    /// in time order. Returns their positions in this list.
    pub fn choose(&self, registry: &Registry, waiting: &[(&str, &str)], limit: usize) -> Vec<usize> {
        let room_of =
            |kind: &str| registry.room(kind).map_or((None, None), |(number, room)| (Some(number), Some(room)));
        let rooms: Vec<_> = waiting.iter().map(|(kind, _)| room_of(kind)).collect();
        let order = in_turn(waiting.iter().zip(&rooms).map(|((_, scope), (number, _))| {
            // A call that takes up no capacity needs no turn.
            number.map(|number| ((number, *scope), self.recent(number, scope)))
        }));
        let mut left: BTreeMap<usize, Left> = BTreeMap::new();
        let has_place = |place: &usize| match rooms[*place] {
            (Some(number), Some(room)) => {
                left.entry(number).or_insert_with(|| Left::of(room, self.0.get(&number))).take(waiting[*place].1)
            }
            _ => true,
        };
        order.into_iter().filter(has_place).take(limit).collect()
    }

    /// Returns how many of the last calls of a provider were of this scope.
    fn recent(&self, number: usize, scope: &str) -> usize {
        self.0.get(&number).map_or(0, |calls| calls.recent.iter().filter(|recent| *recent == scope).count())
    }
}

/// Returns the positions of the waiting calls in the order of their turns. For each call, `waiting` contains its queue and the number
/// of turns that the queue has had; none for a call that needs no turn and is among the first.
fn in_turn<Q: Ord>(waiting: impl Iterator<Item = Option<(Q, usize)>>) -> Vec<usize> {
    let mut before: BTreeMap<Q, usize> = BTreeMap::new();
    let mut turns: Vec<(usize, usize)> = Vec::new();
    for (place, one) in waiting.enumerate() {
        let turn = one.map_or(1, |(queue, had)| {
            let before = before.entry(queue).or_insert(had);
            *before += 1;
            *before
        });
        turns.push((turn, place));
    }
    turns.sort_unstable();
    turns.into_iter().map(|(_, place)| place).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use host_provider_api::{Call, CallOutcome, Provider};
    use serde_json::json;
    use std::sync::{Arc, Mutex};

    /// A provider with a capacity set by the test.
    struct Small(Mutex<Room>);

    impl Provider for Small {
        fn call(&self, _: &Call) -> CallOutcome {
            CallOutcome::Done(json!({}))
        }

        fn room(&self) -> Room {
            *self.0.lock().expect("no panic while locked")
        }
    }

    fn registry(room: Room) -> Registry {
        Registry::with_default(Arc::new(Small(Mutex::new(room))))
    }

    fn room(at_once: usize, per_account: usize) -> Room {
        Room { at_once, per_account, ..Room::default() }
    }

    /// Begins and ends those waiting calls of these scopes that are chosen. Returns their scopes in order.
    fn begin<'s>(rooms: &mut Rooms, registry: &Registry, waiting: &mut Vec<&'s str>) -> Vec<&'s str> {
        let calls: Vec<(&str, &str)> = waiting.iter().map(|scope| ("mail.send", *scope)).collect();
        let mut chosen = rooms.choose(registry, &calls, 99);
        let scopes: Vec<&str> = chosen.iter().map(|place| waiting[*place]).collect();
        chosen.sort_unstable();
        for place in chosen.into_iter().rev() {
            waiting.remove(place);
        }
        let entered: Vec<_> = scopes.iter().map(|scope| (rooms.enter(registry, "mail.send", scope), *scope)).collect();
        entered.into_iter().for_each(|(number, scope)| rooms.leave(number.expect("a provider"), scope));
        scopes
    }

    #[test]
    fn an_account_with_many_calls_waits_behind_its_own_also_if_one_call_begins_at_a_time() {
        let (mut rooms, registry) = (Rooms::default(), registry(room(1, 1)));
        let mut waiting = vec!["a"; 1_500];
        let mut begin = |waiting: &mut Vec<&'static str>| begin(&mut rooms, &registry, waiting)[0];
        assert_eq!([begin(&mut waiting), begin(&mut waiting)], ["a", "a"], "nobody else waits");
        waiting.extend(["b", "b", "b", "c"]);
        let next: Vec<&str> = (0..6).map(|_| begin(&mut waiting)).collect();
        assert_eq!(next, ["b", "c", "b", "a", "b", "a"]);
    }

    #[test]
    fn the_calls_that_begin_together_are_of_all_accounts_that_wait() {
        let (mut rooms, registry) = (Rooms::default(), registry(room(5, 3)));
        let mut waiting = [vec!["a"; 9], vec!["b", "b", "c"]].concat();
        assert_eq!(begin(&mut rooms, &registry, &mut waiting), ["a", "b", "c", "a", "b"]);
        assert_eq!(
            begin(&mut rooms, &registry, &mut waiting),
            ["a"; 3],
            "one account has at most its share of the room"
        );
    }

    #[test]
    fn concurrent_calls_are_limited_in_total_and_per_account() {
        let (mut rooms, registry) = (Rooms::default(), registry(room(3, 2)));
        let choose = |rooms: &Rooms, scopes: &[&str]| {
            let waiting: Vec<(&str, &str)> = scopes.iter().map(|scope| ("mail.send", *scope)).collect();
            rooms.choose(&registry, &waiting, 99)
        };
        assert_eq!(choose(&rooms, &["a"; 7]), [0, 1]);
        let numbers = [(); 2].map(|()| rooms.enter(&registry, "mail.send", "a").expect("a provider"));
        assert_eq!(choose(&rooms, &["a", "b", "b"]), [1]);
        assert!(!rooms.has_room(&registry, "mail.send", "a") && rooms.has_room(&registry, "mail.send", "b"));
        rooms.leave(numbers[0], "a");
        assert_eq!(choose(&rooms, &["a", "b", "b"]), [1, 2], "the other account has had no turn yet");
    }

    #[test]
    fn no_more_calls_begin_than_the_rate_admits() {
        let registry = registry(Room { begins: 2, ..Room::default() });
        let waiting = [("mail.send", "a"); 5];
        assert_eq!(Rooms::default().choose(&registry, &waiting, 99), [0, 1]);
    }
}
