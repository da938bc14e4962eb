//! The settings of a business's own service.

use host_provider_api::ProviderName;
use host_provider_api::Secret;
use host_providers::{OpenError, Options, Settings, open};

fn options(settings: &str) -> Options {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("providers.yml");
    std::fs::write(&file, settings).expect("written");
    let settings = Settings::read(&file).expect("settings");
    let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let variables = [("EFFECTS_SECRET".to_owned(), Secret::new(secret))].into();
    Options { names: vec![ProviderName::Local, ProviderName::Service], settings, variables, ..Options::default() }
}

#[test]
fn a_service_takes_the_effects_that_its_settings_name_and_no_others() {
    let settings = "service:\n  - {url: \"http://127.0.0.1:1/effects\", secret: secret:env/EFFECTS_SECRET, effects: [workspace, audit.write]}\n";
    let opened = open(&options(settings)).expect("providers");
    let taken = ["workspace.ensure", "workspace.destroy", "audit.write", "audit.read", "workspaces.ensure"];
    assert_eq!(taken.map(|kind| opened.registry.takes(kind)), [true, true, true, false, false]);
    for (wrong, told) in [
        ("service: []\n", "service: expected `service: [{"),
        (
            "service: [{url: \"http://app.example/\", secret: secret:env/EFFECTS_SECRET, effects: [a]}]\n",
            "service: url: `http://app.example/`",
        ),
        ("service: [{url: \"https://app.example/\", secret: secret:env/OTHER_SECRET, effects: [a]}]\n", "OTHER_SECRET"),
    ] {
        let error: OpenError = open(&options(wrong)).expect_err(wrong);
        assert!(error.to_string().contains(told), "{error}");
    }
}
