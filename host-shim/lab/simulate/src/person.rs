//! One customer of the simulation: chooses moves at random, and delivers the resulting events to the host, some late.

use crate::catalog::Catalog;
use crate::catalogs::OnSale;
use crate::moves::Move;
use crate::rates::{DAYS, LATE, RATES};
use crate::repricing::UsePrices;
use crate::sales::Sale;
use crate::sandbox::{START_MS, SandboxError};
use crate::story::{Incoming, VERSIONS, mixed_versions};
use crate::trade::{MoveKind, SIMULATED, possible_moves};
use crate::traders::AccountDriver;
use host_replay::shuffle::Random;

const DAY_S: i64 = 86_400;
/// Hours of a day at which customers act.
pub(crate) const HOURS: [i64; 3] = [5, 11, 17];
/// Maximum delay of an event of Stripe, in days. Shorter than the default of `mail_within` in a catalog (3 days), so
/// that late events still cause mails.
const LATE_DAYS: usize = 2;
/// Half of the customers start on the first day, the other customers within this many days.
const COMING_DAYS: usize = 90;

/// Bodies delivered together: events in any order, then commands in order.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    pub events: Vec<Incoming>,
    pub commands: Vec<Incoming>,
}

/// A customer of the simulation.
pub(crate) struct Person<'c> {
    pub driver: AccountDriver<'c>,
    random: Random,
    /// API version of all bodies; None for a stream of events with several versions.
    version: Option<&'static str>,
    /// Day of the first purchase, from 0.
    born: i64,
    /// Kinds of moves that the catalog allows, with their rates.
    rates: Vec<(MoveKind, usize)>,
    /// Delayed events, with the second of their delivery.
    withheld: Vec<(i64, Incoming)>,
    /// Time in seconds from which moves may depend on the host's state again after a late event.
    asks_from_s: i64,
    /// Day on which the customer leaves, before the events of the last purchase arrive.
    leaves: Option<i64>,
    /// Second of the next due action at Stripe; None if no action is due until the end.
    next_due_s: Option<i64>,
    end_s: i64,
    /// True if the account had activity since the last check.
    pub is_active: bool,
    /// True while a refund that was asked for is not decided.
    pub is_waiting: bool,
    /// True at the end of the simulation: no event is late.
    pub is_quiet: bool,
    /// First day of consecutive checks at which the host had unfinished effects.
    pub at_work_since: Option<i64>,
    /// True after a difference. Then the customer makes no moves and is not checked.
    pub is_wrong: bool,
    /// Sales with shares for creators at the last check.
    pub sales: Vec<Sale>,
}

/// True for a move that changes what a subscription has, or pays for a change.
fn is_change(kind: MoveKind) -> bool {
    matches!(
        kind,
        MoveKind::ChangePlan
            | MoveKind::ChangeTier
            | MoveKind::ChangeQuantity
            | MoveKind::AddItem
            | MoveKind::RemoveItem
            | MoveKind::PayBill
            | MoveKind::Retry
    )
}

impl<'c> Person<'c> {
    /// Creates customer number `index`. The behaviour of the customer depends only on this number and the seed.
    pub(crate) fn new(
        catalog: &'c Catalog,
        (prices, on_sale): (&UsePrices, &OnSale),
        seed: u64,
        index: usize,
        end_s: i64,
    ) -> Result<Self, SandboxError> {
        let mut random = Random::new(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ (index as u64 + 1));
        let first = Move { kind: MoveKind::Buy, pick: 0, flags: random.below(1 << 16) as u16, pause: 0 };
        // No name is a prefix of another: command ids are a name and a number.
        let mut driver = AccountDriver::new(catalog, &format!("c{index:06}"), Some(&first))?;
        let version = VERSIONS.get(random.below(VERSIONS.len() + 1)).copied();
        driver = driver.simulated(prices.clone(), on_sale.clone());
        driver.customer = driver.customer.moved_by_others(version);
        let born = if random.below(2) == 0 { 0 } else { random.below(COMING_DAYS) as i64 };
        let known = possible_moves(catalog);
        let is_possible = |of: &MoveKind| SIMULATED.contains(of) || known.iter().any(|(_, kind)| kind == of);
        let rates = RATES.into_iter().filter(|(move_kind, _)| is_possible(move_kind)).collect();
        Ok(Person {
            driver,
            random,
            version,
            born,
            rates,
            withheld: Vec::new(),
            asks_from_s: 0,
            leaves: None,
            next_due_s: None,
            end_s,
            is_active: false,
            is_waiting: false,
            is_quiet: false,
            at_work_since: None,
            is_wrong: false,
            sales: Vec::new(),
        })
    }

    /// The API version of an answer to a request with this key.
    pub(crate) fn version_of(&self, key: &str) -> &'static str {
        self.version.unwrap_or(mixed_versions(key)[0])
    }

    /// The body of an event or command.
    pub(crate) fn body<'i>(&self, incoming: &'i Incoming) -> &'i str {
        incoming.in_version(self.version.unwrap_or_default())
    }

    /// The moves of a day, with the index of their hour.
    pub(crate) fn moves_of(&mut self, day: i64) -> Vec<(usize, Move<MoveKind>)> {
        if day < self.born || self.is_wrong {
            return Vec::new();
        }
        let mut kinds = if day == self.born { vec![MoveKind::Buy] } else { Vec::new() };
        for (move_kind, rate) in &self.rates {
            if self.random.below(DAYS) < *rate {
                kinds.push(*move_kind);
            }
        }
        if self.leaves == Some(day) {
            kinds = vec![MoveKind::Close];
        }
        let mut made = |kind| {
            let (pick, flags) = (self.random.below(1 << 8) as u8, self.random.below(1 << 16) as u16);
            (self.random.below(HOURS.len()), Move { kind, pick, flags, pause: 0 })
        };
        let mut moves: Vec<(usize, Move<MoveKind>)> = kinds.into_iter().map(&mut made).collect();
        // A payment or deletion in the same second as the end of a plan has no defined result. So a move that ends
        // a subscription or deletes an instance shares its hour only with moves of these kinds.
        let ends = |it: &(usize, Move<MoveKind>)| {
            matches!(it.1.kind, MoveKind::End | MoveKind::GiveUp | MoveKind::Delete | MoveKind::Close)
        };
        let of_end: Vec<usize> = moves.iter().filter(|it| ends(it)).map(|it| it.0).collect();
        moves.retain(|it| ends(it) || !of_end.contains(&it.0));
        // The order of two changes in one second can't be told from their events.
        let mut changed: Vec<usize> = Vec::new();
        moves.retain(|it| {
            let is_first = !changed.contains(&it.0);
            changed.extend(is_change(it.1.kind).then_some(it.0));
            is_first || !is_change(it.1.kind)
        });
        moves
    }

    /// True if an action at Stripe or a delayed event is due at `now_s`, or Stripe has new events.
    pub(crate) fn has_due(&self, now_s: i64) -> bool {
        let is_due = |at: i64| at <= now_s;
        self.driver.customer.stripe.has_new()
            || self.is_quiet
            || self.next_due_s.is_some_and(is_due)
            || self.withheld.iter().any(|(at, _)| is_due(*at))
    }

    /// True if the account is checked at the end of the day: it had activity, or a subscription is past due.
    pub(crate) fn is_to_be_judged(&self) -> bool {
        self.is_active || self.driver.oracle.is_past_due()
    }

    /// True if the host has not received all events: some are delayed, or Stripe has new events.
    pub(crate) fn is_withheld(&self) -> bool {
        !self.withheld.is_empty() || self.driver.customer.stripe.has_new()
    }

    /// True if the oracle can predict a move now. While events are delayed, it can only predict moves at Stripe, since
    /// the host knows less than the oracle. While a refund is decided, the amount of credits is open, and
    /// so is the amount that can be refunded.
    pub(crate) fn may(&self, move_kind: MoveKind, now_s: i64) -> bool {
        let is_at_stripe = matches!(
            move_kind,
            MoveKind::Renew
                | MoveKind::Retry
                | MoveKind::GiveUp
                | MoveKind::ChangePlan
                | MoveKind::ChangeTier
                | MoveKind::ChangeQuantity
                | MoveKind::AddItem
                | MoveKind::RemoveItem
                | MoveKind::PayBill
                | MoveKind::Undo
                | MoveKind::End
                | MoveKind::Refund
                | MoveKind::Decide
                | MoveKind::Close
                | MoveKind::BuyAndLeave
                | MoveKind::GiveBalance
        );
        if self.is_waiting && move_kind == MoveKind::Refund {
            return false;
        }
        let is_on_credit = || self.driver.is_on_credit();
        is_at_stripe || self.withheld.is_empty() && !self.is_waiting && now_s >= self.asks_from_s && !is_on_credit()
    }

    /// Advances the clock to `now_s`. Returns the bodies to deliver.
    pub(crate) fn pass(&mut self, now_s: i64, catalog: &Catalog) -> Vec<Batch> {
        self.driver.customer.stripe.advance_to(now_s);
        let mut late = Batch::default();
        let (due, waiting) =
            std::mem::take(&mut self.withheld).into_iter().partition(|(at, _)| self.is_quiet || *at <= now_s);
        self.withheld = waiting;
        let due: Vec<(i64, Incoming)> = due;
        if !due.is_empty() {
            self.driver.oracle.mark_unsure();
            let longest_ms = catalog.tokens.iter().map(|kind| kind.ttl_ms).max().unwrap_or(0);
            self.asks_from_s = now_s + longest_ms / 1_000;
        }
        late.events.extend(due.into_iter().map(|(_, incoming)| incoming));
        let mut out = vec![late];
        self.collect(now_s, &mut out);
        out
    }

    /// Plays one move, and appends the resulting bodies to `out`.
    pub(crate) fn act(&mut self, each: &Move<MoveKind>, now_s: i64, out: &mut Vec<Batch>) {
        if each.kind == MoveKind::BuyAndLeave {
            return self.buy_and_leave(each, now_s);
        }
        self.driver.act(each);
        self.is_waiting |= each.kind == MoveKind::AskRefund;
        self.collect(now_s, out);
        if each.kind == MoveKind::Close && !self.withheld.is_empty() {
            self.driver.close_before_told();
        }
    }

    /// Subscribes for a year. The events of the purchase arrive after the customer has left, on the next day.
    fn buy_and_leave(&mut self, each: &Move<MoveKind>, now_s: i64) {
        if self.driver.oracle.closing.is_some() || !self.driver.subscribe_yearly(each) {
            return;
        }
        self.driver.close();
        let until_s = now_s + LATE_DAYS as i64 * DAY_S;
        for segment in self.driver.customer.take_segments() {
            self.withheld.extend(segment.events.into_iter().map(|event| (until_s, event)));
        }
        self.next_due_s = self.driver.customer.stripe.next_due_s(self.end_s);
        self.leaves = Some((now_s - START_MS / 1_000) / DAY_S + 1);
        self.is_active = true;
    }

    /// Collects the bodies since the last call, and delays some events.
    fn collect(&mut self, now_s: i64, out: &mut Vec<Batch>) {
        self.driver.close();
        self.next_due_s = self.driver.customer.stripe.next_due_s(self.end_s);
        for segment in self.driver.customer.take_segments() {
            let mut events = Vec::with_capacity(segment.events.len());
            for incoming in segment.events {
                if !self.is_quiet && self.random.below(1_000) < LATE {
                    let days = 1 + self.random.below(LATE_DAYS) as i64;
                    self.withheld.push((now_s + days * DAY_S, incoming));
                } else {
                    events.push(incoming);
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
