//! Scenarios on real servers: functions, buckets and distributions on moto, databases on PostgreSQL, mails to a server of mails,
//! with a proxy between that breaks exchanges. Needs the feature `providers`; `cargo xtask test providers` runs it.

#[path = "clouds/faults.rs"]
mod faults;
#[path = "clouds/life.rs"]
mod life;
#[path = "clouds/site.rs"]
mod site;
