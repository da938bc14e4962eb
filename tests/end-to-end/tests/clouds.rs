//! Scenarios on real servers: functions, buckets and distributions on moto, databases on PostgreSQL, mails to an SMTP
//! server, with a proxy that breaks exchanges. Needs the feature `providers`; `cargo xtask test providers` runs it.

#[path = "clouds/canaries.rs"]
mod canaries;
#[path = "clouds/checkout.rs"]
mod checkout;
#[path = "clouds/download.rs"]
mod download;
#[path = "clouds/environment.rs"]
mod environment;
#[path = "clouds/faults.rs"]
mod faults;
#[path = "clouds/killed.rs"]
mod killed;
#[path = "clouds/life.rs"]
mod life;
#[path = "clouds/notes.rs"]
mod notes;
#[path = "clouds/orchestra.rs"]
mod orchestra;
#[path = "clouds/saga.rs"]
mod saga;
// The tests of the server use more of these three.
#[allow(dead_code)]
#[path = "all/over_http/document.rs"]
mod document;
#[allow(dead_code)]
#[path = "all/over_http/raw.rs"]
mod raw;
#[allow(dead_code)]
#[path = "all/over_http/server.rs"]
mod server;
#[path = "clouds/service.rs"]
mod service;
#[path = "clouds/site.rs"]
mod site;
