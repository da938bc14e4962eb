//! Breaks the exchanges of a saga with the servers, one exchange in each run, with each fault. At the end no resource
//! of the deleted instance remains.

use crate::saga::{folder, saga};
use crate::site::Site;
use counterparts::{Fault, FaultProxy};
use end_to_end::acting::{failures, played};
use std::time::Duration;

/// The faults of an exchange. The response 429 asks the client to wait for one second.
const FAULTS: [Fault; 6] = [
    Fault::ResetBefore,
    Fault::ResetAfter,
    Fault::Delay(Duration::from_millis(300)),
    Fault::Status(429, Some(1)),
    Fault::Status(500, None),
    Fault::Truncate,
];

/// Breaks every `every`-th combination of exchange and fault, or all combinations with `EXCHANGES=all`. Returns the
/// number of injected faults.
fn each_exchange(site: &Site, proxy: &FaultProxy, every: usize) -> usize {
    let every = if std::env::var("EXCHANGES").is_ok_and(|which| which == "all") { 1 } else { every };
    let folder = folder();
    let story = saga(&folder, 0);
    let (world, opened) = site.world();
    assert_eq!(failures(&played(&story, &world, &host_replay::native::runners())), [""; 0], "without a fault");
    let exchanges = proxy.seen().len();
    assert_eq!(site.is_empty(&opened), [""; 0]);
    let (mut broken, mut struck) = (0, 0);
    for (number, fault) in (0..exchanges).flat_map(|number| FAULTS.map(|fault| (number, fault))).step_by(every) {
        broken += 1;
        let story = saga(&folder, broken);
        let (world, opened) = site.world();
        proxy.fail_nth(number, fault);
        let report = played(&story, &world, &host_replay::native::runners());
        struck += proxy.struck();
        assert_eq!(failures(&report), [""; 0], "exchange {number} of {exchanges}, {fault:?}");
        assert_eq!(site.is_empty(&opened), [""; 0], "exchange {number} of {exchanges}, {fault:?}");
    }
    struck
}

#[test]
fn a_saga_over_a_failing_cloud_leaves_nothing_behind() {
    let site = Site::start();
    let broken = each_exchange(&site, &site.aws, 5);
    assert!(broken > 10, "{broken} exchanges were broken");
}

#[test]
fn a_saga_over_failing_databases_leaves_nothing_behind() {
    let site = Site::start();
    let broken = each_exchange(&site, &site.databases, 29);
    assert!(broken > 10, "{broken} exchanges were broken");
}
