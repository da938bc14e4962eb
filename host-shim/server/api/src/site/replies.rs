//! The callers that wait for the reply to a command, which may need the result of an effect.

use extension_contract::{Account, Reply};
use host_engine::processor::Report;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Receives a reply on the writer's thread; must be quick.
pub type OnReply = Box<dyn FnOnce(Reply) + Send>;

/// The waiting callers of a site, by the name that their command gives in `reply-to`.
#[derive(Default)]
pub struct Replies(Mutex<Waiting>);

#[derive(Default)]
struct Waiting {
    of_caller: HashMap<String, Vec<Wait>>,
    tickets: u64,
}

/// A request that waits.
struct Wait {
    ticket: u64,
    account: Option<Account>,
    answer: OnReply,
}

/// A caller that waits for the reply about an account.
pub(crate) struct Caller {
    pub(crate) name: String,
    pub(crate) account: Account,
}

impl Replies {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // A panic while the lock is held leaves the map consistent, so a poisoned lock can be used.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Registers `answer` for the reply to a caller; several requests may wait for one reply. If `account` is given,
    /// the reply may also come from another host. Call this before the command is sent, and pass the returned number to
    /// [`Replies::forget`].
    pub fn wait(&self, caller: &str, account: Option<&Account>, answer: OnReply) -> u64 {
        let mut waiting = self.lock();
        waiting.tickets += 1;
        let ticket = waiting.tickets;
        let wait = Wait { ticket, account: account.cloned(), answer };
        waiting.of_caller.entry(caller.to_owned()).or_default().push(wait);
        ticket
    }

    /// Ends a wait, whether its reply has come or not.
    pub fn forget(&self, caller: &str, ticket: u64) {
        let mut waiting = self.lock();
        let Some(of_caller) = waiting.of_caller.get_mut(caller) else { return };
        of_caller.retain(|wait| wait.ticket != ticket);
        if of_caller.is_empty() {
            waiting.of_caller.remove(caller);
        }
    }

    /// Passes the replies of committed runs to their callers.
    pub(crate) fn tell(&self, reports: &[Report]) {
        for report in reports {
            let (Some(caller), Some(reply)) = (&report.reply_to, &report.reply) else { continue };
            self.answer(caller, reply);
        }
    }

    /// Passes a reply to the requests of a caller.
    pub(crate) fn answer(&self, caller: &str, reply: &Reply) {
        let waiting = self.lock().of_caller.remove(caller).unwrap_or_default();
        waiting.into_iter().for_each(|wait| (wait.answer)(reply.clone()));
    }

    /// Returns the callers that wait for replies about some accounts.
    pub(crate) fn of_accounts(&self, accounts: &[Account]) -> Vec<Caller> {
        let waiting = self.lock();
        let of_caller = waiting.of_caller.iter().filter_map(|(name, waits)| {
            let account = waits.iter().find_map(|wait| wait.account.clone())?;
            accounts.contains(&account).then(|| Caller { name: name.clone(), account })
        });
        of_caller.collect()
    }
}
