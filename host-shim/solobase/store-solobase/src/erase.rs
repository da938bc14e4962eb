//! Erases the personal data in an account's events and effects.

use crate::events::{bytes_text, read, runs};
use crate::group::Group;
use crate::query::Query;
use crate::record::Value;
use crate::tables::{EFFECTS, EVENTS, REPLIES};
use extension_contract::Effect;
use host_store::implementation::erase::{self, NO_JSON};
use host_store::implementation::json::{DEAD, DONE, RunJson, from_json, payload_columns, to_json};
use host_store::{Scope, Stored};

impl Group {
    /// Erases the done and dead events of an account, its ended effects, and its replies.
    pub(crate) fn erase(&self, scope: &Scope) -> Stored<()> {
        self.erase_some(scope, usize::MAX).map(drop)
    }

    /// Erases up to `limit` of them. Returns true if there may be more.
    pub(crate) fn erase_some(&self, scope: &Scope, limit: usize) -> Stored<bool> {
        let mut left = limit;
        let ended = vec![Value::Int(i64::from(DONE)), Value::Int(i64::from(DEAD))];
        let of_account =
            Query::of(&EVENTS).eq("space", scope.partition().name()).eq("account", scope.account.to_string());
        let events = self.select(&of_account.among("state", ended).eq("erased", false).sort("seq").limit(left))?;
        left -= events.len();
        for row in events {
            let mut event = read(&row)?;
            erase::payload(&mut event.event.payload);
            erase::error(&mut event.error);
            erase::outcome(&mut event.outcome);
            let mut runs = runs(&row)?;
            runs.iter_mut().for_each(erase::run);
            let (_, payload) = payload_columns(&event.event.payload)?;
            let erased = row
                .with("payload", bytes_text(&payload))
                // Null would mean that the raw bytes equal the payload.
                .with("raw", bytes_text(&[]))
                .with("error", event.error)
                .with("outcome", event.outcome.as_ref().map(to_json).transpose()?)
                .with("runs", to_json(&runs.iter().map(RunJson::of).collect::<Vec<_>>())?)
                .with("erased", true);
            self.set(&EVENTS, erased)?;
        }
        let ended = Query::of(&EFFECTS).eq("scope", scope.name()).eq("open", false).eq("erased", false);
        let effects = self.select(&ended.sort("seq").limit(left))?;
        left -= effects.len();
        for row in effects {
            let mut effect: Effect = from_json(row.text("body")?)?;
            (effect.payload, effect.context) = (NO_JSON.to_owned(), NO_JSON.to_owned());
            self.set(&EFFECTS, row.with("body", to_json(&effect)?).with("erased", true))?;
        }
        let replies = self.select(&Query::of(&REPLIES).eq("scope", scope.name()).sort("ord").limit(left))?;
        left -= replies.len();
        for row in replies {
            self.put(&REPLIES, &row.id, None)?;
        }
        Ok(left == 0)
    }
}
