//! A component that misbehaves in the way given by the event's kind. The host's tests run it.

// The generated code accesses raw memory.
#![allow(unsafe_code)]
// The generated code has no documentation.
#![allow(missing_docs)]

mod bindings;
mod decisions;

use bindings::exports::solobase::products::events::{Decision, Event, IgnoreReason, Outcome};
use bindings::exports::solobase::products::manifest::{Declarations, EffectDecl};
use bindings::exports::solobase::products::queries::{Balance, Entitlement, Listed, Offer, Question, UsageTotal};
use bindings::exports::solobase::products::schemas::Candidate;
use bindings::solobase::products::account::{self, Mark, Opened, Placement};
use bindings::solobase::products::catalog::CatalogQuery;
use bindings::solobase::products::effects::RetryPolicy;
use bindings::solobase::products::rows::{CatalogKey, ProductValues, RecordKey, RowKey, RowKind};
use bindings::solobase::products::types::{Account, Failure, ImportError, Page, Problem};
use bindings::solobase::products::{catalog, claims, log};

/// Kinds of Stripe events. They have no account, so `open` must place them.
const PAYMENT_KINDS: [&str; 5] = ["empty-key", "long-key", "many-keys", "long-account", "empty-account"];

struct Hostile;

impl bindings::exports::solobase::products::manifest::Guest for Hostile {
    fn declare() -> Declarations {
        Declarations {
            name: "hostile".to_owned(),
            version: "0.1.0".to_owned(),
            data_version: 1,
            product_types: Vec::new(),
            collections: vec!["notes".to_owned()],
            payment_kinds: PAYMENT_KINDS.map(str::to_owned).to_vec(),
            commands: Vec::new(),
            effects: vec![EffectDecl {
                kind: "mail.send".to_owned(),
                payload_schema: "{}".to_owned(),
                result_schema: "{}".to_owned(),
                retry: RetryPolicy { delays_ms: vec![1_000, 2_000] },
            }],
            config: Vec::new(),
        }
    }
}

impl bindings::exports::solobase::products::schemas::Guest for Hostile {
    fn validate(_: Candidate) -> Result<ProductValues, Problem> {
        die()
    }
}

impl bindings::exports::solobase::products::events::Guest for Hostile {
    fn handle(event: Event) -> Result<Decision, Failure> {
        match event.kind.as_str() {
            // Every host loads a catalog when it starts.
            "catalog.load" => {
                open(&Placement { keys: Vec::new(), account: None, mark: Mark::Unknown, names: Vec::new() })?;
                return Ok(decisions::of(Outcome::Applied));
            }
            "garbage" => return garbage(),
            "not-opened" => return decisions::good(&event.id, 0),
            kind if PAYMENT_KINDS.contains(&kind) => return place(kind),
            _ => {}
        }
        open(&Placement { keys: Vec::new(), account: None, mark: Mark::Unknown, names: Vec::new() })?;
        let key = RowKey::Record(RecordKey { collection: "notes".to_owned(), id: "n".to_owned() });
        let rows = account::load(&[key]).map_err(Failure::Store)?;
        let decision = decisions::good(&event.id, rows.first().map_or(0, decisions::version_of))?;
        match event.kind.as_str() {
            "behave" => Ok(decision),
            "spin" => spin(),
            "copy" => copy(),
            "allocate" => allocate(),
            "recurse" => Err(Failure::Internal(recurse(1).to_string())),
            "trap" => die(),
            "fail" => Err(Failure::Internal("on request".to_owned())),
            "open-twice" => {
                open(&Placement { keys: Vec::new(), account: None, mark: Mark::Unknown, names: Vec::new() })?;
                Ok(decision)
            }
            "million-keys" => {
                let keys = vec![String::new(); 1_000_000];
                claims::take(&keys).map_err(Failure::Store)?;
                Ok(decision)
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
            kind => decisions::spoil(kind, decision),
        }
    }
}

impl bindings::exports::solobase::products::queries::Guest for Hostile {
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

    fn list(_: Question, _: String, _: Option<String>, _: Page) -> Result<Vec<Listed>, Problem> {
        die()
    }
}

fn open(placement: &Placement) -> Result<Opened, Failure> {
    account::open(placement, &[]).map_err(Failure::Store)
}

/// Opens the account with an invalid placement. The host must ignore the decision that is returned.
fn place(kind: &str) -> Result<Decision, Failure> {
    let (keys, account) = match kind {
        "empty-key" => (vec![String::new()], None),
        "long-key" => (vec!["k".repeat(256)], None),
        "many-keys" => (vec!["k".to_owned(); 257], None),
        "long-account" => (Vec::new(), Some(Account::User("u".repeat(256)))),
        _ => (Vec::new(), Some(Account::User(String::new()))),
    };
    open(&Placement { keys, account, mark: Mark::Unknown, names: Vec::new() })?;
    decisions::good("nowhere", 0)
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

/// Copies megabytes in a loop. One instruction copies all of them.
fn copy() -> ! {
    const HALF: usize = 16 << 20;
    let mut bytes = vec![1_u8; 2 * HALF];
    loop {
        std::hint::black_box(&mut bytes).copy_within(..HALF, HALF);
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

/// Passes invalid arguments to the imports. Each import must return an error for them.
fn garbage() -> Result<Decision, Failure> {
    let placement = || Placement { keys: Vec::new(), account: None, mark: Mark::Unknown, names: Vec::new() };
    let product = |id: String| RowKey::Product(id);
    let listed = |limit| {
        let listing =
            account::Listing { kind: RowKind::Product, prefix: String::new(), descending: false, after: None };
        account::more(&account::Selection::Listed(listing), limit)
    };
    let find = |limit| catalog::find(&CatalogQuery::All, &Page { after: None, limit });
    let early = [
        ("rows before the account is open", is_denied(&account::load(&[product("p".to_owned())]))),
        ("a page before the account is open", is_denied(&listed(1))),
        ("facts before the account is open", is_denied(&account::known(&["f".to_owned()]))),
        ("effects before the account is open", is_denied(&account::begun(&["k".to_owned()]))),
        ("claims before the account is open", is_denied(&claims::take(&["k".to_owned()]))),
        ("257 facts to open with", is_limit(&account::open(&placement(), &vec!["f".to_owned(); 257]))),
    ];
    open(&placement())?;
    let late = [
        ("the account opened twice", is_denied(&account::open(&placement(), &[]))),
        ("257 ids", is_limit(&account::load(&vec![product("p".to_owned()); 257]))),
        ("an empty id", is_limit(&account::load(&[product(String::new())]))),
        ("an id of 256 bytes", is_limit(&account::load(&[product("p".repeat(256))]))),
        ("a page of 4 billion rows", is_limit(&listed(u32::MAX))),
        ("a page of no rows", is_limit(&listed(0))),
        ("a fact of 256 bytes", is_limit(&account::known(&["f".repeat(256)]))),
        ("an empty effect key", is_limit(&account::begun(&[String::new()]))),
        ("an empty claim key", is_limit(&claims::take(&[String::new()]))),
        ("257 claim keys", is_limit(&claims::take(&vec!["k".to_owned(); 257]))),
        ("an undeclared setting", is_denied(&catalog::read(&[CatalogKey::Setting("no-such".to_owned())]))),
        ("a catalog of 4 billion rows", is_limit(&find(u32::MAX))),
        ("a catalog of no rows", is_limit(&find(0))),
    ];
    match early.iter().chain(&late).find(|(_, refused)| !refused) {
        None => Ok(decisions::of(Outcome::Ignored(IgnoreReason::NoChange))),
        Some((what, _)) => Err(Failure::Internal(format!("not refused: {what}"))),
    }
}

fn is_denied<T>(answer: &Result<T, ImportError>) -> bool {
    matches!(answer, Err(ImportError::Denied(_)))
}

fn is_limit<T>(answer: &Result<T, ImportError>) -> bool {
    matches!(answer, Err(ImportError::LimitExceeded(_)))
}

bindings::export_world!(Hostile with_types_in bindings);
