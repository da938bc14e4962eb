//! A bounded queue in which callers take turns, so that whoever sends much waits for their own work and others do not.
//!
//! The server, operators, webhooks and callers have separate lines. Each line may be as long as the queue, so a full line does not fill
//! another, and work is taken from one line after the other. In the callers' line, the next work is that of the caller whose last turn was
//! longest ago, and one caller may occupy at most a quarter of the line. The work of one caller keeps its order.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// Maximum number of callers' commands that wait in a host. The same number applies to operators, webhooks and the server each.
pub const COMMANDS_WAITING: usize = 1_024;
/// The fraction of the callers' line that one of them may occupy.
const PART_OF_CALLER: usize = 4;

/// Whose turn it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Turn {
    /// The server's own work.
    Server,
    /// Operators.
    Operator,
    /// Senders of webhooks, whose signed events come in bursts.
    Webhook,
    /// A caller like any other, by its name.
    Caller(Arc<str>),
}

impl Turn {
    /// Returns the turn of a caller with a name.
    pub fn of_caller(name: &str) -> Turn {
        Turn::Caller(name.into())
    }

    fn line(&self) -> usize {
        match self {
            Turn::Server => 0,
            Turn::Operator => 1,
            Turn::Webhook => 2,
            Turn::Caller(_) => 3,
        }
    }
}

/// The reason why a queue does not accept work; the work was not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotQueued {
    /// The line, or the caller's part of it, is full.
    #[error("{waiting} wait")]
    Full {
        /// Maximum length of the line.
        waiting: usize,
    },
    /// Nobody takes work any longer.
    #[error("nobody takes work any more")]
    Ended,
}

/// The work of one kind of callers.
struct Line<T> {
    of: HashMap<Turn, VecDeque<T>>,
    /// Everybody who has waiting work, next one first.
    order: VecDeque<Turn>,
    length: usize,
}

impl<T> Default for Line<T> {
    fn default() -> Self {
        Line { of: HashMap::new(), order: VecDeque::new(), length: 0 }
    }
}

impl<T> Line<T> {
    fn push(&mut self, turn: Turn, work: T) {
        self.length += 1;
        if let Some(own) = self.of.get_mut(&turn) {
            own.push_back(work);
            return;
        }
        self.order.push_back(turn.clone());
        self.of.insert(turn, VecDeque::from([work]));
    }

    fn pop(&mut self) -> Option<T> {
        let turn = self.order.pop_front()?;
        let own = self.of.get_mut(&turn)?;
        let work = own.pop_front();
        self.length -= 1;
        match own.is_empty() {
            true => drop(self.of.remove(&turn)),
            false => self.order.push_back(turn),
        }
        work
    }
}

struct State<T> {
    lines: [Line<T>; 4],
    /// The line whose turn is next.
    next: usize,
    senders: usize,
    takers: usize,
    /// True once nothing more may be sent, although senders exist.
    is_ended: bool,
}

impl<T> State<T> {
    fn pop(&mut self) -> Option<T> {
        let lines = self.lines.len();
        for at in (self.next..self.next + lines).map(|at| at % lines) {
            if let Some(work) = self.lines[at].pop() {
                self.next = at + 1;
                return Some(work);
            }
        }
        None
    }
}

struct Queue<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
    waiting_max: usize,
}

impl<T> Queue<T> {
    fn state(&self) -> MutexGuard<'_, State<T>> {
        // No work is done under the lock, so a panic cannot damage the queue.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sends work to a queue; a clone sends to the same queue.
pub struct Sender<T>(Arc<Queue<T>>);

/// Takes work from a queue; a clone takes from the same queue.
pub struct Taker<T>(Arc<Queue<T>>);

/// Creates a queue whose lines hold at most this much work.
pub fn queue<T>(waiting_max: usize) -> (Sender<T>, Taker<T>) {
    let state = State { lines: Default::default(), next: 0, senders: 1, takers: 1, is_ended: false };
    let queue = Arc::new(Queue { state: Mutex::new(state), changed: Condvar::new(), waiting_max });
    (Sender(queue.clone()), Taker(queue))
}

impl<T> Sender<T> {
    /// Sends work without waiting.
    ///
    /// # Errors
    /// Fails if too much work is waiting, or if nobody takes it any longer.
    pub fn try_send(&self, turn: Turn, work: T) -> Result<(), NotQueued> {
        let waiting = self.0.waiting_max;
        let mut state = self.0.state();
        if state.takers == 0 || state.is_ended {
            return Err(NotQueued::Ended);
        }
        let line = &mut state.lines[turn.line()];
        let own = line.of.get(&turn).map_or(0, VecDeque::len);
        let own_max = if matches!(turn, Turn::Caller(_)) { waiting.div_ceil(PART_OF_CALLER) } else { waiting };
        if line.length >= waiting || own >= own_max {
            return Err(NotQueued::Full { waiting });
        }
        line.push(turn, work);
        drop(state);
        self.0.changed.notify_one();
        Ok(())
    }

    /// Ends the queue for all senders: waiting work is still taken, but nothing more is accepted.
    pub fn end(&self) {
        self.0.state().is_ended = true;
        self.0.changed.notify_all();
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        self.0.state().senders += 1;
        Sender(self.0.clone())
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        self.0.state().senders -= 1;
        self.0.changed.notify_all();
    }
}

impl<T> Taker<T> {
    /// Waits for work; none when all of it is done and nobody can send more.
    pub fn take(&self) -> Option<T> {
        let mut state = self.0.state();
        loop {
            match state.pop() {
                None if state.senders > 0 && !state.is_ended => {
                    state = self.0.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                }
                work => return work,
            }
        }
    }

    /// Takes at most this much of the waiting work.
    pub fn take_waiting(&self, most: usize) -> Vec<T> {
        let mut state = self.0.state();
        std::iter::from_fn(|| state.pop()).take(most).collect()
    }
}

impl<T> Clone for Taker<T> {
    fn clone(&self) -> Self {
        self.0.state().takers += 1;
        Taker(self.0.clone())
    }
}

impl<T> Drop for Taker<T> {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.takers -= 1;
        // Whoever is waiting for an answer learns at once that there is none.
        let left = if state.takers == 0 { state.lines.each_mut().map(std::mem::take).into() } else { Vec::new() };
        drop(state);
        drop(left);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    fn ada() -> Turn {
        Turn::of_caller("ada")
    }

    fn all<T>(taker: &Taker<T>) -> Vec<T> {
        taker.take_waiting(usize::MAX)
    }

    #[test]
    fn a_queue_that_has_ended_gives_what_waits_and_takes_nothing_more_although_somebody_could_send() {
        let (sender, taker) = queue(100);
        let other = sender.clone();
        other.try_send(ada(), "waits").expect("room");
        sender.end();
        assert_eq!(other.try_send(ada(), "late"), Err(NotQueued::Ended));
        assert_eq!((taker.take(), taker.take()), (Some("waits"), None));
    }

    #[test]
    fn whoever_sends_much_waits_for_the_own_work() {
        let (sender, taker) = queue(100);
        for number in 0..20 {
            sender.try_send(Turn::of_caller("eve"), format!("eve {number}")).expect("room");
        }
        for number in 0..2 {
            sender.try_send(ada(), format!("ada {number}")).expect("room");
            sender.try_send(Turn::of_caller("bob"), format!("bob {number}")).expect("room");
        }
        let done = all(&taker);
        assert_eq!(done[..7], ["eve 0", "ada 0", "bob 0", "eve 1", "ada 1", "bob 1", "eve 2"]);
        assert_eq!(done.len(), 24);
    }

    #[test]
    fn operators_webhooks_and_the_server_have_turns_however_many_callers_wait() {
        let (sender, taker) = queue(100);
        for number in 0..50 {
            sender.try_send(Turn::of_caller(&format!("caller {number}")), "caller").expect("room");
        }
        for turn in [Turn::Webhook, Turn::Operator, Turn::Server, Turn::Webhook] {
            let name = format!("{turn:?}");
            sender.try_send(turn, if name == "Webhook" { "webhook" } else { "ours" }).expect("room");
        }
        assert_eq!(all(&taker)[..7], ["ours", "ours", "webhook", "caller", "webhook", "caller", "caller"]);
    }

    #[test]
    fn one_caller_has_a_part_of_the_line_and_callers_fill_no_other_line() {
        let (sender, taker) = queue(8);
        let is_taken = |turn: Turn| sender.try_send(turn, ()).is_ok();
        assert_eq!((0..8).filter(|_| is_taken(ada())).count(), 2, "a quarter");
        assert_eq!((0..8).filter(|at| is_taken(Turn::of_caller(&at.to_string()))).count(), 6);
        assert_eq!(sender.try_send(Turn::of_caller("late"), ()), Err(NotQueued::Full { waiting: 8 }));
        for turn in [Turn::Operator, Turn::Webhook, Turn::Server] {
            assert_eq!((0..20).filter(|_| is_taken(turn.clone())).count(), 8, "{turn:?}");
        }
        assert_eq!(all(&taker).len(), 32);
        assert!(is_taken(ada()), "who has nothing in the queue begins anew");
        assert!(taker.0.state().lines.iter().all(|line| line.of.len() == line.order.len()));
    }

    #[test]
    fn what_was_sent_is_done_after_the_last_sender_has_gone() {
        let (sender, taker) = queue(8);
        let taking = thread::spawn(move || std::iter::from_fn(|| taker.take()).collect::<Vec<_>>());
        let another = sender.clone();
        sender.try_send(ada(), 1).expect("room");
        drop(sender);
        another.try_send(ada(), 2).expect("room");
        drop(another);
        assert_eq!(taking.join().expect("the thread ends"), [1, 2]);
    }

    #[test]
    fn nothing_is_kept_when_nobody_takes_it() {
        let (sender, taker) = queue(8);
        let another = taker.clone();
        drop(taker);
        let work = Arc::new(());
        sender.try_send(ada(), work.clone()).expect("somebody takes work");
        drop(another);
        assert_eq!(Arc::strong_count(&work), 1, "its owner learns that it is not done");
        assert_eq!(sender.try_send(ada(), work), Err(NotQueued::Ended));
    }
}
