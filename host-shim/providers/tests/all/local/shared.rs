//! Several processes, or several providers of one process, use one folder; and one record of a folder is broken.

use crate::local::Machine;
use host_provider_api::{Provider, names};
use host_providers::local::Local;
use serde_json::json;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

/// Returns the status of an answer; none if nobody listens.
fn status(address: SocketAddr) -> Option<u16> {
    let mut stream = TcpStream::connect(address).ok()?;
    write!(stream, "GET / HTTP/1.1\r\nHost: nobody.localhost\r\nConnection: close\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    answer.split(' ').nth(1)?.parse().ok()
}

#[test]
fn several_starts_of_one_new_folder_share_the_address_and_serve_it_in_turn() {
    let folder = tempfile::tempdir().expect("a folder");
    let opened: Vec<Local> = std::thread::scope(|scope| {
        let starts: Vec<_> =
            (0..6).map(|_| scope.spawn(|| Local::open(folder.path(), None).expect("it starts"))).collect();
        starts.into_iter().map(|start| start.join().expect("it starts")).collect()
    });
    let address = opened[0].address();
    assert!(opened.iter().all(|one| one.address() == address));
    for one in opened {
        // After the end of the server, another provider takes over.
        while status(address).is_none() {
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        drop(one);
    }
    assert_eq!(status(address), None, "nobody is left");
}

#[test]
fn a_broken_record_is_listed_apart_and_hides_no_other() {
    let machine = Machine::new();
    machine.instance("u1", "acme");
    machine.instance("u2", "other");
    let held = machine.local.held().expect("an answer").expect("a list");
    let broken = held.iter().find(|one| one.id.resource == "database").expect("a database").id.clone();
    let file = machine.folder().join("resources").join(names::letters(&broken)).join("resource.json");
    std::fs::write(&file, "{").expect("a broken file");
    let left = machine.local.held().expect("an answer").expect("a list");
    assert_eq!(left.len(), held.len() - 1);
    let unreadable = machine.local.unreadable().expect("a list");
    assert_eq!(unreadable.iter().map(|one| one.name.clone()).collect::<Vec<_>>(), [names::letters(&broken)]);
    assert!(unreadable[0].problem.contains("resource.json"), "{unreadable:?}");
    // Other tenants' calls go on.
    machine.done("u3", "inst_new/bucket/ensure", "bucket.ensure", 1, json!({}));
}

#[test]
fn the_port_of_a_folder_is_none_that_the_system_gives_to_other_programs_and_a_later_start_says_who_needs_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let address = Local::open(folder.path(), None).expect("it starts").address();
    assert!((20_000..30_000).contains(&address.port()), "{address}");
    let other = std::net::TcpListener::bind(address).expect("the port is free after the stop");
    let refused = Local::open(folder.path(), None).err().expect("the port is taken").to_string();
    assert!(refused.contains(&format!("can't listen on {address}, the port of the URLs")), "{refused}");
    drop(other);
    assert_eq!(Local::open(folder.path(), None).expect("it starts").address(), address);
}
