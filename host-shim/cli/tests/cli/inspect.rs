//! `provisioner inspect` shows a component's manifest, and lists everything that the component uses without the manifest's permission.
//! No run starts with a component that does so.

use crate::run::{Ran, component, in_business, run};
use std::fs;

const REST: &str = "permissions:
  - {name: products.read, description: To look}
  - {name: products.write}
  - {name: subscriptions.write}
  - {name: effects.enqueue}
";
const KEY: &str = "config: {signing_key: {type: string, env: SIGNING_KEY, secret: true, description: Signs}}\n";

/// Makes a folder with the component and this manifest.
fn beside(manifest: &str) -> (tempfile::TempDir, String) {
    let (folder, component) = component();
    fs::write(folder.path().join("manifest.yml"), manifest).expect("written");
    (folder, component)
}

fn inspect(component: &str) -> Ran {
    run(&["inspect", component], b"")
}

fn assert_has(ran: &Ran, code: i32, lines: &[&str]) {
    assert_eq!(ran.code, code, "{}{}", ran.stdout, ran.stderr);
    for line in lines {
        assert!(ran.stdout.lines().any(|it| it == *line), "{line}: {}", ran.stdout);
    }
}

#[test]
fn a_component_without_a_manifest_beside_it_has_the_built_in_one() {
    let (_folder, component) = component();
    let ran = inspect(&component);
    assert_has(&ran, 0, &["manifest: built in", "  name: instance-provisioner", "this host can load it"]);
}

#[test]
fn a_permission_that_the_manifest_lacks_is_named_and_no_run_starts() {
    let (folder, component) = beside(&format!("name: instance-provisioner\n{REST}hooks: []\n"));
    let file = folder.path().join("manifest.yml").display().to_string();
    let ran = inspect(&component);
    let lines = [
        format!("manifest: {file}"),
        "  permissions:".to_owned(),
        "    products.read: To look".to_owned(),
        "    effects.enqueue".to_owned(),
        "  hooks: none".to_owned(),
        "  effects: any".to_owned(),
        "not permitted:".to_owned(),
        "  it imports `solobase:products/claims@0.2.0-dev`, which needs the permission `claims.take`".to_owned(),
        "this host can't load it: its manifest doesn't permit it".to_owned(),
    ];
    assert_has(&ran, 1, &lines.each_ref().map(String::as_str));
    let story = in_business("full-podcasts/scenarios/plan.yml").display().to_string();
    let ran = run(&["replay", "--component", &component, &story], b"");
    assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{}", ran.stderr);
    let expected = format!(
        "error: {file}: the manifest of `instance-provisioner` does not permit the component `instance-provisioner`: it \
         imports `solobase:products/claims@0.2.0-dev`, which needs the permission `claims.take`\n"
    );
    assert_eq!(ran.stderr, expected);
    fs::write(&file, format!("name: instance-provisioner\n{REST}  - {{name: claims.take}}\n")).expect("written");
    assert_has(&inspect(&component), 0, &["    claims.take", "this host can load it"]);
    assert_eq!(run(&["replay", "--component", &component, &story], b"").code, 0);
}

#[test]
fn the_manifest_of_another_component_is_refused() {
    let (_folder, component) = beside("name: shop\n");
    let problem = "its name is `instance-provisioner`; expected `shop`, the manifest's `name`";
    assert_has(&inspect(&component), 1, &[&format!("  {problem}")]);
    let ran = run(&["replay", "--component", &component, "no.yml"], b"");
    assert!(ran.code == 2 && ran.stderr.contains(problem), "{}", ran.stderr);
}

#[test]
fn mistakes_of_the_manifest_and_keys_of_secrets_are_shown() {
    let (folder, component) = beside(&format!("name: instance-provisioner\n{KEY}"));
    let ran = inspect(&component);
    assert_has(&ran, 1, &["  configuration:", "    signing_key (secret)"]);
    assert!(!ran.stdout.contains("SIGNING_KEY"), "{}", ran.stdout);
    let file = folder.path().join("manifest.yml");
    fs::write(&file, "name: instance-provisioner\nhoks: []\n").expect("written");
    let ran = inspect(&component);
    assert_has(&ran, 1, &["manifest: wrong", "this host can't load it: its manifest doesn't permit it"]);
    let mistake = format!("  {}:2: unknown field `hoks` in the manifest; expected one of name, ", file.display());
    assert!(ran.stdout.contains(&mistake) && ran.stdout.contains("did you mean `hooks`?"), "{}", ran.stdout);
}
