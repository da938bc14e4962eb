//! Endpoints whose maker may no longer have them.

use crate::{benches, maker, told};
use host_api::webhooks::{DeliveryState, Reason};

#[test]
fn an_endpoint_gets_nothing_after_its_maker_has_lost_the_right_to_it() {
    for bench in benches() {
        let till = bench.add("till", Some("choir"), &[]);
        bench.add("shop", None, &[]);
        bench.subscription("choir", "active");
        bench.settle();
        bench.world.gone.lock().expect("no panic").insert("choir".to_owned());
        bench.subscription("choir", "past_due");
        bench.settle();
        assert_eq!((bench.got("till").len(), bench.got("shop").len()), (1, 2), "the operators' own gets it");
        assert_eq!(*bench.world.disabled.lock().expect("no panic"), [("till".to_owned(), Reason::Maker)]);
        let disabled = bench.webhooks.endpoint("till").expect("read").expect("the endpoint");
        assert_eq!((disabled.disabled_reason, &disabled.maker), (Some(Reason::Maker), &till.maker));
        assert_eq!(bench.webhooks.log("till", Some(DeliveryState::Failed), None, 10).expect("read").len(), 1);
        // Another owner enables it, and answers for it from now on.
        let zoe = maker("zoe", true);
        assert!(bench.webhooks.enable(&disabled, &zoe, "msg_recovered", 0).expect("written"));
        bench.settle();
        assert_eq!(bench.got("till")[1..], [told("choir", "endpoint.recovered")]);
        assert_eq!(bench.webhooks.endpoint("till").expect("read").expect("the endpoint").maker, Some(zoe));
    }
}

#[test]
fn an_endpoint_ends_with_its_maker_although_it_has_nothing_to_get() {
    for bench in benches() {
        bench.add("till", Some("choir"), &[]);
        bench.sender.check(10).expect("read");
        assert_eq!(*bench.world.disabled.lock().expect("no panic"), []);
        bench.world.gone.lock().expect("no panic").insert("choir".to_owned());
        bench.sender.check(10).expect("read");
        bench.sender.check(10).expect("read");
        assert_eq!(*bench.world.disabled.lock().expect("no panic"), [("till".to_owned(), Reason::Maker)], "told once");
    }
}
