//! Tests the AWS provider against moto, with proxies that inject faults, and against a second S3 server.

mod bucket;
mod cdn;
mod container;
mod database;
mod dns;
mod faults;
mod function;
mod raw;
mod role;
mod rule_proxy;
mod second_server;
mod support;
