//! The WebAssembly component: exports the `instance-provisioner` library through the WIT world.
//!
//! The component only converts: arguments become types of `extension-contract`, [`Provisioner`] decides, and the result
//! is converted back. The component imports only this package's interfaces; a test of `host-wasm-runner` checks this.

// The generated bindings and the exports below use raw memory.
#![allow(unsafe_code)]

use extension_contract::Extension;
use instance_provisioner::Provisioner;

mod bindings;
mod convert;
mod host;
mod wire;

use convert::Cross;
use host::Host;

#[cfg(target_arch = "wasm32")]
#[global_allocator]
static ARENA: extension_arena::Arena = extension_arena::Arena::new();

/// Implements the exports of the world: each export calls one function of the library.
struct Component;

const EXTENSION: Provisioner = Provisioner;

impl wire::manifest::Guest for Component {
    fn declare() -> wire::Declarations {
        EXTENSION.declare().cross()
    }
}

impl wire::schemas::Guest for Component {
    fn validate(candidate: wire::Candidate) -> Result<wire::ProductValues, wire::Problem> {
        EXTENSION.validate(&mut Host, &candidate.cross()).cross()
    }
}

impl wire::events::Guest for Component {
    fn handle(event: wire::Event) -> Result<wire::Decision, wire::Failure> {
        EXTENSION.handle(&mut Host, &event.cross()).cross()
    }
}

impl wire::queries::Guest for Component {
    fn catalog(question: wire::Question) -> Result<Vec<wire::Offer>, wire::Problem> {
        EXTENSION.catalog(&mut Host, &question.cross()).cross()
    }

    fn entitlements(question: wire::Question) -> Result<Vec<wire::Entitlement>, wire::Problem> {
        EXTENSION.entitlements(&mut Host, &question.cross()).cross()
    }

    fn usage(question: wire::Question, start: i64, end: i64) -> Result<Vec<wire::UsageTotal>, wire::Problem> {
        EXTENSION.usage(&mut Host, &question.cross(), start, end).cross()
    }

    fn balances(question: wire::Question) -> Result<Vec<wire::Balance>, wire::Problem> {
        EXTENSION.balances(&mut Host, &question.cross()).cross()
    }

    fn list(
        question: wire::Question,
        kind: String,
        filter: Option<String>,
        page: wire::Page,
    ) -> Result<Vec<wire::Listed>, wire::Problem> {
        EXTENSION.list(&mut Host, &question.cross(), &kind, filter.as_deref(), &page.cross()).cross()
    }
}

bindings::export_world!(Component with_types_in bindings);
