//! Follows `docs/operate/deploying.md` with the Debian package of `dist`, line by line, on a Debian machine that ends with the test: from the
//! installation to the removal, with a proxy and real deliveries of webhooks.

#[cfg(target_os = "linux")]
#[path = "package/machine.rs"]
mod machine;
#[cfg(target_os = "linux")]
#[path = "package/page.rs"]
mod page;
#[cfg(target_os = "linux")]
#[path = "package/walk.rs"]
mod walk;
