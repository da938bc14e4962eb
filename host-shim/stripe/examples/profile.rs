//! temp
use std::time::Instant;
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
use local_stripe::sandbox::*;
use local_stripe::settings::Settings;
fn main() {
    let path = std::env::temp_dir().join(format!("prof-{}", std::process::id()));
    let only = std::env::args().nth(1).unwrap_or_default();
    for what in ["temp", "file"].into_iter().filter(|w| only.is_empty() || *w == only) {
        let mut s = if what == "temp" { Sandbox::new(Settings::default()) } else { Sandbox::open(&path, Settings::default(), &[]).unwrap() };
        for (name, req) in [
            ("create", own_request("POST", "/v1/customers", &[("name", "a"), ("email", "a@example.com")])),
            ("list1", own_request("GET", "/v1/customers", &[("limit", "1")])),
            ("paid", own_request("POST", "/v1/payment_intents", &[("amount", "500"), ("currency", "usd"), ("confirm", "true"), ("payment_method", "pm_card_visa")])),
            ("create", own_request("POST", "/v1/customers", &[("name", "a"), ("email", "a@example.com")])),
        ] {
            let n = 10000;
            let t = Instant::now();
            for _ in 0..n { assert_eq!(s.handle(&req).status, 200); }
            println!("{what} {name}: {:?} each", t.elapsed() / n);
        }
    }
    for x in ["", "-wal", "-sums"] { let _ = std::fs::remove_file(format!("{}{x}", path.display())); }
}
