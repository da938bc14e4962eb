//! The program runs without the source tree, because its data is built in.

use crate::run::{copy_folder, fixtures, in_business, lines, subscription};
use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::process::{Command, Output};

/// A folder that contains only a copy of the program, without fixtures above it.
struct Elsewhere {
    folder: tempfile::TempDir,
}

impl Elsewhere {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let (built, program) = (env!("CARGO_BIN_EXE_provisioner"), folder.path().join("provisioner"));
        // A hard link is enough, if the system allows one.
        fs::hard_link(built, &program).or_else(|_| fs::copy(built, &program).map(drop)).expect("a copy");
        Elsewhere { folder }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn run(&self, args: &[&str]) -> (i32, String, String) {
        let mut command = Command::new(self.at("provisioner"));
        command.current_dir(self.folder.path()).args(args);
        // A process that another test just started may still hold the copy open for writing.
        let ran = std::iter::repeat_with(|| command.output())
            .find(|ran| ran.as_ref().err().is_none_or(|error| error.kind() != ErrorKind::ExecutableFileBusy));
        let Output { status, stdout, stderr } = ran.expect("an attempt").expect("it runs");
        let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
        (status.code().expect("an exit code"), text(stdout), text(stderr))
    }
}

#[test]
fn a_business_replays_in_any_folder() {
    let elsewhere = Elsewhere::new();
    copy_folder(&in_business("example-sites"), &elsewhere.at("my-business"));
    let (code, out, err) = elsewhere.run(&["replay", "--native", "my-business"]);
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    for version in ["2020-08-27", "2025-03-31.basil", "2 of 2 cases held"] {
        assert!(out.contains(version), "{version}: {out}");
    }
    let (code, out, err) = elsewhere.run(&["check", "--native", "my-business"]);
    assert!(code == 0 && out.starts_with("no mistake in 1 business, 1 scenario\n"), "{out}{err}");
}

#[test]
fn a_mistake_of_a_catalog_is_reported_once_for_all_its_scenarios() {
    let elsewhere = Elsewhere::new();
    copy_folder(&in_business("example-sites"), &elsewhere.at("my-business"));
    let story = "name: x\ngiven:\n  account: user:u1\n  config: {enabled: true}\nevents:\n  - stripe: invoice.paid\n";
    fs::write(elsewhere.at("my-business/scenarios/configured.yml"), story).expect("written");
    let catalog = fs::read_to_string(elsewhere.at("my-business/catalog.yml")).expect("the catalog");
    for (wrong, message) in [
        (
            catalog.replacen("id_prefix: site", "id_prefx: site", 1),
            "/product_types/1/id_prefx: unknown field `id_prefx`",
        ),
        (format!("{catalog}\n- x\n"), "expected a YAML document"),
    ] {
        fs::write(elsewhere.at("my-business/catalog.yml"), wrong).expect("written");
        // The command line has a relative path of the folder, and the scenarios find it by its absolute path.
        let (code, out, err) = elsewhere.run(&["check", "--native", "my-business"]);
        assert_eq!(code, 2, "{err}");
        assert!(out.starts_with("my-business/catalog.yml:") && out.contains(message), "{out}");
        assert!(out.ends_with("\n1 mistake in 1 business, 2 scenarios\n"), "{out}");
    }
}

#[test]
fn the_bodies_near_the_inputs_override_the_built_in_ones() {
    let elsewhere = Elsewhere::new();
    let folder = elsewhere.at("fixtures/my-business");
    copy_folder(&in_business("example-sites"), &folder);
    copy_folder(&fixtures().join("stripe/2020-08-27"), &elsewhere.at("fixtures/stripe/2020-08-27"));
    let (code, out, err) = elsewhere.run(&["replay", "--native", "fixtures/my-business"]);
    assert_eq!(code, 0, "{err}");
    assert!(out.contains("1 of 1 cases held") && !out.contains("basil"), "one version lies there: {out}");
}

#[test]
fn raw_events_of_a_business_folder_need_no_fixtures() {
    let elsewhere = Elsewhere::new();
    copy_folder(&in_business("solobase"), &elsewhere.at("shop"));
    fs::write(elsewhere.at("a.jsonl"), lines(&[subscription("evt_1")])).expect("written");
    let (code, out, err) = elsewhere.run(&["replay", "--native", "--format", "json", "--business", "shop", "a.jsonl"]);
    assert!(code == 0 && out.contains("\"outcome\":\"applied\""), "{out}{err}");
    let (code, _, err) = elsewhere.run(&["replay", "--native", "--business", "nobody", "a.jsonl"]);
    assert_eq!(code, 2, "{err}");
    assert!(err.contains("no business `nobody`") && err.contains("or --fixtures"), "{err}");
}

#[test]
fn without_a_folder_of_fixtures_no_business_is_guessed() {
    let elsewhere = Elsewhere::new();
    let story = "name: x\ngiven:\n  account: user:u1\nevents:\n  - stripe: invoice.paid\n";
    fs::write(elsewhere.at("a.yml"), story).expect("written");
    let (code, _, err) = elsewhere.run(&["replay", "--native", "a.yml"]);
    assert_eq!(code, 2, "{err}");
    assert!(err.starts_with("error: a.yml: no business is named; expected catalog.yml"), "{err}");
    fs::write(elsewhere.at("b.yml"), story.replace("given:", "given:\n  business: solobase")).expect("written");
    let (code, _, err) = elsewhere.run(&["replay", "--native", "b.yml"]);
    assert_eq!(code, 2, "{err}");
    assert!(err.starts_with("error: b.yml:3: no business `solobase`; expected a folder with catalog.yml"), "{err}");
}

#[test]
fn an_export_outside_of_its_business_can_be_replayed_from_where_it_is() {
    let elsewhere = Elsewhere::new();
    copy_folder(&in_business("solobase"), &elsewhere.at("mine"));
    fs::write(elsewhere.at("a.jsonl"), lines(&[subscription("evt_1")])).expect("written");
    let (code, _, err) = elsewhere.run(&["replay", "--native", "--business", "mine", "--store", "x.db", "a.jsonl"]);
    assert_eq!(code, 0, "{err}");
    fs::create_dir(elsewhere.at("out")).expect("made");
    for (file, business) in [("out/story.yml", Some("../mine")), ("story.yml", Some("mine")), ("mine/story.yml", None)]
    {
        let (code, _, err) =
            elsewhere.run(&["export", "--native", "--store", "x.db", "--business", "mine", "-o", file, "user:u1"]);
        assert_eq!(code, 0, "{err}");
        let text = fs::read_to_string(elsewhere.at(file)).expect("the scenario");
        let named = text.lines().find_map(|line| line.trim().strip_prefix("business: "));
        assert_eq!(named.map(|name| name.trim_matches('"')), business, "{text}");
        let (code, out, err) = elsewhere.run(&["replay", "--native", file]);
        assert_eq!(code, 0, "{out}{err}");
    }
}
