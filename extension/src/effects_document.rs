//! Compares the tables of `docs/reference/effects.md` with the tables of effects, keys, mails and built-in facts. `UPDATE_GOLDEN=1` rewrites
//! them.

use crate::catalog::built_in_facts::{BUILT_IN_FACTS, WHEN};
use crate::model::effect_kinds::{self, DOES, EFFECTS, NAMED};
use crate::model::keys::EffectKey;
use crate::model::mail::To;
use crate::model::mail_kinds;
use std::fs;
use std::path::Path;

/// Joins the lines of a doc comment, without the final full stop.
fn words(lines: &[&str]) -> String {
    let text = lines.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ");
    text.strip_suffix('.').unwrap_or(&text).to_owned()
}

fn codes(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

fn table(head: &str, rows: impl Iterator<Item = String>) -> String {
    let columns = head.matches('|').count() - 1;
    // An empty cell has one blank.
    let rows = rows.map(|row| format!("{}\n", row.replace("|  |", "| |").replace("|  |", "| |")));
    format!("{head}\n|{}\n{}", "---|".repeat(columns), rows.collect::<String>())
}

fn effects_table() -> String {
    let minutes = |delays: &[u32]| delays.iter().sum::<u32>() / 60_000;
    let rows = EFFECTS.iter().zip(DOES).map(|(effect, does)| {
        let (payload, result) = (codes(effect.payload), codes(effect.result));
        let tries = format!("{} in {} min", effect.retry.len() + 1, minutes(effect.retry));
        format!("| `{}` | {} | {payload} | {result} | {tries} |", effect.kind, words(does))
    });
    table("| effect | what it does | required payload | required result | attempts |", rows)
}

fn keys_table() -> String {
    let host = [
        ("ACCOUNT_SEND", effect_kinds::ACCOUNT_SEND),
        ("ACCOUNT_ERASE", effect_kinds::ACCOUNT_ERASE),
        ("PAYMENT_EVENT", effect_kinds::PAYMENT_EVENT),
        ("TIMER_AT", effect_kinds::TIMER_AT),
    ];
    let rows = EffectKey::DOCUMENTED.iter().filter(|(_, name, _)| *name != "TIMER_AT").map(|(text, name, does)| {
        let known = NAMED.iter().chain(&host).find(|(known, _)| known == name).map(|(_, kind)| format!("`{kind}`"));
        let kind = known.unwrap_or_else(|| "as the clause names it".to_owned());
        format!("| `{}` | {kind} | {} |", text.replace("{asked_by}", "{event}"), words(does))
    });
    table("| key | effect | meaning |", rows)
}

fn mails_table() -> String {
    let rows = mail_kinds::ALL.iter().map(|(mail, when)| {
        let to = match mail.to {
            To::Account => "the account",
            To::Admin => "the operators",
        };
        format!("| `{}` | {to} | {} | {} |", mail.template, words(when), codes(mail.values))
    });
    table("| mail | to | when | values |", rows)
}

fn facts_table() -> String {
    let rows = BUILT_IN_FACTS
        .iter()
        .zip(WHEN)
        .map(|(fact, when)| format!("| `{}` | {} | {} |", fact.name, words(when), codes(fact.fields)));
    table("| fact | when | fields |", rows)
}

#[test]
fn the_document_lists_every_effect_key_mail_and_built_in_fact() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/reference/effects.md");
    let mut document = fs::read_to_string(&path).expect("the document can be read");
    let given = document.clone();
    for (name, table) in
        [("effects", effects_table()), ("keys", keys_table()), ("mails", mails_table()), ("facts", facts_table())]
    {
        let mark = format!("<!-- {name} -->\n");
        let begin = document.find(&mark).unwrap_or_else(|| panic!("no mark of {name}")) + mark.len();
        let end = begin + document[begin..].find("<!-- end -->").expect("the end of the table");
        document.replace_range(begin..end, &table);
    }
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, document).expect("the document can be written");
        return;
    }
    assert_eq!(given, document, "docs/reference/effects.md differs; UPDATE_GOLDEN=1 rewrites its tables");
}

#[test]
fn the_effects_stand_in_the_order_of_their_kinds() {
    assert!(EFFECTS.windows(2).all(|pair| pair[0].kind < pair[1].kind));
}
