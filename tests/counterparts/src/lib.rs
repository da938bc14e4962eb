//! Real servers for tests: installed once into `target/counterparts`, started per test on a free port of 127.0.0.1, and
//! stopped on drop. If an installation fails, the test fails and prints the install command. [`Supabase`],
//! [`LiteLlm`] and [`EffectService`], which can't be installed, are doubles built from their published APIs.
//!
//! Everything here is for tests, so it panics on errors instead of returning them.

mod install;
mod lambda;
mod litellm;
mod moto;
mod pgbouncer;
mod postgres;
pub mod proxy;
mod registry;
mod run;
mod s3rver;
mod server;
mod service;
mod smtp;
mod sqlacodegen;
mod stripe;
mod supabase;

pub use install::{apt, apt_archives, chromium, folder, installed, node, program, venv};
pub use lambda::Lambda;
pub use litellm::LiteLlm;
pub use moto::Moto;
pub use pgbouncer::PgBouncer;
pub use postgres::Postgres;
pub use proxy::{Fault, FaultProxy, Protocol};
pub use registry::{DockerRegistry, TokenAuth, openssl, skopeo};
pub use run::{run, succeeds};
pub use s3rver::S3rver;
pub use server::{Server, free_port};
pub use service::EffectService;
pub use smtp::Smtp;
pub use sqlacodegen::Sqlacodegen;
pub use stripe::{stripe_cli, stripe_node, stripe_python};
pub use supabase::{Project, Supabase};
