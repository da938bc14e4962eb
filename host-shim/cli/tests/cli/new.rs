//! `provisioner new`: each template makes a business that passes its checks and whose scenarios hold.

use crate::run::run;
use std::fs;
use test_support::in_business;

const TEMPLATES: [&str; 5] = ["per-seat", "credits", "database-per-customer", "downloads", "usage"];

#[test]
fn each_template_makes_a_business_whose_scenarios_hold() {
    let folder = tempfile::tempdir().expect("a folder");
    for template in TEMPLATES {
        let business = folder.path().join(format!("my-{template}")).display().to_string();
        let made = run(&["new", &business, "--template", template], b"");
        assert_eq!((made.code, &*made.stderr), (0, ""), "{template}");
        assert!(made.stdout.contains(&format!("provisioner serve {business} --local")), "{}", made.stdout);
        let check = run(&["check", "--native", &business], b"");
        assert_eq!(check.code, 0, "{template}: {}{}", check.stdout, check.stderr);
        let replay = run(&["replay", "--native", &business], b"");
        assert_eq!(replay.code, 0, "{template}: {}{}", replay.stdout, replay.stderr);
        let text = |name: &str| fs::read_to_string(format!("{business}/{name}")).expect("a file");
        assert!(!text("catalog.yml").contains("yaml-language-server"), "{template}");
        let commands = format!("provisioner check {business}");
        assert!(text("README.md").contains(&commands), "{template}: its commands name the new folder");
        assert!(!text("README.md").contains("$schema="), "{template}: the schema is not there");
        let of_example = fs::read_to_string(in_business(template).join("catalog.yml")).expect("a catalog");
        assert!(of_example.ends_with(&text("catalog.yml")), "{template}");
    }
}

#[test]
fn a_folder_with_files_is_not_touched() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("notes.txt"), "mine").expect("written");
    let made = run(&["new", &folder.path().display().to_string()], b"");
    assert_eq!(made.code, 2, "{}", made.stdout);
    assert!(made.stderr.contains("exists, and is not an empty folder"), "{}", made.stderr);
    assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 1);
}
