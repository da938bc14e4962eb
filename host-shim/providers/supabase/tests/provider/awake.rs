//! Backups of projects that stand still.

use crate::bench::{Bench, call, change, config, ensure};
use counterparts::Project;
use host_provider_api::{Call, CallOutcome, Provider, Registry, Reply};
use host_supabase::Awake;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};

/// Comes into a project's database, if it runs, and works there for two looks.
struct Inside {
    bench: Arc<Bench>,
    ends: Mutex<CallOutcome>,
    /// How the project stood at each call, and the call's token.
    seen: Mutex<Vec<(String, Option<String>)>>,
}

impl Provider for Inside {
    fn call(&self, call: &Call) -> CallOutcome {
        let status = self.bench.double.projects().first().map(|project| project.status.clone()).unwrap_or_default();
        self.seen.lock().unwrap().push((status, call.token.clone()));
        match call.token.as_deref() {
            None => CallOutcome::InProgress { after_ms: 1, token: "look:1".to_owned() },
            Some("look:1") => CallOutcome::InProgress { after_ms: 1, token: "look:2".to_owned() },
            Some("look:2") => self.ends.lock().unwrap().clone(),
            other => panic!("a token that is none of its own: {other:?}"),
        }
    }
}

/// Looks at one work at most: fewer than those after which the API is asked once more for what has not come.
const LOOKS_MAX: usize = 16;

struct Site {
    bench: Arc<Bench>,
    inside: Arc<Inside>,
    registry: Registry,
}

fn done() -> CallOutcome {
    CallOutcome::Done(json!({"backup_id": "b 1", "verified": true}))
}

impl Site {
    /// A project of `orch_acme/database` that runs, and what makes its backups.
    fn start() -> (Site, Value) {
        let bench = Arc::new(Bench::start());
        let outputs = bench.done(&ensure());
        bench.double.set_looks(2);
        let inside = Arc::new(Inside { bench: bench.clone(), ends: Mutex::new(done()), seen: Mutex::new(Vec::new()) });
        let awake = Awake::new(config(bench.proxy.url()), inside.clone());
        (Site { bench, inside, registry: Registry::with_default(Arc::new(awake)) }, outputs)
    }

    fn step(&self, call: &Call) -> CallOutcome {
        let Reply::Answer(answer) = self.registry.call(call) else {
            panic!("a provider that is no simulation answers")
        };
        assert!(!format!("{answer:?}").contains("sbp_"), "a token is told");
        answer
    }

    /// The answer in the end.
    fn ask(&self, call: &Call) -> CallOutcome {
        let mut answer = self.step(call);
        for _ in 0..LOOKS_MAX {
            let CallOutcome::InProgress { token, .. } = answer else { return answer };
            answer = self.step(&Call { token: Some(token), ..call.clone() });
        }
        panic!("too many looks")
    }

    /// The look that follows when somebody has come into the database so many times.
    fn begun(&self, call: &Call, times: usize) -> Call {
        let mut look = call.clone();
        for _ in 0..LOOKS_MAX {
            let CallOutcome::InProgress { token, .. } = self.step(&look) else { panic!("it ended") };
            look = Call { token: Some(token), ..look };
            if self.seen().len() >= times {
                return look;
            }
        }
        panic!("too many looks")
    }

    /// How the project stood whenever somebody came into its database.
    fn seen(&self) -> Vec<String> {
        self.inside.seen.lock().unwrap().iter().map(|(status, _)| status.clone()).collect()
    }

    fn status(&self) -> String {
        self.bench.only().status
    }
}

fn backup(outputs: &Value) -> Call {
    call("backup", 2, json!({"outputs": outputs}))
}

#[test]
fn a_project_that_runs_is_left_alone() {
    let (site, outputs) = Site::start();
    assert_eq!(site.ask(&backup(&outputs)), done());
    assert_eq!(site.seen(), ["ACTIVE_HEALTHY"; 3]);
    assert_eq!(site.status(), "ACTIVE_HEALTHY");
}

#[test]
fn one_that_stands_still_is_taken_up_for_its_backup_and_stands_still_again() {
    for end in [done(), CallOutcome::refused("no-room", "the disk is full"), CallOutcome::retry("busy", "later")] {
        let (site, outputs) = Site::start();
        site.bench.done(&change(2, "suspended"));
        *site.inside.ends.lock().unwrap() = end.clone();
        assert_eq!(site.ask(&backup(&outputs)), end);
        assert_eq!(site.seen(), ["ACTIVE_HEALTHY"; 3], "{end:?}");
        assert_eq!(site.status(), "INACTIVE", "{end:?}");
    }
}

#[test]
fn one_that_is_being_paused_is_waited_for() {
    let (site, outputs) = Site::start();
    let CallOutcome::InProgress { .. } = site.bench.call(&change(2, "suspended")) else { panic!("it takes looks") };
    assert_eq!(site.ask(&backup(&outputs)), done());
    assert_eq!((site.seen(), site.status().as_str()), (vec!["ACTIVE_HEALTHY".to_owned(); 3], "INACTIVE"));
}

#[test]
fn what_a_newer_call_has_taken_up_is_not_paused() {
    let (site, outputs) = Site::start();
    site.bench.done(&change(2, "suspended"));
    let begun = site.begun(&backup(&outputs), 1);
    site.bench.done(&change(3, "running"));
    assert_eq!(site.ask(&begun), done());
    assert_eq!(site.status(), "ACTIVE_HEALTHY");
}

#[test]
fn a_pause_that_fails_is_asked_for_again_and_the_backup_is_not_made_twice() {
    let (site, outputs) = Site::start();
    site.bench.done(&change(2, "suspended"));
    let begun = site.begun(&backup(&outputs), 2);
    site.bench.double.refuse_next_pause(500);
    assert_eq!(site.ask(&begun), done());
    assert_eq!((site.seen().len(), site.status().as_str()), (3, "INACTIVE"));
}

#[test]
fn a_pause_that_is_refused_takes_no_backup_back() {
    let (site, outputs) = Site::start();
    site.bench.done(&change(2, "suspended"));
    let begun = site.begun(&backup(&outputs), 2);
    site.bench.double.refuse_next_pause(403);
    assert_eq!(site.ask(&begun), done());
    assert_eq!((site.seen().len(), site.status().as_str()), (3, "ACTIVE_HEALTHY"));
}

#[test]
fn another_ones_project_is_not_taken_up() {
    let (site, outputs) = Site::start();
    site.bench.done(&change(2, "suspended"));
    let other = Call { key: "orch_other/database/backup".to_owned(), ..backup(&outputs) };
    assert_eq!(site.ask(&other), done());
    assert_eq!(site.seen(), ["INACTIVE"; 3], "whether it can come in is the other provider's affair");
    let elsewhere = json!({"endpoint": "db.example.com:5432"});
    assert_eq!(site.ask(&backup(&elsewhere)), done());
    let nowhere = json!({"endpoint": "db.zzzzzzzzzzzzzzzzzzzz.supabase.co:5432"});
    assert_eq!(site.ask(&backup(&nowhere)), done());
    assert_eq!(site.status(), "INACTIVE");
}

#[test]
fn a_project_that_never_came_up_has_no_backup() {
    let (site, outputs) = Site::start();
    let reference = site.bench.only().reference;
    site.bench.double.change(&reference, |project: &mut Project| project.status = "INIT_FAILED".to_owned());
    let answer = site.ask(&backup(&outputs));
    assert!(matches!(&answer, CallOutcome::Retry { code, .. } if code == "never-came-up"), "{answer:?}");
    assert_eq!(site.seen(), [""; 0]);
}
