//! Counts open streams. Each actor may open a few, so nobody can use up everybody's streams, and some are reserved for operators, who
//! need them most when everything else is busy.

use crate::problem::Problem;
use extension_contract::ActorKind;
use host_business::routes::limits::{PROGRAM_STREAMS_MAX, STREAMS_MAX, STREAMS_OF_OPERATORS, USER_STREAMS_MAX};
use host_identity::access::Caller;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Seconds after which a caller with too many streams may try again.
const RETRY_AFTER_S: u64 = 10;

/// The open streams of a server.
#[derive(Debug, Default)]
pub(crate) struct Streams(Mutex<Open>);

#[derive(Debug, Default)]
struct Open {
    all: usize,
    /// The streams of callers other than operators.
    others: usize,
    /// By business, mode, kind of actor and id.
    of_actors: HashMap<String, usize>,
}

/// An open stream, until it is dropped.
#[derive(Debug)]
pub(crate) struct OpenStream {
    streams: Arc<Streams>,
    actor: String,
    is_operator: bool,
}

impl Streams {
    fn open(&self) -> MutexGuard<'_, Open> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a stream of a caller.
    ///
    /// # Errors
    /// Fails if the caller or the server has reached its maximum.
    pub(crate) fn begin(self: &Arc<Streams>, caller: &Caller) -> Result<OpenStream, Problem> {
        let Caller { partition, actor, .. } = caller;
        let name = format!("{}:{:?}:{}", partition.name(), actor.kind, actor.subject);
        let own_max = if actor.kind == ActorKind::User { USER_STREAMS_MAX } else { PROGRAM_STREAMS_MAX };
        let is_operator = caller.is_operator();
        let mut open = self.open();
        if open.of_actors.get(&name).is_some_and(|own| *own >= own_max) {
            return Err(Problem::too_many("too many of your streams are open", RETRY_AFTER_S));
        }
        if open.all >= STREAMS_MAX || (!is_operator && open.others >= STREAMS_MAX - STREAMS_OF_OPERATORS) {
            return Err(Problem::unavailable("too many streams are open"));
        }
        open.all += 1;
        open.others += usize::from(!is_operator);
        *open.of_actors.entry(name.clone()).or_default() += 1;
        Ok(OpenStream { streams: self.clone(), actor: name, is_operator })
    }
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        let mut open = self.streams.open();
        open.all = open.all.saturating_sub(1);
        open.others = open.others.saturating_sub(usize::from(!self.is_operator));
        let left = open.of_actors.get(&self.actor).map_or(0, |own| own.saturating_sub(1));
        match left {
            0 => drop(open.of_actors.remove(&self.actor)),
            left => drop(open.of_actors.insert(self.actor.clone(), left)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use extension_contract::Actor;
    use host_identity::access::Reach;
    use host_store::Partition;
    use std::collections::BTreeMap;

    fn caller(kind: ActorKind, subject: &str) -> Caller {
        Caller {
            key: subject.to_owned(),
            partition: Partition { business: "shop".to_owned(), livemode: false },
            actor: Actor { kind, subject: subject.to_owned(), roles: Vec::new() },
            reach: Reach::All,
            in_accounts: BTreeMap::new(),
        }
    }

    #[test]
    fn nobody_takes_the_streams_of_others() {
        let streams = Arc::new(Streams::default());
        let begin = |kind, subject: &str| streams.begin(&caller(kind, subject));
        let mut eve: Vec<OpenStream> =
            (0..USER_STREAMS_MAX).map(|_| begin(ActorKind::User, "eve").expect("room")).collect();
        assert_eq!(begin(ActorKind::User, "eve").expect_err("too many").status(), 429);
        let _others = begin(ActorKind::User, "ada").expect("room for others");
        drop(eve.pop());
        begin(ActorKind::User, "eve").expect("one has ended");
        drop(eve);
        assert_eq!(streams.open().of_actors.len(), 1, "who has no stream is forgotten");
    }

    #[test]
    fn operators_have_streams_when_all_others_are_taken() {
        let streams = Arc::new(Streams::default());
        let users = STREAMS_MAX - STREAMS_OF_OPERATORS;
        let taken: Vec<OpenStream> = (0..users)
            .map(|n| streams.begin(&caller(ActorKind::User, &format!("u{}", n / USER_STREAMS_MAX))).expect("room"))
            .collect();
        for kind in [ActorKind::User, ActorKind::Service] {
            assert_eq!(streams.begin(&caller(kind, "late")).expect_err("full").status(), 503);
        }
        let operator =
            || (0..PROGRAM_STREAMS_MAX).map(|_| streams.begin(&caller(ActorKind::Admin, "root")).expect("a share"));
        drop(operator().collect::<Vec<_>>());
        drop(taken);
        let open = streams.open();
        assert_eq!((open.all, open.others), (0, 0));
    }
}
