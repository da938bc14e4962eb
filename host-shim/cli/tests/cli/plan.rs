//! `plan` of a scenario with a local Stripe, and the first example of the provider documentation.

use crate::run::run;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn checkout() -> String {
    root().join("examples/checkout.yml").display().to_string()
}

#[test]
fn a_checkout_is_planned_with_a_local_stripe() {
    let ran = run(&["plan", "--native", &checkout()], b"");
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    for call in ["> stripe.checkout.create  checkout:", "+ database inst_myapp/database", "\nPlan: 3 to make, "] {
        assert!(ran.stdout.contains(call), "{call}: {}", ran.stdout);
    }
}

#[test]
fn the_first_example_that_keeps_resources_makes_a_page() {
    let text = fs::read_to_string(root().join("docs/reference/providers.md")).expect("the document");
    let example = text.lines().find(|line| line.starts_with("provisioner ") && line.contains(" --keep "));
    let words = example.expect("an example").split('#').next().unwrap_or_default().split_whitespace();
    // Without `--keep`, so that the program ends.
    let args = words.skip(1).filter(|word| *word != "--keep").map(|word| match word.ends_with(".yml") {
        true => root().join(word).display().to_string(),
        false => word.to_owned(),
    });
    let args: Vec<String> = args.chain(["--native".to_owned()]).collect();
    let ran = run(&args, b"");
    assert_eq!(ran.code, 0, "{args:?}: {}{}", ran.stdout, ran.stderr);
    let (_, existing) = ran.stdout.split_once("\nexisting resources\n").expect("resources");
    let page = existing.lines().find(|line| line.starts_with("function:")).expect("a function");
    assert!(page.contains("  running  ") && page.contains("http://"), "{page}");
}
