//! Replays a stream of raw events. The clock is set to the time of the newest event. It advances, and timers fire, only
//! after the last event and only if `until` is set.

use crate::inputs::{Located, RawInput};
use crate::line::{Line, Summary};
use crate::live::LiveProviders;
use crate::rig::{Rig, RigSetup, StoreKind, is_input};
use crate::runners::Runners;
use crate::shuffle::{Random, keep_order_of_same};
use crate::tally::Tally;
use extension_contract::Timestamp;
use host_engine::processor::Report;
use host_scenario::business::BusinessFolder;
use host_scenario::error::{BadInput, ReplayError};

/// The maximum number of events in a group, which is committed together with its effects. The effects may run before
/// the commit, because the provider is only simulated.
const GROUP_EVENTS_MAX: usize = 64;

/// Options for replaying a stream.
#[derive(Clone, Debug)]
pub struct StreamOptions {
    /// The extension.
    pub runners: Runners,
    /// The store.
    pub store: StoreKind,
    /// Seed that permutes the Stripe events between other events.
    pub shuffle: Option<u64>,
    /// How many times the whole stream is delivered; at least 1.
    pub repeat: u32,
    /// Time until which timers, retries and late answers run after the last event, in milliseconds since the epoch.
    pub until: Option<Timestamp>,
    /// True if results, timers and messages are also reported.
    pub trace: bool,
    /// Providers that replace the scripted one for the effects that they handle. Each event is then committed
    /// individually, so that an effect is durable before its call.
    pub live: Option<LiveProviders>,
}

/// The result of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamEnd {
    /// Final outcomes of the stream's events, and the hash of the state.
    pub summary: Summary,
    /// Number of events of any kind that ended without an outcome.
    pub failed: u64,
}

/// A replay of one stream. The host of a mode starts when the first event of this mode arrives.
struct Stream<'a> {
    business: &'a BusinessFolder,
    options: &'a StreamOptions,
    clock: Timestamp,
    /// The hosts of test mode and live mode.
    hosts: [Option<Rig>; 2],
    /// Number of events in the open group, and the index of its mode in `hosts`.
    open: Option<(usize, usize)>,
    /// Lines of the open group, which are emitted once it is durable.
    lines: Vec<Line>,
    tally: Tally,
}

/// A callback that receives the lines of a durable group.
type Emit<'a> = &'a mut dyn FnMut(Vec<Line>) -> Result<(), ReplayError>;

/// Replays a stream. The lines of each group go to `emit` once the group is durable.
///
/// # Errors
///
/// Fails if the host or `emit` fails, or `until` is before the newest event.
pub fn replay_stream(
    raw: RawInput,
    business: &BusinessFolder,
    options: &StreamOptions,
    emit: Emit<'_>,
) -> Result<StreamEnd, ReplayError> {
    let clock = raw.newest.unwrap_or(0);
    let mut stream = Stream {
        business,
        options,
        clock,
        hosts: [None, None],
        open: None,
        lines: Vec::new(),
        tally: Tally::default(),
    };
    let order = options.shuffle.map(|seed| shuffled(&raw, seed)).transpose()?;
    for _ in 0..options.repeat.max(1) {
        match &order {
            Some(order) => order.iter().try_for_each(|at| stream.event(raw.event(at)?, emit))?,
            None => raw.events().try_for_each(|event| stream.event(event?, emit))?,
        }
    }
    stream.end(emit)
}

/// Returns all events, with the Stripe events between two other events permuted.
fn shuffled(raw: &RawInput, seed: u64) -> Result<Vec<Located>, BadInput> {
    let mut events: Vec<Option<Located>> = raw.located()?.into_iter().map(Some).collect();
    let mut order: Vec<usize> = (0..events.len()).collect();
    let located = |at: usize| events[at].as_ref();
    let is_provider = |at: &usize| located(*at).is_some_and(|event| event.is_provider);
    let mut random = Random::new(seed);
    for segment in order.chunk_by_mut(|a, b| is_provider(a) && is_provider(b)) {
        random.shuffle(segment);
        keep_order_of_same(segment, |at| located(at).map(|event| &event.id));
    }
    Ok(order.into_iter().filter_map(|at| events[at].take()).collect())
}

impl Stream<'_> {
    fn event(&mut self, decoded: host_intake::Decoded, emit: Emit<'_>) -> Result<(), ReplayError> {
        let mode = usize::from(decoded.event.livemode == Some(true));
        if self.open.is_some_and(|(_, open)| open != mode) {
            self.close(emit)?;
        }
        let clock = self.clock;
        if self.hosts[mode].is_none() {
            self.hosts[mode] = Some(self.start(mode == 1)?);
        }
        let Some(host) = self.hosts[mode].as_mut() else { return Ok(()) };
        let grouped = self.options.live.is_none();
        if self.open.is_none() {
            if grouped {
                host.begin_group()?;
            }
            self.open = Some((0, mode));
        }
        let delivered = host.accept(decoded, clock)?;
        let asks = !delivered.first.effects.is_empty()
            || delivered.first.result.outcome().is_none()
            || delivered.following.iter().any(|report| !report.effects.is_empty());
        let reports = if asks { host.settle()? } else { Vec::new() };
        self.tally.arrived(&delivered.first);
        self.lines.push(Line::input(&delivered.first));
        self.following(&delivered.following);
        self.following(&reports);
        let size = self.open.map_or(1, |(size, _)| size + 1);
        self.open = Some((size, mode));
        if size >= GROUP_EVENTS_MAX || !grouped {
            self.close(emit)?;
        }
        Ok(())
    }

    /// Makes the open group durable and emits its lines.
    fn close(&mut self, emit: Emit<'_>) -> Result<(), ReplayError> {
        let Some((_, mode)) = self.open.take() else { return Ok(()) };
        let Some(host) = self.hosts[mode].as_mut() else { return Ok(()) };
        let reports = host.settle()?;
        if self.options.live.is_none() {
            host.commit_group()?;
        }
        self.following(&reports);
        self.emit_lines(emit)
    }

    fn emit_lines(&mut self, emit: Emit<'_>) -> Result<(), ReplayError> {
        emit(std::mem::take(&mut self.lines))
    }

    fn following(&mut self, reports: &[Report]) {
        for report in reports {
            if is_input(report) {
                self.tally.again(report);
            } else if report.result.outcome().is_none() {
                self.tally.derived_failed();
            }
            if is_input(report) || self.options.trace {
                self.lines.push(Line::following(report));
            }
        }
    }

    fn end(mut self, emit: Emit<'_>) -> Result<StreamEnd, ReplayError> {
        self.close(emit)?;
        if let Some(until) = self.options.until {
            if until < self.clock {
                let (until, clock) = (crate::time::text(until), crate::time::text(self.clock));
                return Err(ReplayError::Usage(format!("--until {until} is before the newest event, {clock}")));
            }
            for mode in 0..self.hosts.len() {
                let Some(host) = self.hosts[mode].as_mut() else { continue };
                host.set_fire_timers(true);
                let reports = host.advance_to(until)?;
                self.following(&reports);
                self.emit_lines(emit)?;
            }
        }
        let mut summary = self.tally.summary().clone();
        let hosts = self.hosts.iter().flatten();
        let mut stores: Vec<&dyn host_store::Read> =
            hosts.map(|host| -> &dyn host_store::Read { host.store() }).collect();
        if matches!(self.options.store, StoreKind::Sqlite(_)) {
            // Both modes are in one file, so the first store contains the rows of both.
            stores.truncate(1);
        }
        let hosts = self.hosts.iter().flatten();
        let not_state = hosts.map(|host| host.processor().declared().not_state()).next().cloned().unwrap_or_default();
        summary.state = host_store::state_hash(&stores, &not_state)?;
        Ok(StreamEnd { summary, failed: self.tally.failed() })
    }

    fn start(&self, livemode: bool) -> Result<Rig, ReplayError> {
        let mut host = Rig::start(RigSetup {
            business: self.business.clone(),
            livemode,
            config: Vec::new(),
            runners: self.options.runners.clone(),
            store: self.options.store.clone(),
            clock: self.clock,
            live: self.options.live.clone(),
        })?;
        host.set_fire_timers(false);
        Ok(host)
    }
}
