//! Backups of suspended projects.

use crate::supabase::bench::{Bench, call, change, config, ensure};
use counterparts::Project;
use host_provider_api::{Call, CallOutcome, Provider, Registry, Reply};
use host_providers::supabase::Awake;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};

/// A backup provider that needs a running project and two polls.
struct BackupProvider {
    bench: Arc<Bench>,
    ends: Mutex<CallOutcome>,
    /// The project's status at each call, and the call's token.
    seen: Mutex<Vec<(String, Option<String>)>>,
}

impl Provider for BackupProvider {
    fn call(&self, call: &Call) -> CallOutcome {
        let status = self.bench.double.projects().first().map(|project| project.status.clone()).unwrap_or_default();
        self.seen.lock().unwrap().push((status, call.token.clone()));
        match call.token.as_deref() {
            None => CallOutcome::InProgress { after_ms: 1, token: "look:1".to_owned() },
            Some("look:1") => CallOutcome::InProgress { after_ms: 1, token: "look:2".to_owned() },
            Some("look:2") => self.ends.lock().unwrap().clone(),
            other => panic!("a foreign token: {other:?}"),
        }
    }
}

/// Maximum polls of one call: fewer than the polls after which the API request is repeated.
const POLLS_MAX: usize = 16;

struct TestSite {
    bench: Arc<Bench>,
    backups: Arc<BackupProvider>,
    registry: Registry,
}

fn done() -> CallOutcome {
    CallOutcome::Done(json!({"backup_id": "b 1", "verified": true}))
}

impl TestSite {
    /// Starts a running project of `orch_acme/database` and its backup provider.
    fn start() -> (TestSite, Value) {
        let bench = Arc::new(Bench::start());
        let outputs = bench.done(&ensure());
        bench.double.set_polls(2);
        let backups =
            Arc::new(BackupProvider { bench: bench.clone(), ends: Mutex::new(done()), seen: Mutex::new(Vec::new()) });
        let awake = Awake::new(config(bench.proxy.url()), backups.clone());
        (TestSite { bench, backups, registry: Registry::with_default(Arc::new(awake)) }, outputs)
    }

    fn call(&self, call: &Call) -> CallOutcome {
        let Reply::Answer(answer) = self.registry.call(call) else { panic!("expected an answer") };
        assert!(!format!("{answer:?}").contains("sbp_"), "a token leaked");
        answer
    }

    /// Calls the provider and polls until the outcome is not `InProgress`.
    fn ask(&self, call: &Call) -> CallOutcome {
        let mut answer = self.call(call);
        for _ in 0..POLLS_MAX {
            let CallOutcome::InProgress { token, .. } = answer else { return answer };
            answer = self.call(&Call { token: Some(token), ..call.clone() });
        }
        panic!("too many polls")
    }

    /// Polls until the backup provider was called `times` times. Returns the call for the next poll.
    fn begun(&self, call: &Call, times: usize) -> Call {
        let mut look = call.clone();
        for _ in 0..POLLS_MAX {
            let CallOutcome::InProgress { token, .. } = self.call(&look) else { panic!("expected progress") };
            look = Call { token: Some(token), ..look };
            if self.seen().len() >= times {
                return look;
            }
        }
        panic!("too many polls")
    }

    /// Returns the project's status at each call of the backup provider.
    fn seen(&self) -> Vec<String> {
        self.backups.seen.lock().unwrap().iter().map(|(status, _)| status.clone()).collect()
    }

    fn status(&self) -> String {
        self.bench.only().status
    }
}

fn backup(outputs: &Value) -> Call {
    call("backup", 2, json!({"outputs": outputs}))
}

#[test]
fn a_running_project_is_left_alone() {
    let (site, outputs) = TestSite::start();
    assert_eq!(site.ask(&backup(&outputs)), done());
    assert_eq!(site.seen(), ["ACTIVE_HEALTHY"; 3]);
    assert_eq!(site.status(), "ACTIVE_HEALTHY");
}

#[test]
fn a_suspended_project_is_resumed_for_its_backup_and_suspended_again() {
    for end in [done(), CallOutcome::refused("no-room", "the disk is full"), CallOutcome::retry("busy", "later")] {
        let (site, outputs) = TestSite::start();
        site.bench.done(&change(2, "suspended"));
        *site.backups.ends.lock().unwrap() = end.clone();
        assert_eq!(site.ask(&backup(&outputs)), end);
        assert_eq!(site.seen(), ["ACTIVE_HEALTHY"; 3], "{end:?}");
        assert_eq!(site.status(), "INACTIVE", "{end:?}");
    }
}

#[test]
fn a_backup_waits_for_a_project_that_is_being_suspended() {
    let (site, outputs) = TestSite::start();
    let CallOutcome::InProgress { .. } = site.bench.call(&change(2, "suspended")) else { panic!("expected progress") };
    assert_eq!(site.ask(&backup(&outputs)), done());
    assert_eq!((site.seen(), site.status().as_str()), (vec!["ACTIVE_HEALTHY".to_owned(); 3], "INACTIVE"));
}

#[test]
fn a_project_resumed_by_a_newer_call_is_not_paused() {
    let (site, outputs) = TestSite::start();
    site.bench.done(&change(2, "suspended"));
    let begun = site.begun(&backup(&outputs), 1);
    site.bench.done(&change(3, "running"));
    assert_eq!(site.ask(&begun), done());
    assert_eq!(site.status(), "ACTIVE_HEALTHY");
}

#[test]
fn a_failed_pause_is_repeated_without_a_second_backup() {
    let (site, outputs) = TestSite::start();
    site.bench.done(&change(2, "suspended"));
    let begun = site.begun(&backup(&outputs), 2);
    site.bench.double.refuse_next_pause(500);
    assert_eq!(site.ask(&begun), done());
    assert_eq!((site.seen().len(), site.status().as_str()), (3, "INACTIVE"));
}

#[test]
fn a_backup_succeeds_if_supabase_refuses_to_suspend_the_project_again() {
    let (site, outputs) = TestSite::start();
    site.bench.done(&change(2, "suspended"));
    let begun = site.begun(&backup(&outputs), 2);
    site.bench.double.refuse_next_pause(403);
    assert_eq!(site.ask(&begun), done());
    assert_eq!((site.seen().len(), site.status().as_str()), (3, "ACTIVE_HEALTHY"));
}

#[test]
fn the_project_of_another_resource_is_not_resumed() {
    let (site, outputs) = TestSite::start();
    site.bench.done(&change(2, "suspended"));
    let other = Call { key: "orch_other/database/backup".to_owned(), ..backup(&outputs) };
    assert_eq!(site.ask(&other), done());
    assert_eq!(site.seen(), ["INACTIVE"; 3], "the backup provider decides whether it can connect");
    let elsewhere = json!({"endpoint": "db.example.com:5432"});
    assert_eq!(site.ask(&backup(&elsewhere)), done());
    let nowhere = json!({"endpoint": "db.zzzzzzzzzzzzzzzzzzzz.supabase.co:5432"});
    assert_eq!(site.ask(&backup(&nowhere)), done());
    assert_eq!(site.status(), "INACTIVE");
}

#[test]
fn a_project_that_failed_to_initialize_has_no_backup() {
    let (site, outputs) = TestSite::start();
    let reference = site.bench.only().reference;
    site.bench.double.change(&reference, |project: &mut Project| project.status = "INIT_FAILED".to_owned());
    let answer = site.ask(&backup(&outputs));
    assert!(matches!(&answer, CallOutcome::Retry { code, .. } if code == "never-came-up"), "{answer:?}");
    assert_eq!(site.seen(), [""; 0]);
}
