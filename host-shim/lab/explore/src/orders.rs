//! Orders: delivers the Stripe events between two other acts in every order, all at the time of the last event. If effects are held back
//! until the last event, all orders must end in the same state; if effects are carried out in between, all orders must end with the same
//! standing. If two orders have delivered the same events and reached the same point, the rest runs only once: the 720 orders of six events
//! take as few as 192 deliveries.

use crate::explorer::{Broken, Explorer, VariantKind, Written};
use crate::law::{Breach, Laws, Reference};
use crate::plan::{Act, Plan, Segment, segments, words};
use crate::stage::Mark;
use host_replay::shuffle::{Random, keep_order_of_same};
use host_scenario::error::ReplayError;
use host_scenario::model::Action;
use std::collections::HashMap;

/// Maximum number of points of a segment that are reused.
const POINTS_MAX: usize = 4096;

pub(crate) fn explore(explorer: &mut Explorer<'_>, written: &Written) -> Result<(), ReplayError> {
    for across in [false, true] {
        for segment in segments(&explorer.stage.tale.scenario, &written.plan, across) {
            for held in [true, false] {
                if explorer.is_over() {
                    return Ok(());
                }
                Orders::of(explorer, written, &segment, held)?.explore()?;
            }
        }
    }
    Ok(())
}

/// The orders of one segment.
struct Orders<'o, 'e> {
    explorer: &'o mut Explorer<'e>,
    written: &'o Written,
    segment: &'o Segment,
    held: bool,
    points: Vec<Node>,
    /// Points by the set of delivered events.
    by_set: HashMap<Vec<usize>, Vec<usize>>,
    next: HashMap<(usize, usize), usize>,
    end: Option<Reference>,
}

struct Node {
    mark: Mark,
    /// One order that leads here, as indexes of the events of the segment.
    order: Vec<usize>,
    /// Number of orders that lead here.
    orders: u64,
}

impl<'o, 'e> Orders<'o, 'e> {
    fn of(
        explorer: &'o mut Explorer<'e>,
        written: &'o Written,
        segment: &'o Segment,
        held: bool,
    ) -> Result<Self, ReplayError> {
        explorer.before(written, segment.from)?;
        explorer.stage.time(segment.clock)?;
        let first = Node { mark: explorer.stage.mark()?, order: Vec::new(), orders: 1 };
        Ok(Orders {
            explorer,
            written,
            segment,
            held,
            points: vec![first],
            by_set: HashMap::from([(Vec::new(), vec![0])]),
            next: HashMap::new(),
            end: None,
        })
    }

    fn explore(mut self) -> Result<(), ReplayError> {
        let count = self.segment.events.len();
        let written: Vec<usize> = (0..count).collect();
        let reached = self.walk(&written)?;
        self.explorer.stage.go_to(&self.points[reached].mark)?;
        self.explorer.stage.settle()?;
        self.end = Some(Reference::here(&mut self.explorer.stage)?);
        match count <= self.explorer.limits.all_orders_of {
            true => self.all(),
            false => self.some(),
        }
    }

    /// Runs every order: at each point, delivers each event that has not arrived yet.
    fn all(&mut self) -> Result<(), ReplayError> {
        let count = self.segment.events.len();
        self.points.iter_mut().for_each(|node| node.orders = 0);
        self.points[0].orders = 1;
        let mut layer = vec![0];
        for _ in 0..count {
            let mut following: Vec<usize> = Vec::new();
            for from in layer {
                let orders = self.points[from].orders;
                for event in 0..count {
                    if self.points[from].order.contains(&event) || !self.may_come(from, event) {
                        continue;
                    }
                    let to = self.step(from, event)?;
                    self.points[to].orders = self.points[to].orders.saturating_add(orders);
                    if !following.contains(&to) {
                        following.push(to);
                    }
                }
            }
            layer = following;
        }
        for point in layer {
            if !self.judge(point, self.points[point].orders)? {
                break;
            }
        }
        Ok(())
    }

    /// Runs orders sampled with the seed.
    fn some(&mut self) -> Result<(), ReplayError> {
        let count = self.segment.events.len();
        let mut random = Random::new(self.explorer.limits.seed);
        let mut ends: Vec<(usize, u64)> = Vec::new();
        for _ in 0..self.explorer.limits.samples {
            let mut order: Vec<usize> = (0..count).collect();
            random.shuffle(&mut order);
            keep_order_of_same(&mut order, |place| self.id(place));
            self.keep_contradicting_last(&mut order);
            let end = self.walk(&order)?;
            match ends.iter_mut().find(|(known, _)| *known == end) {
                Some((_, orders)) => *orders += 1,
                None => ends.push((end, 1)),
            }
        }
        for (end, orders) in ends {
            if !self.judge(end, orders)? {
                break;
            }
        }
        Ok(())
    }

    /// False if an event that must come earlier is missing: deliveries of one event keep their order, and an event that contradicts others
    /// comes after them.
    fn may_come(&self, from: usize, event: usize) -> bool {
        let arrived = &self.points[from].order;
        let contradicts = self.contradicts(event);
        (0..event).all(|before| (self.id(before) != self.id(event) && !contradicts) || arrived.contains(&before))
    }

    /// Returns whether the written story rejects an event because it contradicts what is known. If two events contradict each other, the
    /// first one counts, so no law applies to the opposite order.
    fn contradicts(&self, event: usize) -> bool {
        let contradicting = &self.written.end.mark().watched().contradicting;
        self.id(event).is_some_and(|id| contradicting.contains(id))
    }

    /// In a sampled order, moves each contradicting event behind the events that precede it in the written story.
    fn keep_contradicting_last(&self, order: &mut Vec<usize>) {
        for event in (0..order.len()).filter(|event| self.contradicts(*event)) {
            let Some(at) = order.iter().position(|place| *place == event) else { continue };
            let last = order.iter().rposition(|place| *place < event).unwrap_or(at);
            if last > at {
                order.remove(at);
                order.insert(last, event);
            }
        }
    }

    fn id(&self, place: usize) -> Option<&'e str> {
        let act = &self.written.plan.acts[self.segment.events[place]];
        self.explorer.stage.tale.scenario.steps[act.step].action.event_id()
    }

    fn walk(&mut self, order: &[usize]) -> Result<usize, ReplayError> {
        order.iter().try_fold(0, |from, event| self.step(from, *event))
    }

    /// Delivers an event and returns the point that it leads to.
    fn step(&mut self, from: usize, event: usize) -> Result<usize, ReplayError> {
        if let Some(known) = self.next.get(&(from, event)) {
            return Ok(*known);
        }
        let stage = &mut self.explorer.stage;
        stage.go_to(&self.points[from].mark)?;
        let step = self.written.plan.acts[self.segment.events[event]].step;
        stage.act(&Act { held: self.held, ..Act::at(step, self.segment.clock) })?;
        let mark = stage.mark()?;
        let not_state = stage.host().processor().declared().not_state().clone();
        let mut order = self.points[from].order.clone();
        order.push(event);
        let mut set = order.clone();
        set.sort_unstable();
        let alike = self.by_set.entry(set).or_default();
        for known in alike.iter() {
            let node = &self.points[*known];
            let same_noted = node.mark.watched().failed == mark.watched().failed;
            if same_noted
                && node.mark.calls() == mark.calls()
                && node.mark.store().same_course(mark.store(), &not_state)?
            {
                self.next.insert((from, event), *known);
                return Ok(*known);
            }
        }
        let to = self.points.len();
        if to < POINTS_MAX {
            alike.push(to);
            self.next.insert((from, event), to);
        }
        self.points.push(Node { mark, order, orders: 0 });
        Ok(to)
    }

    /// Compares a point at which all events have arrived with the end of the written order. Returns false if the exploration should stop.
    fn judge(&mut self, point: usize, orders: u64) -> Result<bool, ReplayError> {
        let laws = Laws { state: self.held, money: self.held, standing: !self.held, ..Laws::default() };
        let Some(end) = &self.end else { return Ok(true) };
        let stage = &mut self.explorer.stage;
        stage.go_to(&self.points[point].mark)?;
        stage.settle()?;
        if let Some(breach) = end.judge(stage, laws)? {
            self.record_breach(point, breach, laws)?;
        }
        Ok(self.explorer.count_variants(VariantKind::Orders, orders, 1))
    }

    fn record_breach(&mut self, point: usize, breach: Breach, laws: Laws) -> Result<(), ReplayError> {
        let order = self.points[point].order.clone();
        let written: Vec<usize> = (0..order.len()).collect();
        let events: Vec<String> = order.iter().map(|place| self.words(*place)).collect();
        let how = if self.held { "effects held back" } else { "effects carried out in between" };
        let variant = format!("in the order {} ({how})", events.join(", "));
        let (plan, reference) = (self.plan(&order), self.plan(&written));
        self.explorer.record_breach(VariantKind::Orders, variant, Broken { breach, plan, reference }, laws)
    }

    fn words(&self, place: usize) -> String {
        words(&self.explorer.stage.tale.scenario, self.written.plan.acts[self.segment.events[place]].step)
    }

    /// The story up to the end of the segment, with its events in `order`.
    fn plan(&self, order: &[usize]) -> Plan {
        let scenario = &self.explorer.stage.tale.scenario;
        let acts = &self.written.plan.acts;
        let is_event = |act: &&Act| scenario.steps[act.step].action.is_payment_event();
        let mut plan = Plan { acts: acts[..self.segment.from].to_vec(), ..Plan::default() };
        let times = acts[self.segment.from..self.segment.to].iter().filter(|act| !is_event(act));
        plan.acts.extend(
            times.filter(|act| act.clock <= self.segment.clock && is_time(&scenario.steps[act.step].action)).cloned(),
        );
        for (at, place) in order.iter().enumerate() {
            let step = acts[self.segment.events[*place]].step;
            let held = self.held && at + 1 < order.len();
            plan.acts.push(Act { held, ..Act::at(step, self.segment.clock) });
        }
        plan
    }
}

fn is_time(action: &Action) -> bool {
    matches!(action, Action::Advance(_) | Action::Until(_))
}
