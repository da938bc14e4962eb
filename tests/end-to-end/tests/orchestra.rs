//! Orchestra database provisioning as data: the queue that operators work through, and whom commands are for.

mod orchestra {
    mod queue;
    mod tenants;
}
