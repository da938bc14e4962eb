//! Tests the providers against real servers, and doubles of clouds behind proxies that inject faults.

mod aws;
mod health;
mod http;
mod mail;
mod postgres;
mod service;
mod stripe;
mod supabase;
