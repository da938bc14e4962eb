//! Dedicated databases on RDS. moto's are there at once; a front makes them take their time where that matters.

use crate::front::{Front, body_of, with_body};
use crate::house::{House, WithSecrets, aws, call, databases, done, held, other, refused, scope, state, states};
use aws_sdk_rds::Client;
use host_provider_api::{CallOutcome, Provider, Secrets, conformance};
use serde_json::json;

#[test]
fn it_keeps_what_every_provider_must() {
    let house = House::open();
    let provider = WithSecrets::new(databases(&house.aws()));
    let payload = json!({"name": "my-app", "tier": "shared", "backups": {"keep_days": 3}});
    assert_eq!(conformance::check(&provider, "database", &payload), Ok(()));
}

#[test]
fn it_is_made_with_what_the_payload_says_and_grows_in_place() {
    let house = House::open();
    let provider = WithSecrets::new(databases(&house.aws()));
    let payload = json!({"name": "my-app", "quota_gb": 30, "backups": {"every_hours": 24, "keep_days": 14}});
    let ensure = call("database.ensure", "grown", "i_1/database", 1, payload);
    let outputs = done(&provider, &ensure);
    assert_eq!((&outputs["name"], &outputs["user"]), (&json!("my_app"), &json!("keeper")));
    assert!(outputs["endpoint"].as_str().is_some_and(|endpoint| endpoint.ends_with(":5432")), "{outputs}");
    let reference = outputs["secret_ref"].as_str().expect("a reference");
    assert!(provider.kept.resolve(&scope("grown"), reference).is_ok(), "its password is kept");

    let client = Client::new(&house.sdk());
    let there = || {
        let id = outputs["id"].as_str().expect("an id");
        let got = house.ask(client.describe_db_instances().db_instance_identifier(id).send()).expect("an instance");
        got.db_instances.expect("instances").remove(0)
    };
    let made = there();
    assert_eq!((made.allocated_storage, made.backup_retention_period), (Some(30), Some(14)));
    assert_eq!((made.deletion_protection, made.storage_encrypted), (Some(false), Some(true)));
    assert_eq!(made.publicly_accessible, Some(false));

    let mut change = other(&ensure, "change", 2);
    change.payload["tier"] = json!("large");
    change.payload["quota_gb"] = json!(60);
    assert_eq!(done(&provider, &change), outputs);
    let grown = there();
    assert_eq!((grown.db_instance_class.as_deref(), grown.allocated_storage), (Some("db.m7g.large"), Some(60)));
    change.payload["quota_gb"] = json!(25);
    change.generation = 3;
    done(&provider, &change);
    assert_eq!(there().allocated_storage, Some(60), "storage never shrinks");

    done(&provider, &state(&ensure, 4, "suspended"));
    assert_eq!(there().db_instance_status.as_deref(), Some("stopped"));
    assert_eq!(states(&provider, "grown"), [("i_1/database".to_owned(), "suspended".to_owned())]);
    assert_eq!(refused(&provider, &other(&ensure, "destroy", 3)), "superseded");
    done(&provider, &other(&ensure, "destroy", 5));
    assert_eq!((held(&provider, "grown"), provider.kept.len()), (Vec::new(), 0));
}

#[test]
fn it_is_backed_up_and_comes_back_from_the_backup_with_a_password_of_its_own() {
    let house = House::open();
    let provider = WithSecrets::new(databases(&house.aws()));
    let ensure = call("database.ensure", "backed", "i_1/database", 1, json!({"name": "app"}));
    let outputs = done(&provider, &ensure);
    let backup = other(&ensure, "backup", 2);
    let kept = done(&provider, &backup);
    assert_eq!(kept["verified"], json!(true));
    assert_eq!(done(&provider, &backup), kept, "the same call makes no second one");
    done(&provider, &other(&ensure, "destroy", 3));
    assert_eq!(held(&provider, "backed"), []);

    let client = Client::new(&house.sdk());
    let snapshots = house.ask(client.describe_db_snapshots().send()).expect("snapshots").db_snapshots;
    let ours = snapshots.unwrap_or_default();
    let name = kept["backup_id"].as_str();
    assert_eq!(ours.iter().filter(|one| one.db_snapshot_identifier.as_deref() == name).count(), 1, "it outlives it");

    let again = other(&ensure, "ensure", 4);
    done(&provider, &again);
    let mut restore = other(&ensure, "restore", 5);
    restore.payload["backup"] = kept.clone();
    let back = done(&provider, &restore);
    assert_eq!((&back["id"], &back["endpoint"]), (&outputs["id"], &outputs["endpoint"]), "at the same address");
    let reference = back["secret_ref"].as_str().expect("a reference");
    assert!(provider.kept.resolve(&scope("backed"), reference).is_ok());
    assert_eq!(done(&provider, &restore), back, "the same call restores nothing again");
    let there = house.ask(client.describe_db_instances().send()).expect("instances").db_instances.unwrap_or_default();
    let ours = there.iter().find(|one| one.db_instance_identifier.as_deref() == back["id"].as_str());
    let tags = ours.expect("the instance").tag_list.clone().unwrap_or_default();
    let tag = |key: &str| tags.iter().find(|tag| tag.key.as_deref() == Some(key)).and_then(|tag| tag.value.clone());
    assert_eq!(tag("restored-from").as_deref(), name);
    assert_eq!(tag("password").as_deref(), Some("set"));

    // Another account's backup is none of this one's, and nothing is removed for it.
    let rival = call("database.ensure", "backed2", "i_1/database", 1, json!({"name": "app"}));
    done(&provider, &rival);
    let mut steal = other(&rival, "restore", 2);
    steal.payload["backup"] = kept;
    assert_eq!(refused(&provider, &steal), "not-found");
    assert_eq!(held(&provider, "backed2").len(), 1);
}

#[test]
fn an_instance_that_others_made_under_the_name_is_refused_and_left_alone() {
    let house = House::open();
    let provider = WithSecrets::new(databases(&house.aws()));
    let ensure = call("database.ensure", "rival", "i_1/database", 1, json!({"name": "app"}));
    let name = done(&provider, &ensure)["id"].as_str().expect("an id").to_owned();
    done(&provider, &other(&ensure, "destroy", 2));
    let client = Client::new(&house.sdk());
    let create = client.create_db_instance().db_instance_identifier(&name).engine("postgres");
    let create = create.db_instance_class("db.t4g.micro").master_username("them").master_user_password("password-1");
    house.ask(create.send()).expect("an instance that a person makes");
    assert_eq!(refused(&provider, &ensure), "name-taken");
    assert_eq!(done(&provider, &other(&ensure, "destroy", 3)), json!({}));
    let there = house.ask(client.describe_db_instances().db_instance_identifier(&name).send());
    assert!(there.is_ok(), "it is still there");
    let mut adopt = other(&ensure, "observe", 4);
    adopt.payload = json!({"adopt": true, "outputs": {"id": name}});
    assert_eq!(done(&provider, &adopt)["exists"], json!(true));
    assert_eq!(held(&provider, "rival").len(), 1, "a person says that it is to be taken in");
}

#[test]
fn it_is_done_only_when_it_is_available() {
    let house = House::open();
    let mut looks = 0;
    let front = Front::start(house.address(), move |request, behind| {
        let body = String::from_utf8_lossy(&request.body).into_owned();
        if !body.contains("Action=DescribeDBInstances") && !body.contains("Action=CreateDBInstance") {
            return None;
        }
        looks += 1;
        let told = if looks < 4 { "creating" } else { "available" };
        let answer = behind();
        Some(with_body(&answer, &body_of(&answer).replace(">available<", &format!(">{told}<"))))
    });
    let provider = WithSecrets::new(databases(&aws(&front.url(), ("test", "test"))));
    let ensure = call("database.ensure", "slow", "i_1/database", 1, json!({"name": "app"}));
    let CallOutcome::InProgress { .. } = provider.call(&ensure) else { panic!("it takes its time") };
    let outputs = done(&provider, &ensure);
    assert!(outputs["endpoint"].is_string(), "{outputs}");
    assert_eq!(held(&provider, "slow").len(), 1);
}
