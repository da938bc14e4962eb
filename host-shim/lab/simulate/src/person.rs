//! One customer of the simulation: what they do by chance, and what of it the host is told when.

use crate::catalog::Catalog;
use crate::moves::Move;
use crate::oracle::Share;
use crate::rates::{DAYS, LATE, RATES};
use crate::sandbox::SandboxError;
use crate::story::{Told, VERSIONS};
use crate::trade::{Deed, occasions};
use crate::traders::Traders;
use host_replay::shuffle::Random;
use std::collections::BTreeMap;

const DAY_S: i64 = 86_400;
/// Times of a day at which customers do something.
pub(crate) const HOURS: [i64; 3] = [5, 11, 17];
/// The longest that Stripe's event is late, in days: within what mails are sent after.
const LATE_DAYS: usize = 2;
/// Half of the customers are there from the beginning, the others come within so many days.
const COMING_DAYS: usize = 90;

/// What the host is told together: events in any order, then commands in theirs.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    pub events: Vec<Told>,
    pub commands: Vec<Told>,
}

/// A customer.
pub(crate) struct Person<'c> {
    pub traders: Traders<'c>,
    random: Random,
    /// The API version that all is told in.
    pub version: &'static str,
    /// The day of the first purchase.
    born: i64,
    /// What the catalog gives an occasion for, with its rate.
    rates: Vec<(Deed, usize)>,
    /// Events that are still to come, with the second from which on they may.
    withheld: Vec<(i64, Told)>,
    /// Nothing that depends on what the host knows is asked for before, in seconds.
    asks_from_s: i64,
    /// When something happens at Stripe next, in seconds; none if nothing is due in the time of the simulation.
    next_due_s: Option<i64>,
    end_s: i64,
    /// Something happened since the oracle judged last.
    pub is_active: bool,
    /// The day since which the host has had something to do for the account whenever the oracle was to judge.
    pub at_work_since: Option<i64>,
    /// A difference was found: nothing more is done or judged.
    pub is_wrong: bool,
    /// The shares of sales at the last judgement.
    pub shares: BTreeMap<String, Share>,
}

impl<'c> Person<'c> {
    /// Number `index` of the business, whose days depend on it and the seed alone.
    pub(crate) fn new(catalog: &'c Catalog, seed: u64, index: usize, end_s: i64) -> Result<Self, SandboxError> {
        let mut random = Random::new(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ (index as u64 + 1));
        let first = Move { kind: Deed::Buy, pick: 0, flags: random.below(1 << 16) as u16, pause: 0 };
        // No name begins another one: ids of commands are a name and a number.
        let mut traders = Traders::new(catalog, &format!("c{index:06}"), Some(&first))?;
        let version = VERSIONS[random.below(VERSIONS.len())];
        traders.at = traders.at.moved_by_others(version);
        let born = if random.below(2) == 0 { 0 } else { random.below(COMING_DAYS) as i64 };
        let known = occasions(catalog);
        let rates = RATES.into_iter().filter(|(deed, _)| known.iter().any(|(_, kind)| kind == deed)).collect();
        Ok(Person {
            traders,
            random,
            version,
            born,
            rates,
            withheld: Vec::new(),
            asks_from_s: 0,
            next_due_s: None,
            end_s,
            is_active: false,
            at_work_since: None,
            is_wrong: false,
            shares: BTreeMap::new(),
        })
    }

    /// What they do on a day, by number of the hour.
    pub(crate) fn moves_of(&mut self, day: i64) -> Vec<(usize, Move<Deed>)> {
        if day < self.born || self.is_wrong {
            return Vec::new();
        }
        let mut deeds = if day == self.born { vec![Deed::Buy] } else { Vec::new() };
        for (deed, rate) in &self.rates {
            if self.random.below(DAYS) < *rate {
                deeds.push(*deed);
            }
        }
        let mut made = |kind| {
            let (pick, flags) = (self.random.below(1 << 8) as u8, self.random.below(1 << 16) as u16);
            (self.random.below(HOURS.len()), Move { kind, pick, flags, pause: 0 })
        };
        let mut moves: Vec<(usize, Move<Deed>)> = deeds.into_iter().map(&mut made).collect();
        // Of what is paid in the second in which a plan ends nobody says whether the plan still allowed it, nor whether an
        // instance may be deleted that a payment of that second brings back.
        let ends = |it: &(usize, Move<Deed>)| matches!(it.1.kind, Deed::End | Deed::GiveUp | Deed::Delete);
        let of_end: Vec<usize> = moves.iter().filter(|it| ends(it)).map(|it| it.0).collect();
        moves.retain(|it| ends(it) || !of_end.contains(&it.0));
        moves
    }

    /// Whether anything is to be told by then without a move.
    pub(crate) fn has_due(&self, now_s: i64) -> bool {
        let is_due = |at: i64| at <= now_s;
        self.next_due_s.is_some_and(is_due) || self.withheld.iter().any(|(at, _)| is_due(*at))
    }

    /// Whether the oracle judges at the end of the day: something happened, or what Stripe says is not all that counts.
    pub(crate) fn is_to_be_judged(&self) -> bool {
        self.is_active || self.traders.oracle.is_past_due()
    }

    /// Whether Stripe has told more than the host has heard.
    pub(crate) fn is_withheld(&self) -> bool {
        !self.withheld.is_empty()
    }

    /// Whether a move can be foretold now. While something is withheld, only what happens at Stripe is: our side would
    /// judge by less than the oracle knows.
    pub(crate) fn may(&self, deed: Deed, now_s: i64) -> bool {
        let is_at_stripe = matches!(
            deed,
            Deed::Renew
                | Deed::Retry
                | Deed::GiveUp
                | Deed::ChangePlan
                | Deed::Undo
                | Deed::End
                | Deed::Refund
                | Deed::Decide
        );
        is_at_stripe || self.withheld.is_empty() && now_s >= self.asks_from_s
    }

    /// Time passes until a second; what is told by then.
    pub(crate) fn pass(&mut self, now_s: i64, catalog: &Catalog) -> Vec<Batch> {
        self.traders.at.stripe.advance_to(now_s);
        let mut late = Batch::default();
        let (due, waiting) = std::mem::take(&mut self.withheld).into_iter().partition(|(at, _)| *at <= now_s);
        self.withheld = waiting;
        let due: Vec<(i64, Told)> = due;
        if !due.is_empty() {
            self.traders.oracle.heard_late();
            let longest_ms = catalog.tokens.iter().map(|kind| kind.ttl_ms).max().unwrap_or(0);
            self.asks_from_s = now_s + longest_ms / 1_000;
        }
        late.events.extend(due.into_iter().map(|(_, told)| told));
        let mut out = vec![late];
        self.tell(now_s, &mut out);
        out
    }

    /// One move; what is told of it goes behind what is told already.
    pub(crate) fn act(&mut self, each: &Move<Deed>, now_s: i64, out: &mut Vec<Batch>) {
        self.traders.act(each);
        self.tell(now_s, out);
    }

    /// What happened is told; some of it later.
    fn tell(&mut self, now_s: i64, out: &mut Vec<Batch>) {
        self.traders.close();
        self.next_due_s = self.traders.at.stripe.next_due_s(self.end_s);
        for segment in self.traders.at.take_segments() {
            let mut events = Vec::with_capacity(segment.events.len());
            for told in segment.events {
                if self.random.below(1_000) < LATE {
                    let days = 1 + self.random.below(LATE_DAYS) as i64;
                    self.withheld.push((now_s + days * DAY_S, told));
                } else {
                    events.push(told);
                }
            }
            self.is_active |= !events.is_empty() || !segment.commands.is_empty();
            match out.last_mut().filter(|last| last.commands.is_empty()) {
                Some(last) => {
                    last.events.extend(events);
                    last.commands = segment.commands;
                }
                None => out.push(Batch { events, commands: segment.commands }),
            }
        }
    }
}
