//! The provider of AWS against moto, a second S3, and what stands between them and breaks things.

mod bucket;
mod cdn;
mod database;
mod faults;
mod front;
mod function;
mod house;
mod raw;
mod second_server;
