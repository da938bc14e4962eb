//! A component that misbehaves on request: the kind of the event says how. The engine's tests run it.

// What the generator makes talks to raw memory.
#![allow(unsafe_code)]
// It says nothing that anybody would read.
#![allow(missing_docs)]

wit_bindgen::generate!({ path: "../../wit", world: "extension" });

use exports::solobase::products::events::{Event, Handled, IgnoreReason, Outcome, Placement, Reply};
use exports::solobase::products::manifest::Declarations;
use exports::solobase::products::queries::{Balance, Entitlement, Offer, Question, UsageTotal};
use exports::solobase::products::schemas::Candidate;
use solobase::products::products::ProductValues;
use solobase::products::records::{RecordKey, RecordWrite};
use solobase::products::types::{Failure, Page, Problem, StoreError};
use solobase::products::{claims, config, effects, log, products, records};

struct Hostile;

impl exports::solobase::products::manifest::Guest for Hostile {
    fn declare() -> Declarations {
        Declarations {
            name: "hostile".to_owned(),
            version: "0.1.0".to_owned(),
            data_version: 1,
            product_types: Vec::new(),
            collections: vec!["notes".to_owned()],
            provider_kinds: Vec::new(),
            commands: Vec::new(),
            effects: Vec::new(),
            config: Vec::new(),
        }
    }
}

impl exports::solobase::products::schemas::Guest for Hostile {
    fn validate(_: Candidate) -> Result<ProductValues, Problem> {
        die()
    }
}

impl exports::solobase::products::events::Guest for Hostile {
    fn correlate(event: Event) -> Result<Placement, Failure> {
        let keys = match event.kind.as_str() {
            "empty-key" => vec![String::new()],
            "long-key" => vec!["k".repeat(256)],
            "many-keys" => vec!["k".to_owned(); 257],
            _ => Vec::new(),
        };
        Ok(Placement { keys, account: None, mark: exports::solobase::products::events::Mark::Unknown })
    }

    fn handle(event: Event) -> Result<Handled, Failure> {
        match event.kind.as_str() {
            "behave" => {
                records::note(&["behaved".to_owned()]).map_err(Failure::Store)?;
                Ok(Handled { outcome: Outcome::Applied, reply: None })
            }
            "spin" => spin(),
            "allocate" => allocate(),
            "recurse" => Err(Failure::Internal(recurse(1).to_string())),
            "trap" => die(),
            "fail" => Err(Failure::Internal("on request".to_owned())),
            "long-reply" => answer(format!("\"{}\"", "x".repeat(256 * 1024))),
            "huge-reply" => answer("x".repeat(9 << 20)),
            "broken-reply" => answer("{\"a\":".to_owned()),
            "empty-fact" => Ok(Handled { outcome: Outcome::Duplicate(String::new()), reply: None }),
            "garbage" => garbage(),
            "million-keys" => {
                let keys = vec![String::new(); 1_000_000];
                claims::take(&keys, None).map_err(Failure::Store)?;
                ignored()
            }
            "chatter" => loop {
                log::write(log::Level::Debug, "", &[]);
            },
            "flood" => {
                let message = "x".repeat(4 << 20);
                loop {
                    log::write(log::Level::Debug, &message, &[]);
                }
            }
            _ => ignored(),
        }
    }

    fn migrate(_: u32, _: i64) -> Result<(), Failure> {
        die()
    }
}

impl exports::solobase::products::queries::Guest for Hostile {
    fn catalog(_: Question) -> Result<Vec<Offer>, Problem> {
        die()
    }

    fn entitlements(_: Question) -> Result<Vec<Entitlement>, Problem> {
        die()
    }

    fn usage(_: Question, _: i64, _: i64) -> Result<Vec<UsageTotal>, Problem> {
        die()
    }

    fn balances(_: Question) -> Result<Vec<Balance>, Problem> {
        die()
    }
}

fn ignored() -> Result<Handled, Failure> {
    Ok(Handled { outcome: Outcome::Ignored(IgnoreReason::UnhandledKind), reply: None })
}

fn answer(json: String) -> Result<Handled, Failure> {
    Ok(Handled { outcome: Outcome::Applied, reply: Some(Reply::Answer(json)) })
}

fn die() -> ! {
    #[cfg(target_arch = "wasm32")]
    core::arch::wasm32::unreachable();
    #[cfg(not(target_arch = "wasm32"))]
    std::process::abort();
}

fn spin() -> ! {
    loop {
        std::hint::black_box(());
    }
}

fn allocate() -> ! {
    let mut hoard = Vec::new();
    loop {
        hoard.push(std::hint::black_box(vec![1_u8; 1 << 20]));
    }
}

#[inline(never)]
fn recurse(depth: u64) -> u64 {
    if depth == 0 { 0 } else { recurse(std::hint::black_box(depth + 1)) ^ depth }
}

/// Pass nonsense to the imports; each must refuse it with an error that the guest can read.
fn garbage() -> Result<Handled, Failure> {
    let write = |collection: &str, id: &str, value: &str| {
        let key = RecordKey { collection: collection.to_owned(), id: id.to_owned() };
        records::save(&[RecordWrite { key, expected: 0, value: Some(value.to_owned()) }])
    };
    let values = |metadata: &str| ProductValues {
        product_type: "t".to_owned(),
        name: String::new(),
        description: String::new(),
        active: true,
        price: None,
        interval: None,
        filters: Vec::new(),
        metadata: metadata.to_owned(),
    };
    let effect = |kind: &str, payload: &str| effects::Effect {
        kind: kind.to_owned(),
        to: None,
        key: "k".to_owned(),
        generation: 0,
        payload: payload.to_owned(),
        reply_to: None,
        ordering_key: None,
        not_before: None,
        deadline: None,
        retry: None,
    };
    let endless_page = Page { after: None, limit: u32::MAX };
    let refused = [
        ("a record that is no JSON", is_invalid(&write("notes", "n", "{"))),
        ("a record that is no object", is_invalid(&write("notes", "n", "[]"))),
        ("a record nested without end", is_invalid(&write("notes", "n", &"[".repeat(100_000)))),
        ("a record of 257 KiB", is_limit(&write("notes", "n", &format!("{{\"a\":\"{}\"}}", "x".repeat(257 << 10))))),
        ("an undeclared collection", matches!(write("others", "n", "{}"), Err(StoreError::Denied(_)))),
        ("an empty id", is_limit(&write("notes", "", "{}"))),
        ("an id of 256 bytes", is_limit(&write("notes", &"n".repeat(256), "{}"))),
        ("257 ids", is_limit(&products::load(&vec!["p".to_owned(); 257]))),
        ("a page of 4 billion rows", is_limit(&products::scan(false, None, &endless_page))),
        ("a page of no rows", is_limit(&products::scan(false, None, &Page { after: None, limit: 0 }))),
        ("a product whose metadata is no JSON", is_invalid(&products::save("p", 0, &values("nonsense")))),
        ("a row that is not there", matches!(products::save("p", 7, &values("{}")), Err(StoreError::Conflict(0)))),
        (
            "an unknown effect",
            matches!(effects::enqueue(&[effect("no.such", "{}")]), Err(effects::EffectError::UnknownKind(_))),
        ),
        ("an undeclared setting", config::load(&["no-such".to_owned()]).is_err()),
        ("a fact of 256 bytes", is_limit(&records::note(&["f".repeat(256)]))),
    ];
    match refused.iter().find(|(_, refused)| !refused) {
        None => Ok(Handled { outcome: Outcome::Applied, reply: None }),
        Some((what, _)) => Err(Failure::Internal(format!("not refused: {what}"))),
    }
}

fn is_invalid<T>(answer: &Result<T, StoreError>) -> bool {
    matches!(answer, Err(StoreError::Invalid(_)))
}

fn is_limit<T>(answer: &Result<T, StoreError>) -> bool {
    matches!(answer, Err(StoreError::LimitExceeded(_)))
}

export!(Hostile);
