//! Dedicated databases on RDS. moto's instances are available at once; where that matters, a rule proxy delays them.

use crate::aws::rule_proxy::{RuleProxy, body_of, with_body};
use crate::aws::support::{
    TestEnv, WithSecrets, answer, aws, call, databases, done, held, other, refused, scope, state, states,
};
use aws_sdk_rds::Client;
use host_provider_api::{BackupSchedule, CallOutcome, Provider, Secrets, conformance};
use serde_json::json;
use std::time::{SystemTime, UNIX_EPOCH};

// covers: SOL-24
#[test]
fn databases_conform() {
    let env = TestEnv::shared();
    let provider = WithSecrets::new(databases(&env.aws()));
    let payload = json!({"name": "my-app", "tier": "shared", "backups": {"keep_days": 3}});
    assert_eq!(conformance::check(&provider, "database", &payload), Ok(()));
}

#[test]
fn a_database_has_the_settings_of_the_payload_and_grows_in_place() {
    let env = TestEnv::shared();
    let provider = WithSecrets::new(databases(&env.aws()));
    let payload = json!({"name": "my-app", "quota_gb": 30, "backups": {"every_hours": 24, "keep_days": 14}});
    let ensure = call("database.ensure", "grown", "i_1/database", 1, payload);
    let outputs = done(&provider, &ensure);
    assert_eq!((&outputs["name"], &outputs["user"]), (&json!("my_app"), &json!("keeper")));
    assert!(outputs["endpoint"].as_str().is_some_and(|endpoint| endpoint.ends_with(":5432")), "{outputs}");
    let reference = outputs["secret_ref"].as_str().expect("a reference");
    assert!(provider.secrets.resolve(&scope("grown"), reference).is_ok(), "its password is kept");

    let client = Client::new(&env.sdk());
    let there = || {
        let id = outputs["id"].as_str().expect("an id");
        let got = env.block_on(client.describe_db_instances().db_instance_identifier(id).send()).expect("an instance");
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
    assert_eq!((held(&provider, "grown"), provider.secrets.len()), (Vec::new(), 0));
}

#[test]
fn a_database_is_restored_from_its_backup_with_its_own_password() {
    let env = TestEnv::shared();
    let provider = WithSecrets::new(databases(&env.aws()));
    let ensure = call("database.ensure", "backed", "i_1/database", 1, json!({"name": "app"}));
    let outputs = done(&provider, &ensure);
    let backup = other(&ensure, "backup", 2);
    let kept = done(&provider, &backup);
    assert_eq!(kept["verified"], json!(true));
    assert_eq!(done(&provider, &backup), kept, "the same call makes no second one");
    done(&provider, &other(&ensure, "destroy", 3));
    assert_eq!(held(&provider, "backed"), []);

    let client = Client::new(&env.sdk());
    let snapshots = env.block_on(client.describe_db_snapshots().send()).expect("snapshots").db_snapshots;
    let ours = snapshots.unwrap_or_default();
    let name = kept["backup_id"].as_str();
    assert_eq!(
        ours.iter().filter(|one| one.db_snapshot_identifier.as_deref() == name).count(),
        1,
        "the backup outlives the database"
    );

    let again = other(&ensure, "ensure", 4);
    done(&provider, &again);
    let mut restore = other(&ensure, "restore", 5);
    restore.payload["backup"] = kept.clone();
    let back = done(&provider, &restore);
    assert_eq!((&back["id"], &back["endpoint"]), (&outputs["id"], &outputs["endpoint"]), "at the same address");
    let reference = back["secret_ref"].as_str().expect("a reference");
    assert!(provider.secrets.resolve(&scope("backed"), reference).is_ok());
    assert_eq!(done(&provider, &restore), back, "the same call restores nothing again");
    let there =
        env.block_on(client.describe_db_instances().send()).expect("instances").db_instances.unwrap_or_default();
    let ours = there.iter().find(|one| one.db_instance_identifier.as_deref() == back["id"].as_str());
    let tags = ours.expect("the instance").tag_list.clone().unwrap_or_default();
    let tag = |key: &str| tags.iter().find(|tag| tag.key.as_deref() == Some(key)).and_then(|tag| tag.value.clone());
    assert_eq!(tag("restored-from").as_deref(), name);
    assert_eq!(tag("password").as_deref(), Some("set"));

    // Another account's backup can't be restored, and the attempt deletes no instance.
    let rival = call("database.ensure", "backed2", "i_1/database", 1, json!({"name": "app"}));
    done(&provider, &rival);
    let mut steal = other(&rival, "restore", 2);
    steal.payload["backup"] = kept;
    assert_eq!(refused(&provider, &steal), "not-found");
    assert_eq!(held(&provider, "backed2").len(), 1);
}

#[test]
fn a_scheduled_backup_is_one_that_rds_has_made_by_itself() {
    let env = TestEnv::shared();
    let provider = WithSecrets::new(databases(&env.aws()));
    let payload = json!({"name": "app", "backups": {"every_hours": 24, "keep_days": 7}});
    let ensure = call("database.ensure", "daily", "i_1/database", 1, payload);
    let outputs = done(&provider, &ensure);
    let now_s = SystemTime::now().duration_since(UNIX_EPOCH).expect("after the epoch").as_secs() as i64;
    let at = |at_s: i64| {
        let mut call = other(&ensure, "backup", 490_000);
        call.payload = BackupSchedule { at_s, keep_days: 7 }.payload(&outputs);
        call
    };
    let made = done(&provider, &at(now_s));
    assert_eq!(made["verified"], json!(true));
    let client = Client::new(&env.sdk());
    let automated = client.describe_db_snapshots().snapshot_type("automated");
    let automated = env.block_on(automated.send()).expect("snapshots").db_snapshots.unwrap_or_default();
    let ids: Vec<_> = automated.iter().filter_map(|one| one.db_snapshot_identifier.as_deref()).collect();
    assert!(ids.contains(&made["backup_id"].as_str().expect("an id")), "{made} of {ids:?}");
    assert!(made["made_at_s"].as_i64().is_some_and(|made_s| (now_s - made_s).abs() < 600), "{made}");
    let later = answer(&provider, &at(now_s + 27 * 60 * 60));
    assert!(matches!(&later, CallOutcome::Retry { code, .. } if code == "no-backup-yet"), "{later:?}");
    done(&provider, &other(&ensure, "destroy", 2));
    assert_eq!(refused(&provider, &at(now_s)), "not-found");
}

#[test]
fn an_instance_created_by_others_under_the_name_is_refused_and_left_alone() {
    let env = TestEnv::shared();
    let provider = WithSecrets::new(databases(&env.aws()));
    let ensure = call("database.ensure", "rival", "i_1/database", 1, json!({"name": "app"}));
    let name = done(&provider, &ensure)["id"].as_str().expect("an id").to_owned();
    done(&provider, &other(&ensure, "destroy", 2));
    let client = Client::new(&env.sdk());
    let create = client.create_db_instance().db_instance_identifier(&name).engine("postgres");
    let create = create.db_instance_class("db.t4g.micro").master_username("them").master_user_password("password-1");
    env.block_on(create.send()).expect("an instance created by a person");
    assert_eq!(refused(&provider, &ensure), "name-taken");
    assert_eq!(done(&provider, &other(&ensure, "destroy", 3)), json!({}));
    let there = env.block_on(client.describe_db_instances().db_instance_identifier(&name).send());
    assert!(there.is_ok(), "it is still there");
    let mut adopt = other(&ensure, "observe", 4);
    adopt.payload = json!({"adopt": true, "outputs": {"id": name}});
    assert_eq!(done(&provider, &adopt)["exists"], json!(true));
    assert_eq!(held(&provider, "rival").len(), 1, "a person asked for the adoption");
}

#[test]
fn ensure_is_done_only_when_the_instance_is_available() {
    let env = TestEnv::shared();
    let mut polls = 0;
    let rule_proxy = RuleProxy::start(env.address(), move |request, forward| {
        let body = String::from_utf8_lossy(&request.body).into_owned();
        if !body.contains("Action=DescribeDBInstances") && !body.contains("Action=CreateDBInstance") {
            return None;
        }
        polls += 1;
        let status = if polls < 4 { "creating" } else { "available" };
        let answer = forward();
        Some(with_body(&answer, &body_of(&answer).replace(">available<", &format!(">{status}<"))))
    });
    let provider = WithSecrets::new(databases(&aws(&rule_proxy.url(), ("test", "test"))));
    let ensure = call("database.ensure", "slow", "i_1/database", 1, json!({"name": "app"}));
    let CallOutcome::InProgress { .. } = provider.call(&ensure) else { panic!("expected progress") };
    let outputs = done(&provider, &ensure);
    assert!(outputs["endpoint"].is_string(), "{outputs}");
    assert_eq!(held(&provider, "slow").len(), 1);
}
