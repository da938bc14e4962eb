//! Erases the personal data of an account. The server removes old versions of the rows at its next `VACUUM`.

use crate::decode::{column, get, json, scope};
use crate::store::PostgresStore;
use crate::wire::Params;
use host_store::implementation::erase;
use host_store::implementation::json::{RunJson, payload_columns, to_json};
use host_store::{InboxRow, Scope, Stored};

/// Number of events that are read at a time.
const PAGE: i64 = 256;

/// Erases the ended events and effects of an account, and its replies.
pub(crate) fn account(store: &PostgresStore, scope: &Scope) -> Stored<()> {
    let account = scope.account.to_string();
    let mut after = 0;
    loop {
        let conditions = " AND t.account = $3 AND t.seq > $4 AND t.state >= 3 AND NOT t.erased ORDER BY t.seq LIMIT $5";
        let page = store.events(conditions, &[&scope.business, &scope.livemode, &account, &after, &PAGE])?;
        let Some(last) = page.last() else { break };
        after = column(last.seq);
        page.into_iter().try_for_each(|row| event(store, row))?;
    }
    let params: Params<'_> = &[&scope.business, &scope.livemode, &account];
    let erase =
        "UPDATE effects SET payload = '{}', context = '{}', erased = true WHERE state >= 2 AND NOT erased AND scope = ";
    store.query(&[erase, scope!()].concat(), params)?;
    store.query(concat!("DELETE FROM replies WHERE scope = ", scope!()), params)?;
    Ok(())
}

fn event(store: &PostgresStore, row: InboxRow) -> Stored<()> {
    let InboxRow { seq, event, mut error, mut outcome, .. } = row;
    let (number, mut payload) = (column(seq), event.payload);
    erase::payload(&mut payload);
    erase::error(&mut error);
    erase::outcome(&mut outcome);
    let (_, payload) = payload_columns(&payload)?;
    let outcome = outcome.as_ref().map(to_json).transpose()?;
    // Without raw bytes of its own, the event would have those of the payload.
    let sql =
        "UPDATE events SET payload = $2, raw = '', error = $3, outcome = $4::text::json, erased = true WHERE seq = $1";
    store.query(sql, &[&number, &&*payload, &error, &outcome])?;
    let earlier = store.query("SELECT n, run::text FROM runs WHERE seq = $1", &[&number])?;
    for row in &earlier {
        let run = erased_run(get(row, 1)?)?;
        let n: i32 = get(row, 0)?;
        store.query("UPDATE runs SET run = $3::text::json WHERE seq = $1 AND n = $2", &[&number, &n, &run])?;
    }
    if let Some(row) = store.query_one("SELECT run::text FROM events WHERE seq = $1 AND run IS NOT NULL", &[&number])? {
        let run = erased_run(get(&row, 0)?)?;
        store.query("UPDATE events SET run = $2::text::json WHERE seq = $1", &[&number, &run])?;
    }
    Ok(())
}

fn erased_run(text: &str) -> Stored<String> {
    let mut run = json::<RunJson<'_>>(text)?.into_run();
    erase::run(&mut run);
    to_json(&RunJson::of(&run))
}
