//! Orchestra database provisioning as data: the queue that operators work through.

mod orchestra {
    mod queue;
}
