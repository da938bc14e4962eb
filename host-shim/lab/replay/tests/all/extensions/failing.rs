//! A failure of the extension is not reported as a mistake of the catalog.

use extension_contract::{
    Balance, Candidate, Decision, Declarations, Entitlement, Event, Extension, Failure, Imports, Listed, Offer, Page,
    Problem, ProductValues, Question, Timestamp, UsageTotal,
};
use host_replay::rig::{Rig, RigSetup, StoreKind};
use host_replay::runners::Runners;
use host_scenario::business::BusinessFolder;
use host_scenario::error::ReplayError;
use host_wasm_runner::native::NativeRunner;
use instance_provisioner::Provisioner;

/// An extension that fails at every event, but answers all other calls.
struct Failing;

impl Extension for Failing {
    fn declare(&self) -> Declarations {
        Provisioner.declare()
    }
    fn validate(&self, host: &mut dyn Imports, candidate: &Candidate) -> Result<ProductValues, Problem> {
        Provisioner.validate(host, candidate)
    }
    fn handle(&self, _: &mut dyn Imports, _: &Event) -> Result<Decision, Failure> {
        Err(Failure::Internal("it stumbled".to_owned()))
    }
    fn catalog(&self, host: &mut dyn Imports, question: &Question) -> Result<Vec<Offer>, Problem> {
        Provisioner.catalog(host, question)
    }
    fn entitlements(&self, host: &mut dyn Imports, question: &Question) -> Result<Vec<Entitlement>, Problem> {
        Provisioner.entitlements(host, question)
    }
    fn usage(
        &self,
        host: &mut dyn Imports,
        question: &Question,
        start: Timestamp,
        end: Timestamp,
    ) -> Result<Vec<UsageTotal>, Problem> {
        Provisioner.usage(host, question, start, end)
    }
    fn balances(&self, host: &mut dyn Imports, question: &Question) -> Result<Vec<Balance>, Problem> {
        Provisioner.balances(host, question)
    }
    fn list(
        &self,
        host: &mut dyn Imports,
        question: &Question,
        kind: &str,
        filter: Option<&str>,
        page: &Page,
    ) -> Result<Vec<Listed>, Problem> {
        Provisioner.list(host, question, kind, filter, page)
    }
}

#[test]
fn a_failure_of_the_extension_is_not_reported_as_a_mistake_of_the_catalog() {
    let started = Rig::start(RigSetup {
        business: BusinessFolder::load(&test_support::in_business("solobase")).expect("the business"),
        livemode: false,
        config: Vec::new(),
        runners: Runners::new("failing", || Ok(Box::new(NativeRunner::new(Box::new(Failing))))),
        store: StoreKind::Memory,
        clock: 0,
        live: None,
    });
    let error = match started {
        Err(error @ ReplayError::Host(_)) => error,
        Err(error) => panic!("{error:?}"),
        Ok(_) => panic!("it started"),
    };
    let text = error.to_string();
    assert!(text.contains("it stumbled") && !text.contains("catalog.yml"), "{text}");
    assert!(!error.is_bad_input(), "nobody gave anything wrong");
}
