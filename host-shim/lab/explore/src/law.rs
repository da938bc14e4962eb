//! The laws that every variant of a story must keep, and the comparison of a run with the written one.

mod charges;
mod money;
mod requests;
mod shares;

use crate::stage::{Mark, Stage, accounts};
use charges::Charges;
use extension_contract::{Account, Outcome, Payload, Timestamp};
use host_provider_api::scripted::Resource;
use host_replay::rig::Rig;
use host_replay::{play, state, view};
use host_scenario::error::ReplayError;
use host_store::{EffectState, InboxRow, Scope, TIMER};
use money::{Movement, Payments};
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// A law: a condition that every run must meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Law {
    /// Every event must end with an outcome.
    Outcome,
    /// Every command must be answered.
    Answered,
    /// The state must equal that of the written story.
    SameState,
    /// The standing (entitlements, balances and, for most variants, claims) must equal that of the written story.
    SameStanding,
    /// The same effects must be requested under the same keys.
    SameEffects,
    /// No effect may succeed twice under two keys.
    AskedOnce,
    /// The resources at the providers must match the recorded inventory.
    Inventory,
    /// Every ledger must sum to zero.
    Balanced,
    /// No balance that is positive in the written story may become negative.
    NotNegative,
    /// The same movements of money must be requested.
    SameMoney,
    /// No more of a payment may be refunded or passed on than was received.
    Received,
    /// Nobody may be charged more for use than the price that was in force at the time of the use.
    PriceInForce,
    /// The final expectations of the scenario must hold.
    Expected,
    /// Nothing may be granted without payment, and nothing paid for may be taken away.
    Paid,
    /// Everybody who should be notified is, and nobody is notified of something that is not true.
    Heard,
    /// A catalog change must not move money or change anything already sold.
    Sold,
    /// Nothing that has ended may leave anything behind, at the providers or in rows.
    Left,
    /// A command must not change anything that it does not mention.
    Unnamed,
    /// Stripe must accept each requested amount.
    Sendable,
    /// Each creator must be owed their share of the sales.
    Shared,
}

impl fmt::Display for Law {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Law::Outcome => "every event ends with an outcome",
            Law::Answered => "every command is answered",
            Law::SameState => "the state is the same",
            Law::SameStanding => "entitlements, balances and names are the same",
            Law::SameEffects => "the same effects are requested",
            Law::AskedOnce => "no effect is carried out twice under two keys",
            Law::Inventory => "the inventory of providers equals our record",
            Law::Balanced => "every ledger sums to zero",
            Law::NotNegative => "no balance falls below zero",
            Law::SameMoney => "the same money moves",
            Law::Received => "no more money moves than was received",
            Law::PriceInForce => "nobody is charged more than the price in force",
            Law::Expected => "the expectations of the scenario hold",
            Law::Paid => "what is paid for gives what it should, and nothing else does",
            Law::Heard => "whoever should hear of something does, and nobody else",
            Law::Sold => "a change of the catalog changes nothing that was sold",
            Law::Left => "nothing is left of what has ended",
            Law::Unnamed => "what a command does not name stays",
            Law::Sendable => "Stripe accepts each requested amount",
            Law::Shared => "each creator is owed the share of what was sold",
        })
    }
}

/// A broken law.
#[derive(Clone, Debug, PartialEq)]
pub struct Breach {
    /// The law.
    pub law: Law,
    /// The difference, in one line.
    pub what: String,
    /// Expected and actual value, if the law compares values.
    pub values: Option<(Value, Value)>,
}

impl Breach {
    /// Creates a breach without values.
    pub fn new(law: Law, what: impl Into<String>) -> Breach {
        Breach { law, what: what.into(), values: None }
    }
}

/// Selects the laws that compare a run with its reference; the other laws always apply.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Laws {
    /// [`Law::SameState`].
    pub state: bool,
    /// [`Law::SameStanding`]; includes claims only with `names`.
    pub standing: bool,
    /// Whether [`Law::SameStanding`] includes claims. The claims of an instance depend on whether the instance ever
    /// ran.
    pub names: bool,
    /// [`Law::SameEffects`].
    pub effects: bool,
    /// [`Law::SameMoney`].
    pub money: bool,
    /// [`Law::Expected`].
    pub expected: bool,
    /// The extension accepted commands that the reference refuses. Such a command can wait for its own effect, and request an effect a
    /// second time, so [`Law::Answered`] leaves it out and [`Law::AskedOnce`] does not apply.
    pub other_commands: bool,
}

/// Account, key and generation of an effect.
type EffectId = (Option<Account>, String, u32);
/// An effect without its key: account, and kind with payload.
type Group = (String, String);

/// A finished run that other runs are compared with.
pub struct Reference {
    mark: Mark,
    standing: Value,
    asked: BTreeSet<(Account, String)>,
    groups: BTreeMap<Group, BTreeSet<String>>,
    /// Names of the balances above zero.
    positive: BTreeSet<String>,
    stray: BTreeSet<String>,
    movements: Vec<Movement>,
    /// The breach of a law that applies to every run, not only in a comparison.
    breach: Option<Breach>,
    requested: BTreeSet<(String, u32)>,
    /// The requested movements of money, including those that the provider refused.
    amounts: Vec<Movement>,
    /// Ids of the events that were ignored.
    ignored: BTreeSet<String>,
    results: BTreeMap<EffectId, (u32, Timestamp)>,
    running: Value,
    /// Usage of all accounts that was not paid with credits, in millionths.
    open_use: i128,
    /// Cost of the usage in the closed months, and the part that credits paid.
    closed_use: (i128, i128),
    expectations_hold: bool,
}

impl Reference {
    /// Takes the finished run of the stage as the reference.
    ///
    /// # Errors
    ///
    /// Fails if the store or the extension fails.
    pub fn here(stage: &mut Stage<'_>) -> Result<Reference, ReplayError> {
        let (scenario, case) = (stage.tale.scenario.clone(), stage.tale.case.clone());
        let mark = stage.mark()?;
        let host = stage.host();
        let movements = money::movements(host)?;
        let reference = Reference {
            standing: standing(host)?,
            breach: of_run(host, &movements, &money::amounts(host)?)?,
            movements,
            requested: requested(host)?,
            amounts: money::amounts(host)?,
            ignored: ignored(host)?,
            results: results(host)?,
            running: running(host)?,
            open_use: use_without_credits_of_all(host)?,
            closed_use: closed_use(host)?,
            asked: asked(host)?,
            groups: groups(host)?,
            positive: balances(host)?.into_iter().filter(|(_, amount)| *amount > 0).map(|(name, _)| name).collect(),
            stray: stray(host)?.into_keys().collect(),
            expectations_hold: play::at_the_end(host, &scenario, &case)?.is_empty(),
            mark,
        };
        stage.go_to(&reference.mark)?;
        Ok(reference)
    }

    /// The mark at the end of the run.
    pub fn mark(&self) -> &Mark {
        &self.mark
    }

    /// The law that the reference itself breaks.
    pub fn breach(&self) -> Option<&Breach> {
        self.breach.as_ref()
    }

    /// Returns whether the decisions in the finished run of the stage match those of the reference: every command had the same outcome and
    /// answer, the same effects and amounts were requested, the same Stripe events were ignored, months of use were closed with the same
    /// unpaid use, and no event contradicts another event. Only in that case must the standing be the same, because an effect such as a
    /// refund or an invoice cannot be undone by a late event, and credits do not pay for usage in a closed month.
    ///
    /// # Errors
    ///
    /// Fails if the store fails.
    pub fn decided_alike(&self, stage: &mut Stage<'_>) -> Result<bool, ReplayError> {
        let (before, now) = (self.mark.watched(), stage.watched());
        Ok(before.outcomes == now.outcomes
            && before.answered == now.answered
            && before.contradicting.is_empty()
            && now.contradicting.is_empty()
            && self.requested == requested(stage.host())?
            && self.amounts == money::amounts(stage.host())?
            && self.ignored == ignored(stage.host())?
            && self.closed_use == closed_use(stage.host())?)
    }

    /// Returns the first law that the finished run of the stage breaks.
    ///
    /// # Errors
    ///
    /// Fails if the store or the extension fails.
    pub fn judge(&self, stage: &mut Stage<'_>, laws: Laws) -> Result<Option<Breach>, ReplayError> {
        let watched = stage.watched();
        if let Some((event, why)) = watched.failed.iter().find(|(id, _)| !self.mark.watched().failed.contains_key(*id))
        {
            return Ok(Some(Breach::new(Law::Outcome, format!("{event} failed: {why}"))));
        }
        let before = self.mark.watched();
        // A command that this run accepts may wait for its own effect.
        let is_expected = |id: &String| !laws.other_commands || watched.outcomes.get(id) == before.outcomes.get(id);
        let unanswered = before.answered.keys().find(|id| !watched.answered.contains_key(*id) && is_expected(id));
        if let Some(id) = unanswered {
            return Ok(Some(Breach::new(Law::Answered, format!("{id} got no answer"))));
        }
        let now = stage.mark()?;
        let not_state = stage.host().processor().declared().not_state().clone();
        let is_same = now.store().same_state(self.mark.store(), &not_state)?;
        let movements = money::movements(stage.host())?;
        let amounts = money::amounts(stage.host())?;
        // A breach in the written story is reported once.
        if let Some(breach) = of_run(stage.host(), &movements, &amounts)?
            && self.breach.as_ref().is_none_or(|known| known.law != breach.law)
        {
            return Ok(Some(breach));
        }
        if let Some(breach) = self.of_movements(&movements, laws.money) {
            return Ok(Some(breach));
        }
        // If the providers answered differently, the state may differ, but not the standing.
        if laws.state && !is_same {
            if requested(stage.host())? == self.requested && !self.is_shifted(stage.host())? {
                return self.other_state(stage, &now).map(Some);
            }
            let running = running(stage.host())?;
            if let Some(what) = first_difference(&self.running, &running) {
                let values = Some((self.running.clone(), running));
                return Ok(Some(Breach { law: Law::SameStanding, what, values }));
            }
        }
        let all_effects = laws.effects && !self.is_shifted(stage.host())?;
        if !laws.other_commands
            && let Some(breach) = self.of_effects(stage.host(), all_effects)?
        {
            return Ok(Some(breach));
        }
        if let Some((what, resource)) = stray(stage.host())?.into_iter().find(|(what, _)| !self.stray.contains(what)) {
            return Ok(Some(Breach { values: Some(resource), ..Breach::new(Law::Inventory, what) }));
        }
        // An equal state has an equal standing.
        if !is_same && let Some(breach) = self.of_money(stage.host())? {
            return Ok(Some(breach));
        }
        if (laws.standing || laws.state) && !is_same {
            let (mut should, mut found) = (self.standing.clone(), standing(stage.host())?);
            stage.go_to(&self.mark)?;
            complete(stage.host(), &mut should, &found)?;
            stage.go_to(&now)?;
            complete(stage.host(), &mut found, &should)?;
            if self.movements != movements || self.open_use != use_without_credits_of_all(stage.host())? {
                net_transfers(&mut should, &mut found);
            }
            if !laws.names {
                for members in [&mut should, &mut found].into_iter().filter_map(|standing| standing.as_object_mut()) {
                    members.remove("claims");
                }
            }
            if found != should {
                let what = first_difference(&should, &found).unwrap_or_default();
                let values = Some((should, found));
                return Ok(Some(Breach { law: Law::SameStanding, what, values }));
            }
        }
        if laws.expected && self.expectations_hold {
            let (scenario, case) = (stage.tale.scenario.clone(), &stage.tale.case);
            let failures = play::at_the_end(stage.host(), &scenario, case)?;
            let is_shifted = !failures.is_empty() && self.is_shifted(stage.host())?;
            let counts = |title: &str| !is_shifted || !title.contains(".attempts: ");
            if let Some(failure) = failures.into_iter().find(|failure| counts(&failure.title)) {
                return Ok(Some(Breach::new(Law::Expected, failure.title)));
            }
        }
        Ok(None)
    }

    fn other_state(&self, stage: &mut Stage<'_>, now: &Mark) -> Result<Breach, ReplayError> {
        let found = state::snapshot(stage.host().processor())?;
        stage.go_to(&self.mark)?;
        let expected = state::snapshot(stage.host().processor())?;
        stage.go_to(now)?;
        let what = first_difference(&expected, &found).unwrap_or_else(|| "the catalog differs".to_owned());
        Ok(Breach { law: Law::SameState, what, values: Some((expected, found)) })
    }

    /// Returns whether the result of an effect arrived after a different number of attempts or at a different time: a kill can make the
    /// delay before a retry unnecessary. Rows and the keys of timers contain such times.
    fn is_shifted(&self, host: &Rig) -> Result<bool, ReplayError> {
        let results = results(host)?;
        Ok(results.iter().any(|(effect, result)| self.results.get(effect).is_some_and(|before| before != result)))
    }

    fn of_movements(&self, found: &[Movement], all: bool) -> Option<Breach> {
        if !all || found == self.movements {
            return None;
        }
        let differs = |one: &[Movement], two: &[Movement]| one.iter().find(|of| !two.contains(of)).cloned();
        let what = match (differs(found, &self.movements), differs(&self.movements, found)) {
            (Some(more), _) => format!("also requested: {more}"),
            (None, Some(less)) => format!("not requested: {less}"),
            (None, None) => "a movement is requested more or less often".to_owned(),
        };
        Some(Breach::new(Law::SameMoney, what))
    }

    fn of_effects(&self, host: &Rig, all: bool) -> Result<Option<Breach>, ReplayError> {
        let found = asked(host)?;
        if found == self.asked {
            return Ok(None);
        }
        if all {
            let values = |account: &Account, key: &str| json!({account.to_string(): {"effects": {key: {}}}});
            let breach = |what: String, should: Value, is: Value| Breach {
                law: Law::SameEffects,
                what,
                values: Some((should, is)),
            };
            let more = found.difference(&self.asked).next();
            let less = self.asked.difference(&found).next();
            return Ok(match (more, less) {
                (Some((account, key)), _) => {
                    Some(breach(format!("{account} also requested {key}"), json!({}), values(account, key)))
                }
                (_, Some((account, key))) => {
                    Some(breach(format!("{account} did not request {key}"), values(account, key), json!({})))
                }
                (None, None) => None,
            });
        }
        let often = |group: &Group| self.groups.get(group).map_or(1, BTreeSet::len);
        let twice = groups(host)?.into_iter().find(|(group, keys)| keys.len() > often(group));
        Ok(twice.map(|((account, effect), keys)| {
            let what = format!("{account} requested the same effect under {} keys: {effect}", keys.len());
            let too_many: Map<String, Value> = keys.iter().skip(1).map(|key| (key.clone(), json!({}))).collect();
            let values = Some((json!({}), json!({account: {"effects": too_many}})));
            Breach { law: Law::AskedOnce, what, values }
        }))
    }

    fn of_money(&self, host: &mut Rig) -> Result<Option<Breach>, ReplayError> {
        for account in accounts(host)? {
            if let Some((currency, sum)) = view::unbalanced(host, &account)?.into_iter().next() {
                let what = format!("the ledger of {account} sums to {sum} {currency}");
                return Ok(Some(Breach::new(Law::Balanced, what)));
            }
        }
        // Only the extension knows whether a balance may be negative. A balance that is positive in the reference must
        // not become negative.
        let negative = |(balance, amount): &(String, i64)| *amount < 0 && self.positive.contains(balance);
        let Some((balance, amount)) = balances(host)?.into_iter().find(negative) else { return Ok(None) };
        let values = Some((self.standing.clone(), standing(host)?));
        Ok(Some(Breach { law: Law::NotNegative, what: format!("{balance} is {amount}"), values }))
    }
}

/// Returns the breach of a law that applies to every run without a comparison, including the written one.
fn of_run(host: &Rig, movements: &[Movement], amounts: &[Movement]) -> Result<Option<Breach>, ReplayError> {
    let of = |law: Law, what: Option<String>| what.map(|what| Breach::new(law, what));
    if let Some(breach) = of(Law::PriceInForce, Charges::of(host)?.broken_by(host, movements)?) {
        return Ok(Some(breach));
    }
    let payments = Payments::delivered(host)?;
    if let Some(breach) = of(Law::Received, payments.broken_by(movements))
        .or(of(Law::Sendable, requests::not_sendable(amounts)))
        .or(of(Law::Unnamed, requests::unnamed(host)?))
        .or(of(Law::Received, shares::beyond(host, &payments.kept())?))
        .or(of(Law::Shared, shares::broken(host)?))
    {
        return Ok(Some(breach));
    }
    leftover(host)
}

/// Returns the standing: entitlements and balances of every account, and all claims.
///
/// # Errors
///
/// Fails if the store or the extension fails.
pub fn standing(host: &mut Rig) -> Result<Value, ReplayError> {
    let mut found = Map::new();
    for account in accounts(host)? {
        let of_account = standing_of(host, &account)?;
        if !of_account.is_empty() {
            found.insert(account.to_string(), Value::Object(of_account));
        }
    }
    let claims = host_engine::view::claims(host.processor())?;
    let claims = claims.as_object().into_iter().flatten();
    put(&mut found, "claims", claims.map(|(key, row)| (key.clone(), json!({"holder": row["holder"]}))).collect());
    Ok(Value::Object(found))
}

fn standing_of(host: &mut Rig, account: &Account) -> Result<Map<String, Value>, ReplayError> {
    let at = host.clock();
    let asked = |what: &str, error: host_engine::processor::AskError| {
        ReplayError::Host(format!("{what} of {account}: {error}"))
    };
    let entitlements = host_engine::view::entitlements(host.processor_mut(), account, at);
    let entitlements = entitlements.map_err(|error| asked("entitlements", error))?;
    let balances =
        host_engine::view::balances(host.processor_mut(), account, at).map_err(|error| asked("balances", error))?;
    let mut of_account = Map::new();
    let allowed = entitlements.as_object().into_iter().flatten();
    let allowed = allowed.map(|(key, row)| (key.clone(), json!({"allowed": row["allowed"], "used": row["used"]})));
    put(&mut of_account, "entitlements", allowed.collect());
    let empty = json!({"available": 0, "pending": 0});
    let (left, balances): (Vec<_>, Vec<_>) =
        balances.as_object().into_iter().flatten().partition(|(key, _)| key.starts_with("credits_left/"));
    let balances = balances.into_iter().filter(|(_, row)| **row != empty);
    let mut balances: Map<String, Value> = balances.map(|(key, row)| (key.clone(), row.clone())).collect();
    let amounts = |(_, row): (&String, &Value)| ["available", "pending"].map(|part| row[part].as_i64().unwrap_or(0));
    // How long an instance runs depends on when its resources are made.
    let of_time = charges::cost_of_time(host, account, &|month| month["closed"] != true)?;
    let net = money::sum(left.into_iter().flat_map(amounts)) - use_without_credits(host, account)? + of_time;
    if net != 0 {
        balances.insert("credits_left less open use".to_owned(), json!({"available": written(net), "pending": 0}));
    }
    put(&mut of_account, "balances", balances);
    Ok(of_account)
}

/// Returns an amount as JSON, as a string if it needs more than 64 bits.
fn written(amount: i128) -> Value {
    i64::try_from(amount).map_or_else(|_| Value::from(amount.to_string()), Value::from)
}

/// Parses an amount written by [`written`].
fn whole(written: &Value) -> i128 {
    let of_text = || written.as_str().and_then(|text| text.parse().ok());
    written.as_i64().map(i128::from).or_else(of_text).unwrap_or(0)
}

/// Returns the cost of the usage in the closed or the open months of an account, and the part that credits paid, in millionths.
fn cost_and_credits(host: &Rig, account: &Account, is_closed: bool) -> Result<(i128, i128), ReplayError> {
    let records = host_engine::view::records(host.processor(), account)?;
    let months = records["usage_months"].as_object().into_iter().flatten().map(|(_, month)| month);
    let sums = months.filter(|month| (month["closed"] == true) == is_closed).map(|month| {
        let uses = month["uses"].as_array().into_iter().flatten();
        let cost = money::sum(uses.filter_map(|used| used["cost_micros"].as_i64()));
        (cost, i128::from(month["credits_micros"].as_i64().unwrap_or(0)))
    });
    Ok(sums.fold((0, 0), |sum, (cost, credits)| (sum.0 + cost, sum.1 + credits)))
}

/// Returns the usage in the open months that was not paid with credits, in millionths. A late payment can decide which credits pay for a
/// use: then different credits remain, or are owed.
fn use_without_credits(host: &Rig, account: &Account) -> Result<i128, ReplayError> {
    let (cost, credits) = cost_and_credits(host, account, false)?;
    Ok(cost - credits)
}

fn use_without_credits_of_all(host: &Rig) -> Result<i128, ReplayError> {
    accounts(host)?.iter().map(|account| use_without_credits(host, account)).sum()
}

/// Returns the cost of the usage in all closed months, and the part that credits paid. What a plan has included that becomes known only
/// afterwards changes neither.
fn closed_use(host: &Rig) -> Result<(i128, i128), ReplayError> {
    let mut sum = (0, 0);
    for account in accounts(host)? {
        let (cost, credits) = cost_and_credits(host, &account, true)?;
        sum = (sum.0 + cost, sum.1 + credits);
    }
    Ok(sum)
}

/// Adds the accounts that exist only in `other`, as they stand in this run: an account without rows has its default entitlements.
fn complete(host: &mut Rig, members: &mut Value, other: &Value) -> Result<(), ReplayError> {
    let Some(members) = members.as_object_mut() else { return Ok(()) };
    let missing: Vec<String> = other
        .as_object()
        .into_iter()
        .flat_map(Map::keys)
        .filter(|name| !members.contains_key(*name))
        .cloned()
        .collect();
    for name in missing.into_iter().filter(|name| name != "claims") {
        let Ok(account) = name.parse::<Account>() else { continue };
        members.insert(name, Value::Object(standing_of(host, &account)?));
    }
    Ok(())
}

/// Removes the balances that differ but cancel out. A transfer that one run made earlier moves money between two balances of its account,
/// and so do credits that paid for more usage.
fn net_transfers(one: &mut Value, two: &mut Value) {
    let names: Vec<String> = one.as_object().into_iter().flat_map(Map::keys).cloned().collect();
    for name in names {
        let balances = |value: &Value| value[&name]["balances"].as_object().cloned().unwrap_or_default();
        let (before, after) = (balances(one), balances(two));
        let differing: BTreeSet<&String> =
            before.keys().chain(after.keys()).filter(|key| before.get(*key) != after.get(*key)).collect();
        let sum = |of: &Map<String, Value>| {
            let amount = |key: &&String| of.get(*key).map_or(0, |row| whole(&row["available"]));
            differing.iter().map(amount).sum::<i128>()
        };
        if sum(&before) == sum(&after) {
            for value in [&mut *one, &mut *two] {
                if let Some(balances) = value[&name].get_mut("balances").and_then(Value::as_object_mut) {
                    balances.retain(|key, _| !differing.contains(key));
                }
            }
        }
    }
}

/// Returns the key and generation of the requested effects that change something else: a provider or another account.
fn requested(host: &Rig) -> Result<BTreeSet<(String, u32)>, ReplayError> {
    let mut found = BTreeSet::new();
    for scope in host.store().scopes(None)? {
        let rows = host.store().effects_of(&scope, 0, usize::MAX)?.into_iter();
        let is_of_provider = |kind: &str| kind != TIMER && !view::is_notice(kind);
        let kept = rows.filter(|row| is_of_provider(&row.effect.kind) && row.state != EffectState::Cancelled);
        found.extend(kept.map(|row| (row.effect.key, row.effect.generation)));
    }
    Ok(found)
}

/// Returns the ids of the ignored Stripe events. A waiting event is ignored after 30 days.
fn ignored(host: &Rig) -> Result<BTreeSet<String>, ReplayError> {
    let rows = host.store().inbox_after(None, 0, usize::MAX)?.into_iter();
    let is_ignored = |row: &InboxRow| {
        matches!(row.event.payload, Payload::Payment(_)) && matches!(row.outcome, Some(Outcome::Ignored(_)))
    };
    Ok(rows.filter(is_ignored).map(|row| row.event.id).collect())
}

/// Returns the number of attempts, and the time of the result, of each finished effect.
fn results(host: &Rig) -> Result<BTreeMap<EffectId, (u32, Timestamp)>, ReplayError> {
    const PAGE: usize = 500;
    let (mut found, mut after) = (BTreeMap::new(), 0);
    loop {
        let page = host.store().inbox_after(None, after, PAGE)?;
        for row in &page {
            if let Payload::EffectResult(report) = &row.event.payload {
                let result = (report.attempts, row.event.received_at);
                found.entry((row.event.account.clone(), report.key.clone(), report.generation)).or_insert(result);
            }
        }
        match page.last() {
            Some(last) => after = last.seq,
            None => return Ok(found),
        }
    }
}

/// Returns whether each product with a status is running, by account and id. Other statuses are not compared, since
/// they depend on the order of events: a product that ran once is suspended, and one that never ran has not begun.
fn running(host: &Rig) -> Result<Value, ReplayError> {
    let mut found = Map::new();
    for account in accounts(host)? {
        let rows = host_engine::view::account_rows(host.processor(), &account)?;
        let products = rows.sections.get("products").into_iter().flatten();
        let with_status =
            products.filter_map(|(id, row)| Some((id.clone(), json!(*row["metadata"].get("status")? == "running"))));
        put(&mut found, &account.to_string(), with_status.collect());
    }
    Ok(Value::Object(found))
}

/// Returns a resource that is left at a provider although its instance has ended or is ending, and that no open effect will remove. A
/// deletion that waits for an operator is not a breach.
pub(crate) fn leftover(host: &Rig) -> Result<Option<Breach>, ReplayError> {
    let open = host.store().effects_open_after(host.processor().partition(), 0, usize::MAX)?;
    let silent = host.silent()?;
    let there = host.scripted().inventory();
    for account in accounts(host)? {
        let scope = host.processor().scope(account.clone());
        let rows = host_engine::view::account_rows(host.processor(), &account)?;
        let products = rows.sections.get("products").into_iter().flatten();
        for (id, row) in products {
            let end = match row["metadata"]["status"].as_str() {
                Some("terminated") => "has ended",
                Some("deleting") if !is_held_up(host, &scope, id)? => "ends, and nobody works on it",
                _ => continue,
            };
            let is_of = |key: &str| key.strip_prefix(id.as_str()).is_some_and(|rest| rest.starts_with('/'));
            let waits = open.iter().any(|row| row.scope == scope && is_of(&row.effect.key))
                || silent.iter().any(|(of, key)| *of == scope.name() && is_of(key));
            let left = there.iter().find(|resource| resource.id.scope == scope.name() && is_of(&resource.id.id));
            if let Some(resource) = left.filter(|_| !waits) {
                let what = format!("{} of {account} is left, and its instance {end}", resource.id);
                return Ok(Some(Breach::new(Law::Left, what)));
            }
        }
    }
    Ok(None)
}

/// Returns whether operators know that a step in the deletion of an instance has failed and needs their attention.
fn is_held_up(host: &Rig, scope: &Scope, id: &str) -> Result<bool, ReplayError> {
    let of_instance = format!("mail:step_failed:admin:{id}:");
    let is_of_deletion = |key: &str| {
        let step = key.strip_prefix(&of_instance).and_then(|rest| rest.rsplit_once(':'));
        step.is_some_and(|(step, _)| step.ends_with("/backup") || step.ends_with("/destroy"))
    };
    Ok(host.store().effects_of(scope, 0, usize::MAX)?.iter().any(|row| is_of_deletion(&row.effect.key)))
}

/// Returns the requested movements of money as text, including those that a provider refused.
pub(crate) fn requested_movements(host: &Rig) -> Result<Vec<String>, ReplayError> {
    Ok(money::amounts(host)?.iter().map(ToString::to_string).collect())
}

fn reads_only(kind: &str) -> bool {
    kind.rsplit('.').next().is_some_and(|verb| READ_ONLY_VERBS.contains(&verb))
}

fn put(into: &mut Map<String, Value>, name: &str, rows: Map<String, Value>) {
    if !rows.is_empty() {
        into.insert(name.to_owned(), Value::Object(rows));
    }
}

/// Every requested effect, by account and key.
fn asked(host: &Rig) -> Result<BTreeSet<(Account, String)>, ReplayError> {
    let mut found = BTreeSet::new();
    for scope in host.store().scopes(None)? {
        for row in host.store().effects_of(&scope, 0, usize::MAX)? {
            found.insert((scope.account.clone(), row.effect.key));
        }
    }
    Ok(found)
}

/// Verbs of effects that only read, or that create a page for a single visit; repeating them does no harm.
const READ_ONLY_VERBS: [&str; 4] = ["link", "list", "observe", "retrieve"];

/// The keys under which each effect succeeded. Leaves out timers, effects that only read, and notices: a notice may be
/// sent twice.
fn groups(host: &Rig) -> Result<BTreeMap<Group, BTreeSet<String>>, ReplayError> {
    let done = host.succeeded()?;
    let mut keys: BTreeMap<Group, BTreeSet<String>> = BTreeMap::new();
    for scope in host.store().scopes(None)? {
        for row in host.store().effects_of(&scope, 0, usize::MAX)? {
            let kind = &row.effect.kind;
            let succeeded = done.contains(&(row.scope.name(), row.effect.key.clone()));
            if *kind != TIMER && !reads_only(kind) && !view::is_notice(kind) && succeeded {
                let effect = format!("{} {}", row.effect.kind, row.effect.payload);
                keys.entry((scope.account.to_string(), effect)).or_default().insert(row.effect.key);
            }
        }
    }
    Ok(keys)
}

/// Balances by account and name.
fn balances(host: &mut Rig) -> Result<BTreeMap<String, i64>, ReplayError> {
    let at = host.clock();
    let mut found = BTreeMap::new();
    for account in accounts(host)? {
        let balances = host_engine::view::balances(host.processor_mut(), &account, at)
            .map_err(|error| ReplayError::Host(format!("balances of {account}: {error}")))?;
        for (name, row) in balances.as_object().into_iter().flatten() {
            for part in ["available", "pending"] {
                found.insert(format!("{name} ({part}) of {account}"), row[part].as_i64().unwrap_or_default());
            }
        }
    }
    Ok(found)
}

/// Differences between the recorded inventory and the provider's inventory: the recorded and the actual state, by
/// description. Leaves out the resources of open effects and of effects that timed out without an answer.
fn stray(host: &Rig) -> Result<BTreeMap<String, (Value, Value)>, ReplayError> {
    let open = host.store().effects_open_after(host.processor().partition(), 0, usize::MAX)?;
    let silent = host.silent()?;
    let is_open = |resource: &Resource| {
        let of = |scope: &str, key: &str| {
            let rest = key.strip_prefix(&resource.id.id).filter(|_| scope == resource.id.scope);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', ':']))
        };
        open.iter().any(|row| of(&row.scope.name(), &row.effect.key))
            || silent.iter().any(|(scope, key)| of(scope, key))
    };
    let by_id = |resources: Vec<Resource>| -> BTreeMap<(String, String), String> {
        let settled = resources.into_iter().filter(|resource| !is_open(resource));
        settled.map(|resource| ((resource.id.to_string(), resource.id.scope), resource.state)).collect()
    };
    let (recorded, there) = (by_id(host.recorded_inventory()?), by_id(host.scripted().inventory()));
    let ids: BTreeSet<&(String, String)> = recorded.keys().chain(there.keys()).collect();
    let mut found = BTreeMap::new();
    for id in ids {
        let (should, is) = (recorded.get(id), there.get(id));
        let name = format!("{} of {}", id.0, id.1);
        let what = match (should, is) {
            (None, Some(_)) => format!("{name} exists and is not in our record"),
            (Some(_), None) => format!("{name} is in our record and does not exist"),
            (Some(should), Some(is)) if should != is => format!("{name} is {is}, in our record it is {should}"),
            _ => continue,
        };
        let state = |state: Option<&String>| match state {
            Some(state) => json!({"inventory": {&id.0: {"state": state}}}),
            None => json!({"inventory": {}}),
        };
        found.insert(what, (state(should), state(is)));
    }
    Ok(found)
}

/// Returns the first difference of two values: its path and both values.
pub fn first_difference(expected: &Value, found: &Value) -> Option<String> {
    fn walk(path: &str, expected: &Value, found: &Value) -> Option<String> {
        match (expected, found) {
            (Value::Object(one), Value::Object(two)) => {
                let names: BTreeSet<&String> = one.keys().chain(two.keys()).collect();
                names.into_iter().find_map(|name| {
                    let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                    match (one.get(name), two.get(name)) {
                        (Some(one), Some(two)) => walk(&path, one, two),
                        (Some(one), None) => Some(format!("{path}: {} is missing", short(one))),
                        (None, Some(two)) => Some(format!("{path}: unexpected {}", short(two))),
                        (None, None) => None,
                    }
                })
            }
            _ if expected == found => None,
            _ => Some(format!("{path}: {} and not {}", short(found), short(expected))),
        }
    }
    walk("", expected, found)
}

/// The JSON text of a value, cut at 80 characters.
fn short(value: &Value) -> String {
    const MAX: usize = 80;
    let text = value.to_string();
    match text.char_indices().nth(MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
