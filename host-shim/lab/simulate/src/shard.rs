//! Simulates the customers of one host, day by day. They act three times a day; each time, the host receives the resulting events of
//! their Stripes, in any order. At the end of the day, all due events are delivered, and every account with activity is checked. The
//! other accounts are checked once a week, and one with delayed events or unfinished effects on the first day without them.

use crate::balance;
use crate::catalog::Catalog;
use crate::catalogs::{self, Catalogs};
use crate::creators::Creators;
use crate::house::CrashingHost;
use crate::judge::{Difference, Ledgers, judge, statuses};
use crate::oracle::Verdict;
use crate::person::{Batch, HOURS, Person};
use crate::provider::{FlakyProvider, LOOK_MS};
use crate::rates::{CRASHES, TWICE, WRITES};
use crate::record::Record;
use crate::repricing::{self, Repricing};
use crate::sales::{Sale, shares_of};
use crate::sandbox::START_MS;
use crate::simulate::{Counts, Found, Options, SimulateError};
use crate::story::Incoming;
use crate::trade::MoveKind;
use extension_contract::Account;
use host_engine::processor::Report;
use host_replay::shuffle::Random;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::ops::Range;

const HOUR_S: i64 = 3_600;
const DAY_S: i64 = 24 * HOUR_S;
/// Days between checks of an account without activity.
const WEEK: i64 = 7;
/// Maximum number of waits for answers of Stripe at the end of a day.
const LOOKS_MAX: usize = 4;
/// Number of days after which effects must have finished: all attempts end within hours.
const AT_WORK_DAYS: i64 = 3;
/// Number of days after the last day on which nobody acts.
pub(crate) const QUIET_DAYS: i64 = 4;
/// Statuses of instances that no longer exist.
const GONE: [&str; 2] = ["terminated", "deleted"];

/// Bodies of all customers that are delivered before effects run, with the index of the customer.
#[derive(Default)]
struct Round {
    events: Vec<(usize, Incoming)>,
    commands: Vec<(usize, Vec<Incoming>)>,
}

/// The customers of one host.
pub(crate) struct Shard<'c> {
    catalog: &'c Catalog,
    system: CrashingHost,
    provider: FlakyProvider,
    people: Vec<Person<'c>>,
    creators: Creators,
    repricing: Repricing,
    catalogs: Catalogs,
    /// Index of the customer by account.
    index: BTreeMap<String, usize>,
    /// Number of the first customer.
    first: usize,
    random: Random,
    day: i64,
    now_s: i64,
    counts: Counts,
    found: Vec<Found>,
    /// True after a difference across accounts.
    is_wrong: bool,
    /// True after the last day.
    has_ended: bool,
    /// Index of the recorded customer, and the record.
    record: Option<(usize, Record)>,
}

impl<'c> Shard<'c> {
    /// Creates the customers with these numbers. `recorded` is the number of the customer to record.
    pub(crate) fn new(
        catalog: &'c Catalog,
        options: &Options,
        setup: &host_business::Setup,
        numbers: Range<usize>,
        recorded: Option<usize>,
    ) -> Result<Self, SimulateError> {
        let end_s = START_MS / 1_000 + (i64::from(options.days) + QUIET_DAYS + 1) * DAY_S;
        let repricing = Repricing::new(catalog);
        let catalogs = Catalogs::new(catalog, &options.business.catalog);
        let of = |index| {
            Person::new(catalog.of_customer(index), (&repricing.prices, &catalogs.on_sale), options.seed, index, end_s)
        };
        let people = numbers.clone().map(of).collect::<Result<Vec<_>, _>>()?;
        let scope = |person: &Person<'_>| format!("{}/test/{}", setup.business().name, person.driver.customer.account);
        let log = recorded.and_then(|index| people.get(index - numbers.start)).map(scope);
        let provider = FlakyProvider::new(options.seed, log);
        let system = CrashingHost::start(setup.clone(), options.runners.clone(), provider.clone(), START_MS)?;
        provider.wake();
        let mut random = Random::new(options.seed.rotate_left(32) ^ numbers.start as u64);
        let creators = Creators::new(catalog, &mut random)?;
        for person in &people {
            provider.connect(scope(person), person.driver.customer.stripe.clone());
        }
        for creator in &creators.all {
            provider.connect(format!("{}/test/{}", setup.business().name, creator.account), creators.stripe.clone());
        }
        let index =
            people.iter().enumerate().map(|(at, person)| (person.driver.customer.account.to_string(), at)).collect();
        Ok(Shard {
            catalog,
            system,
            provider,
            people,
            creators,
            repricing,
            catalogs,
            index,
            first: numbers.start,
            random,
            day: 0,
            now_s: START_MS / 1_000,
            counts: Counts { customers: numbers.len() as u64, ..Counts::default() },
            found: Vec::new(),
            is_wrong: false,
            has_ended: false,
            record: recorded.map(|index| (index - numbers.start, Record::default())),
        })
    }

    /// Runs one day.
    pub(crate) fn day(&mut self) -> Result<(), SimulateError> {
        let begins_s = START_MS / 1_000 + self.day * DAY_S;
        let mut moves: Vec<_> = self.people.iter_mut().map(|person| person.moves_of(self.day)).collect();
        for (hour, from) in HOURS.iter().enumerate() {
            let now_s = begins_s + from * HOUR_S + self.random.below(4 * HOUR_S as usize) as i64;
            self.system.advance_to(now_s * 1_000)?;
            let mut incoming = Vec::with_capacity(self.people.len());
            for (at, moves) in moves.iter_mut().enumerate() {
                let of_hour = moves.iter().filter(|(when, _)| *when == hour).map(|(_, each)| *each).collect::<Vec<_>>();
                let person = &mut self.people[at];
                if person.is_waiting && !person.is_withheld() {
                    person.is_waiting = self.system.at_work(&person.driver.customer.account)?.is_some();
                }
                if of_hour.is_empty() && !person.has_due(now_s) {
                    continue;
                }
                let mut batches = person.pass(now_s, self.catalog);
                for each in of_hour {
                    // A manual step waits for the effects before it.
                    let account = &person.driver.customer.account;
                    let is_early = each.kind == MoveKind::ByHand && self.system.at_work(account)?.is_some();
                    if !is_early && person.may(each.kind, now_s) {
                        person.act(&each, now_s, &mut batches);
                        self.counts.moves += 1;
                    }
                }
                incoming.push((at, batches));
            }
            if self.creators.has_due(self.day) {
                incoming.push((self.people.len(), self.creators.pass(self.day, now_s)));
            }
            self.deliver(now_s, incoming)?;
            self.answer();
        }
        self.creators.reverse(&mut self.random);
        self.reprice(begins_s + DAY_S - 600)?;
        self.end(begins_s + DAY_S - 600, false)?;
        self.day += 1;
        self.counts.days += self.people.len() as u64;
        Ok(())
    }

    /// Changes prices and the catalog. Nobody acts at this time, so each use is before or after the change.
    fn reprice(&mut self, now_s: i64) -> Result<(), SimulateError> {
        self.system.advance_to(now_s * 1_000)?;
        let mut batch = self.repricing.pass(now_s, &self.creators, &mut self.random);
        batch.commands.extend(self.catalogs.pass(self.catalog, &self.repricing, now_s, &mut self.random).commands);
        if batch.commands.is_empty() {
            return Ok(());
        }
        // The place behind the customers and the creators is that of everybody.
        self.deliver(now_s, vec![(self.people.len() + 1, vec![batch])])
    }

    /// Ends the simulation. For some days nobody acts, nothing fails and no event is late; then nothing may be
    /// outstanding. Checks every account, and the accounts together.
    pub(crate) fn last(&mut self) -> Result<(), SimulateError> {
        self.provider.calm();
        self.people.iter_mut().for_each(|person| person.is_quiet = true);
        self.has_ended = true;
        let ends_s = START_MS / 1_000 + self.day * DAY_S;
        for day in 0..QUIET_DAYS {
            self.end(ends_s + day * DAY_S, day + 1 == QUIET_DAYS)?;
        }
        Ok(())
    }

    /// Ends the day: delivers everything due, then checks accounts.
    fn end(&mut self, at_s: i64, is_for_all: bool) -> Result<(), SimulateError> {
        let mut now_s = at_s;
        for _ in 0..LOOKS_MAX {
            self.system.advance_to(now_s * 1_000)?;
            self.note();
            let is_turn = |at: usize| (self.day + at as i64) % WEEK == 0;
            let mut incoming = Vec::new();
            for (at, person) in self.people.iter_mut().enumerate() {
                if is_for_all || is_turn(at) || person.has_due(now_s) || person.is_to_be_judged() {
                    person.is_active = true;
                    incoming.push((at, person.pass(now_s, self.catalog)));
                }
            }
            if self.creators.stripe.has_new() {
                incoming.push((self.people.len(), self.creators.pass(self.day, now_s)));
            }
            self.deliver(now_s, incoming)?;
            let is_more =
                self.creators.stripe.has_new() || self.people.iter().any(|it| it.driver.customer.stripe.has_new());
            if !self.answer() && !is_more {
                break;
            }
            now_s += LOOK_MS / 1_000 + 1;
        }
        self.judge(is_for_all && self.has_ended)
    }

    /// Delivers bodies in rounds. A round delivers the events of all customers in any order, some of them twice, then
    /// the commands. The host may crash in a round.
    fn deliver(&mut self, now_s: i64, incoming: Vec<(usize, Vec<Batch>)>) -> Result<(), SimulateError> {
        self.now_s = now_s;
        let crashes = self.system.crashes();
        if self.random.below(100) < CRASHES {
            let write = self.random.below(WRITES) as u64 + 1;
            self.system.die_at(write, self.random.below(2) == 0);
        }
        let mut rounds: Vec<Round> = Vec::new();
        for (at, batches) in incoming {
            for (round, batch) in batches.into_iter().enumerate() {
                if rounds.len() <= round {
                    rounds.push(Round::default());
                }
                let Round { events, commands } = &mut rounds[round];
                for event in batch.events {
                    if self.random.below(1_000) < TWICE {
                        self.counts.repeated += 1;
                        events.push((at, event.of_other_endpoint()));
                    }
                    events.push((at, event));
                }
                if !batch.commands.is_empty() {
                    commands.push((at, batch.commands));
                }
            }
        }
        for Round { mut events, mut commands } in rounds {
            self.random.shuffle(&mut events);
            self.random.shuffle(&mut commands);
            events.iter().try_for_each(|(at, event)| self.accept(*at, event))?;
            self.system.settle()?;
            commands.iter().try_for_each(|(at, all)| all.iter().try_for_each(|command| self.accept(*at, command)))?;
            self.system.settle()?;
        }
        self.system.live();
        for (scope, instance) in self.provider.take_refused() {
            let account = scope.splitn(3, '/').nth(2).unwrap_or_default();
            if let Some(at) = self.index.get(account) {
                self.people[*at].driver.oracle.could_not_create(&instance);
            }
        }
        if let Some((_, record)) = self.record.as_mut().filter(|_| self.system.crashes() > crashes) {
            record.until(now_s * 1_000);
            record.restarted();
        }
        self.note();
        Ok(())
    }

    fn accept(&mut self, at: usize, incoming: &Incoming) -> Result<(), SimulateError> {
        // The creators come after the customers.
        let body = match self.people.get(at) {
            Some(person) => person.body(incoming),
            None => incoming.in_version(self.creators.version),
        };
        let is_for_all = at > self.people.len();
        self.counts.events += 1;
        if let Some((_, record)) = self.record.as_mut().filter(|(of, _)| *of == at || is_for_all) {
            record.until(self.now_s * 1_000);
            record.deliver(body);
        }
        self.system.accept(body)
    }

    /// Answers the calls of the host to Stripe. Returns false if there were none.
    fn answer(&mut self) -> bool {
        let asked = self.provider.take_asked();
        for call in &asked {
            let account = call.scope.splitn(3, '/').nth(2).unwrap_or_default();
            let id = call.text("id").unwrap_or_default();
            let now_s = self.system.clock() / 1_000;
            let found = self.index.get(account).and_then(|at| {
                let person = &mut self.people[*at];
                // The answer shows the state at this time. The events until this time are delivered later.
                person.driver.customer.stripe.advance_to(now_s);
                let version = person.version_of(&call.key);
                let object = person.driver.customer.stripe.retrieve(id, version)?;
                Some(json!({"date_ms": now_s * 1_000, "api_version": version, "object": object}))
            });
            self.provider.answer(call, found.unwrap_or(Value::Null));
        }
        !asked.is_empty()
    }

    /// Checks the reports of the host against the expected verdicts.
    fn note(&mut self) {
        for report in self.system.take_reports() {
            self.counts.decisions += 1;
            let at = report.account.as_ref().and_then(|account| self.index.get(&account.to_string())).copied();
            if let Some(at) = at {
                self.people[at].is_active |= report.result.name() != "duplicate";
            }
            if let Some(difference) = self.wrong_of(at, &report) {
                self.differs(at, difference);
            }
        }
    }

    fn wrong_of(&mut self, at: Option<usize>, report: &Report) -> Option<Difference> {
        let (name, reason) = (report.result.name(), report.result.reason().unwrap_or_default());
        let found = || if reason.is_empty() { name.to_owned() } else { format!("{name} ({reason})") };
        let what = || format!("{} {}", report.kind, report.event_id);
        if name == "failed" {
            return Some(Difference::new(what(), "an outcome", found()));
        }
        if report.source == "stripe" && name == "rejected" {
            return Some(Difference::new(what(), "taken", found()));
        }
        if name == "duplicate" && report.alert {
            return Some(Difference::new(what(), "a new id, or the same event", found()));
        }
        let is_of_operators =
            [repricing::ID_PREFIX, catalogs::ID_PREFIX].iter().any(|it| report.event_id.starts_with(it));
        if is_of_operators && name == "rejected" {
            return Some(Difference::new(what(), "applied", found()));
        }
        if report.later || name == "duplicate" {
            return None;
        }
        let verdict = self.people[at?].driver.verdicts.remove(&report.event_id)?;
        let expected = if verdict == Verdict::Applied { "applied" } else { "rejected" };
        (name != expected).then(|| Difference::new(what(), expected, found()))
    }

    fn differs(&mut self, at: Option<usize>, difference: Difference) {
        let account = match at {
            Some(at) if std::mem::replace(&mut self.people[at].is_wrong, true) => return,
            None if std::mem::replace(&mut self.is_wrong, true) => return,
            Some(at) => self.people[at].driver.customer.account.to_string(),
            None => "all accounts".to_owned(),
        };
        let customer = at.map(|at| at + self.first);
        let clock = self.system.clock();
        let day = if self.has_ended { self.day - 1 } else { self.day };
        self.found.push(Found { day, clock, account, customer, difference });
    }

    /// Checks every account with activity, then the ledgers across accounts.
    fn judge(&mut self, is_last: bool) -> Result<(), SimulateError> {
        let mut is_open = false;
        for at in 0..self.people.len() {
            let person = &mut self.people[at];
            if person.is_withheld() {
                is_open = true;
            }
            if person.is_withheld() || !person.is_active || person.is_wrong {
                continue;
            }
            let account = person.driver.customer.account.clone();
            if let Some(effect) = self.system.at_work(&account)? {
                is_open = true;
                if self.day - *person.at_work_since.get_or_insert(self.day) >= AT_WORK_DAYS {
                    let should_be = format!("done within {AT_WORK_DAYS} days");
                    self.differs(Some(at), Difference::new(effect, should_be, "still at work"));
                }
                continue;
            }
            person.at_work_since = None;
            if let Err(difference) = self.judge_one(at, &account) {
                self.differs(Some(at), difference);
            }
        }
        for creator in &self.creators.all {
            is_open |= self.system.at_work(&creator.account)?.is_some();
        }
        is_open |= self.creators.stripe.has_new();
        if is_last && is_open {
            let should_be = format!("nothing after {QUIET_DAYS} days");
            self.differs(None, Difference::new("what is outstanding", should_be, "events or effects"));
        }
        let is_sure = !is_open && !self.is_wrong && !self.people.iter().any(|person| person.is_wrong);
        let ledgers = Ledgers::of(self.system.processor().store());
        let held = ledgers.and_then(|ledgers| {
            // Since debts equal claims, the shares that accounts owe determine the shares of the creators.
            ledgers.check_sums()?;
            if is_sure {
                self.counts.across += 1;
                self.judge_shares(&ledgers);
                let sales: Vec<Sale> = self.people.iter().flat_map(|person| person.sales.iter().cloned()).collect();
                self.creators.check(&ledgers, &sales, self.system.clock() / 1_000)?;
            }
            Ok(())
        });
        if let Err(difference) = held {
            self.differs(None, difference);
        }
        Ok(())
    }

    /// Checks the shares that accounts owe to creators.
    fn judge_shares(&mut self, ledgers: &Ledgers) {
        // An account without a ledger can have expected shares too.
        let mut accounts = ledgers.accounts();
        accounts.extend(self.index.keys().map(String::as_str));
        let judged = accounts.into_iter().filter_map(|account| {
            let at = self.index.get(account).copied();
            let shares = at.map(|at| shares_of(&self.people[at].sales)).unwrap_or_default();
            Some((at, ledgers.check_owed_shares(account, &shares).err()?))
        });
        for (at, difference) in judged.collect::<Vec<_>>() {
            self.differs(at, difference);
        }
    }

    fn judge_one(&mut self, at: usize, account: &Account) -> Result<(), Difference> {
        self.counts.judged += 1;
        let person = &mut self.people[at];
        person.is_active = false;
        let expected = person.driver.expects();
        let processor = self.system.processor_mut();
        let scope = processor.scope(account.clone());
        let (now, done) = (person.driver.customer.stripe.now_s() * 1_000, self.provider.done(&scope.name()));
        judge(processor, &done, account, now, &expected)?;
        if let Some(closing) = &person.driver.oracle.closing {
            closing.check(&person.driver.customer.stripe)?;
        }
        balance::check_credits(&person.driver.customer.stripe, &done)?;
        balance::check(processor.store(), &scope, &person.driver.customer.stripe, &person.driver.oracle)?;
        if person.driver.oracle.has_unsure() {
            let statuses = statuses(processor.store(), &scope)?;
            let is_gone = |id: &str| statuses.get(id).is_none_or(|status| GONE.contains(&status.as_str()));
            person.driver.oracle.forget(is_gone);
        }
        person.sales = expected.sales;
        Ok(())
    }

    /// Returns the counts and the differences.
    pub(crate) fn end_of_all(self) -> (Counts, Vec<Found>) {
        let (crashes, faults, unknown) = (self.system.crashes(), self.provider.faults(), self.provider.unknown());
        let refunds = |person: &Person<'_>| person.driver.customer.stripe.all("refund").len() as u64;
        let refunds = self.people.iter().map(refunds).sum();
        let transfers = self.creators.stripe.all("transfer").len() as u64;
        (Counts { crashes, faults, unknown, refunds, transfers, ..self.counts }, self.found)
    }

    /// True if a difference of a customer was found.
    pub(crate) fn has_found(&self, customer: usize) -> bool {
        self.found.iter().any(|found| found.customer == Some(customer))
    }

    /// Returns the recorded customer as a scenario of the business in `folder`; None without a record, or if no scenario can
    /// express the difference.
    pub(crate) fn scenario(&mut self, found: &Found, folder: &str) -> Option<Value> {
        let (at, mut record) = self.record.take()?;
        let driver = &self.people[at].driver;
        record.until(driver.customer.stripe.now_s() * 1_000);
        let account = found.account.as_str();
        let name = format!("{} on day {}: {}", account, found.day, found.difference.what);
        let of = (folder, account, self.people[at].version_of(""));
        record.scenario(&name, of, self.provider.log(), &driver.expects(), &found.difference)
    }
}
