//! The walk through the document: each of its blocks in order, and after each block what must be true.

use super::machine::Machine;
use super::page::Page;
use component_builder::workspace_root as root;
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

/// Signing secret of Stripe's endpoint.
const SECRET: &str = "whsec_of_the_test_of_the_package";
/// Password of the operator.
const PASSWORD: &str = "correct horse battery";
const ENV: &str = "/etc/provisioner/.env";
const CONFIG: &str = "/etc/provisioner/solobase.config.yml";
/// The folder on the machine with the files as the person of the document leaves them in the editor.
const EDITED: &str = "/root/edited";
/// An editor that replaces the text of a file, as a person would.
const EDITOR: &str = "#!/bin/sh\ncat \"/root/edited/$(basename \"$1\")\" > \"$1\"\n";

/// Sends the delivery in `/root/delivery` through the proxy, signed with the secret `$1`, and prints the status.
const DELIVER: &str = r#"
now=$(date +%s)
signature=$({ printf '%s.' "$now"; cat "$2"; } | openssl dgst -sha256 -hmac "$1" -r | cut -d ' ' -f 1)
curl --silent --show-error --output /dev/null --write-out '%{http_code}' --header "Stripe-Signature: t=$now,v1=$signature" \
    --data-binary "@$2" https://shop.example.com/api/webhooks/stripe
"#;

/// The place of the walk.
struct Walk {
    machine: Machine,
    page: Page,
    /// An API key of an operator.
    key: String,
}

#[test]
#[ignore = "starts a Debian machine with the package of `dist`; `cargo xtask test package` makes the package and runs this"]
fn the_lines_of_the_document_deploy_a_server_that_keeps_its_data() {
    let document = fs::read_to_string(root().join("docs/operate/deploying.md")).expect("the document");
    let mut walk = Walk { machine: Machine::boot(), page: Page::read(&document), key: String::new() };
    walk.installs();
    walk.configures();
    walk.starts();
    walk.puts_a_proxy_in_front();
    walk.makes_an_operator();
    walk.backs_up_and_restores();
    walk.upgrades();
    walk.moves_to_postgresql();
    walk.adds_a_host();
    walk.widens_the_unit();
    walk.survives_a_kill_and_refuses_a_wrong_configuration();
    walk.removes();
    walk.page.assert_is_done();
}

/// Returns the path of the package that `cargo xtask test package` has made.
fn package() -> PathBuf {
    let output = std::process::Command::new("dpkg").arg("--print-architecture").output().expect("dpkg");
    let architecture = String::from_utf8(output.stdout).expect("UTF-8");
    let version = env!("CARGO_PKG_VERSION");
    root().join(format!("dist/provisioner_{version}-1_{}.deb", architecture.trim()))
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to.parent().expect("a folder")).expect("a folder of the machine");
    fs::copy(from, to).unwrap_or_else(|error| panic!("{} is not copied: {error}", from.display()));
}

/// Returns the body of an event about a subscription of the user `ada`.
fn event(id: &str) -> String {
    let body = |name: &str| -> Value {
        let file = root().join("fixtures/stripe/2025-03-31.basil").join(name).with_extension("json");
        serde_json::from_str(&fs::read_to_string(file).expect("a base body")).expect("JSON")
    };
    let (mut event, mut subscription) = (body("event"), body("subscription"));
    subscription["metadata"]["user_id"] = json!("ada");
    event["id"] = json!(id);
    event["type"] = json!("customer.subscription.updated");
    event["data"]["object"] = subscription;
    event.to_string()
}

impl Walk {
    /// Runs the next block.
    fn run(&mut self, heading: &str) -> String {
        let lines = self.page.take(heading, "sh");
        self.machine.run(&lines)
    }

    /// Puts the text that the person writes into a file with the editor.
    fn will_edit(&self, file: &str, text: &str) {
        let name = Path::new(file).file_name().expect("a name").to_string_lossy();
        self.machine.write(&format!("{EDITED}/{name}"), text);
    }

    /// Delivers an event through the proxy, and returns the status.
    fn deliver(&self, id: &str, secret: &str) -> String {
        let file = format!("/root/{id}.json");
        self.machine.write(&file, &event(id));
        self.machine.run(&format!("set -- {secret} {file}\n{DELIVER}"))
    }

    /// Returns whether an event is among the first or the last of the server: between them may be any number.
    fn has(&self, id: &str) -> bool {
        ["limit=500", "limit=500&newest=true"].iter().any(|page| {
            let events = self.machine.run(&format!(
                "curl --fail --silent --show-error --retry 10 --retry-all-errors --header 'Authorization: Bearer {}' \
                 'https://shop.example.com/api/operator/events?{page}'",
                self.key
            ));
            let events: Value = serde_json::from_str(&events).expect("JSON");
            let mut events = events["events"].as_array().expect("a list").iter();
            events.any(|event| event["id"] == id)
        })
    }

    /// Fails if a path of the machine has another owner or mode.
    fn assert_modes(&self, expected: &[(&str, &str)]) {
        for (path, mode) in expected {
            assert_eq!(self.machine.run(&format!("stat --format '%a %U:%G' {path}")).trim(), *mode, "{path}");
        }
    }

    fn property(&self, name: &str) -> String {
        self.property_of(name, "provisioner")
    }

    fn property_of(&self, name: &str, unit: &str) -> String {
        self.machine.run(&format!("systemctl show --property {name} --value {unit}")).trim().to_owned()
    }

    fn installs(&mut self) {
        let lines = self.page.take("The package", "sh");
        assert_eq!(lines, "cargo xtask build --deb\n", "the group has done this, without optimising the program");
        let package = package();
        let name = package.file_name().expect("a name").to_string_lossy().into_owned();
        copy(&package, &self.machine.path(&format!("/root/{name}")));
        self.provide_archives();
        self.run("The package");
        self.assert_modes(&[
            ("/usr/bin/provisioner", "777 root:root"),
            ("/usr/lib/provisioner/provisioner", "755 root:root"),
            ("/usr/lib/provisioner/instance-provisioner.wasm", "644 root:root"),
            (CONFIG, "644 root:root"),
            (ENV, "640 root:provisioner"),
            ("/usr/share/provisioner/examples/solobase/catalog.yml", "644 root:root"),
            ("/usr/share/provisioner/examples/solobase/pages/theme.css", "644 root:root"),
            ("/usr/share/doc/provisioner/operate/deploying.md", "644 root:root"),
        ]);
        let machine = &self.machine;
        assert!(machine.run("getent passwd provisioner").trim().ends_with(":/usr/sbin/nologin"));
        assert!(!machine.path("/var/lib/provisioner").exists(), "nothing is started");
        let state = machine.run("systemctl is-active provisioner || true; systemctl is-enabled provisioner || true");
        assert_eq!(state, "inactive\ndisabled\n");
        let verified = machine.run("systemd-analyze verify provisioner.service 2>&1");
        assert_eq!(verified, "", "systemd finds nothing wrong in the unit");
        // 1.3 of 10; a unit without limits has 9.2.
        machine.run("systemd-analyze security --offline=true --threshold=14 /lib/systemd/system/provisioner.service");
        let env = machine.read(ENV);
        let key = env.lines().find_map(|line| line.strip_prefix("PROVISIONER_SECRETS_KEY=")).expect("a key");
        assert!(key.len() == 64 && key.bytes().all(|byte| byte.is_ascii_hexdigit()), "64 hexadecimal digits");
    }

    /// Puts the packages that the document installs where apt looks for them: the machine has no network. Some systems delete them
    /// after each installation.
    fn provide_archives(&self) {
        let archives = counterparts::apt_archives("proxy", &["caddy", "postgresql"]);
        for entry in fs::read_dir(archives).expect("a folder") {
            let path = entry.expect("an entry").path();
            if let Some(name) = path.file_name().filter(|_| path.extension().is_some_and(|it| it == "deb")) {
                copy(&path, &self.machine.path("/var/cache/apt/archives").join(name));
            }
        }
    }

    fn configures(&mut self) {
        self.machine.write("/usr/local/bin/editor", EDITOR);
        self.machine.run("chmod 755 /usr/local/bin/editor; echo 127.0.0.1 shop.example.com >> /etc/hosts");
        let env = self.machine.read(ENV);
        let edited = env
            .replace("STRIPE_SECRET_KEY=", "STRIPE_SECRET_KEY=rk_test_of_nobody")
            .replace("STRIPE_WEBHOOK_SECRET=", &format!("STRIPE_WEBHOOK_SECRET={SECRET}"));
        self.will_edit(ENV, &edited);
        let config = self.machine.read(CONFIG);
        self.will_edit(CONFIG, &format!("{config}\n# A change of the person.\n"));
        let checked = self.run("The configuration");
        assert_eq!(checked, "no mistake in 1 business\n");
        self.assert_modes(&[(ENV, "640 root:provisioner")]);
    }

    fn starts(&mut self) {
        let health = self.run("The start");
        assert_eq!(serde_json::from_str::<Value>(&health).expect("JSON")["status"], "ok");
        self.assert_modes(&[
            ("/var/lib/provisioner", "700 provisioner:provisioner"),
            ("/var/lib/provisioner/solobase/store.db", "600 provisioner:provisioner"),
            ("/var/cache/provisioner", "700 provisioner:provisioner"),
        ]);
        let status = self.machine.run(&format!("cat /proc/{}/status", self.property("MainPID")));
        let user = self.machine.run("id --user provisioner");
        let is = |name: &str, value: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("a line");
            assert_eq!(line.split_whitespace().next(), Some(value), "{name}");
        };
        is("Uid:", user.trim());
        is("CapBnd:", "0000000000000000");
        is("NoNewPrivs:", "1");
        is("Seccomp:", "2");
        let cached = self.machine.run("ls /var/cache/provisioner/components");
        assert!(cached.contains(".cwasm"), "the next start need not compile the component: {cached}");
    }

    fn puts_a_proxy_in_front(&mut self) {
        self.machine.run(
            "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=shop.example.com \
             -addext subjectAltName=DNS:shop.example.com -keyout /etc/caddy/key.pem -out /etc/caddy/certificate.pem
             chown caddy /etc/caddy/key.pem",
        );
        let proxy = self.page.take("TLS", "caddyfile");
        let (first, rest) = proxy.split_once('\n').expect("lines");
        // The document says that this line follows the first one.
        let own = "tls /etc/caddy/certificate.pem /etc/caddy/key.pem";
        self.will_edit("/etc/caddy/Caddyfile", &format!("{first}\n\t{own}\n{rest}"));
        let health = self.run("TLS");
        assert!(health.contains("\"ok\""), "{health}");
        assert_eq!(self.deliver("evt_1", "whsec_of_somebody_else"), "400", "a wrong signature");
        assert_eq!(self.deliver("evt_1", SECRET), "200");
        assert_eq!(self.deliver("evt_1", SECRET), "200", "the same delivery again");
    }

    fn makes_an_operator(&mut self) {
        let lines = self.page.take("The first operator", "sh");
        self.machine.run_with_input(&lines, &format!("{PASSWORD}\n"));
        let login = json!({"email": "ada@example.com", "password": PASSWORD});
        let answer = self.machine.run(&format!(
            "curl --fail --silent --show-error --data '{login}' https://shop.example.com/api/auth/login"
        ));
        let answer: Value = serde_json::from_str(&answer).expect("JSON");
        assert_eq!(answer["user"]["is_operator"], true, "{answer}");
        self.machine.run("curl --fail --silent --show-error --output /dev/null https://shop.example.com/login");
        self.key = self.run("The first operator").trim().to_owned();
        assert!(self.has("evt_1") && !self.has("evt_2"));
    }

    fn backs_up_and_restores(&mut self) {
        self.run("Backups");
        self.assert_modes(&[("/var/backups/provisioner-*.tar.gz", "600 root:root")]);
        assert_eq!(self.deliver("evt_2", SECRET), "200");
        assert!(self.has("evt_2"), "the server goes on after the backup");
        self.run("Backups");
        self.assert_modes(&[
            ("/var/lib/provisioner", "700 provisioner:provisioner"),
            ("/var/lib/provisioner/solobase/store.db", "600 provisioner:provisioner"),
        ]);
        assert!(self.has("evt_1") && !self.has("evt_2"), "the state is that of the backup; the key is in it");
        assert_eq!(self.deliver("evt_2", SECRET), "200");
        assert!(self.has("evt_2"), "what is missing can be delivered again");
    }

    fn upgrades(&mut self) {
        let before = (self.machine.read(ENV), self.machine.read(CONFIG), self.property("MainPID"));
        let lines = self.page.take("Upgrades", "sh");
        let is_over = AtomicBool::new(false);
        let sent = thread::scope(|scope| {
            let client = scope.spawn(|| {
                let mut sent = 0;
                while !is_over.load(Ordering::Relaxed) || sent == 0 {
                    sent += 1;
                    assert_eq!(self.deliver(&format!("evt_of_the_upgrade_{sent}"), SECRET), "200");
                }
                sent
            });
            let status = self.machine.run(&lines);
            is_over.store(true, Ordering::Relaxed);
            assert!(status.contains("active (running)"), "{status}");
            client.join().expect("each delivery is answered with 200")
        });
        let after = (self.machine.read(ENV), self.machine.read(CONFIG), self.property("MainPID"));
        assert_eq!((&before.0, &before.1), (&after.0, &after.1), "the configuration stays");
        assert_ne!(before.2, after.2, "the server was started again");
        self.assert_modes(&[(ENV, "640 root:provisioner")]);
        assert!(self.has("evt_1") && self.has(&format!("evt_of_the_upgrade_{sent}")), "the data stay");
        let log = self.machine.run("journalctl --unit provisioner --output cat");
        assert!(log.contains("provisioner.service: Deactivated successfully."), "{log}");
        assert!(!log.contains("Main process exited") && !log.contains("Failed"), "SIGTERM ends it with 0: {log}");
        for secret in [SECRET, PASSWORD, "rk_test_of_nobody"] {
            assert!(!log.contains(secret), "{secret} is in {log}");
        }
    }

    fn moves_to_postgresql(&mut self) {
        self.provide_archives();
        // Where the package was installed without systemd, nobody has started it.
        let installed = self.page.take("PostgreSQL", "sh");
        let (install, rest) = installed.split_once('\n').expect("lines");
        self.machine.run(&format!("{install}\nsystemctl start postgresql"));
        let migrated = self.machine.run(rest);
        assert!(migrated.contains("copied ") && migrated.contains(", state "), "{migrated}");
        self.run("PostgreSQL");
        let rows = "runuser -u postgres -- psql -d provisioner -Atc 'SELECT count(*) FROM provisioner.events'";
        let before: u32 = self.machine.run(rows).trim().parse().expect("a number");
        assert!(self.has("evt_1"), "the events of the file are there");
        assert_eq!(self.deliver("evt_3", SECRET), "200");
        let after: u32 = self.machine.run(rows).trim().parse().expect("a number");
        assert!(after > before, "new events are in the database");
        self.run("PostgreSQL");
        self.assert_modes(&[("/var/backups/provisioner-*.dump", "600 root:root")]);
        assert_eq!(self.deliver("evt_4", SECRET), "200");
        assert!(self.has("evt_4"));
        self.run("PostgreSQL");
        assert!(self.has("evt_3") && !self.has("evt_4"), "the state is that of the dump");
        assert_eq!(self.deliver("evt_4", SECRET), "200", "what is missing can be delivered again");
        let log = self.machine.run("journalctl --unit provisioner --output cat");
        assert!(!log.contains("postgres://"), "the address is no part of the log");
    }

    fn adds_a_host(&mut self) {
        let health = self.run("Two hosts");
        assert_eq!(serde_json::from_str::<Value>(&health).expect("JSON")["status"], "ok");
        self.assert_modes(&[("/var/lib/provisioner/8091", "700 provisioner:provisioner")]);
        self.run("Two hosts");
        let verified = self.machine.run("systemd-analyze verify provisioner@8091.service 2>&1");
        assert_eq!(verified, "", "systemd finds nothing wrong in the unit");
        for (stopped, id) in [("provisioner", "evt_5"), ("provisioner@8091", "evt_6")] {
            self.machine.run(&format!("systemctl stop {stopped}"));
            assert_eq!(self.deliver(id, SECRET), "200", "the other server answers");
            assert!(self.has("evt_1") && self.has(id), "with the same keys and accounts");
            self.machine.run(&format!("systemctl start {stopped}"));
        }
        let before = [self.property_of("MainPID", "provisioner"), self.property_of("MainPID", "provisioner@8091")];
        let package = self.machine.run("ls /root/provisioner_*.deb");
        self.machine.run(&format!("dpkg --install {}", package.trim()));
        let after = [self.property_of("MainPID", "provisioner"), self.property_of("MainPID", "provisioner@8091")];
        assert!(before.iter().zip(&after).all(|(before, after)| before != after), "both run the new program");
        assert!(self.has("evt_5") && self.has("evt_6"));
    }

    fn widens_the_unit(&mut self) {
        let lines = self.page.take("The limits of the unit", "ini");
        let writes = |file: &str| {
            let script = format!("nsenter --target {} --mount touch {file}", self.property("MainPID"));
            self.machine.try_run(&script).status.success()
        };
        self.machine.run("mkdir /srv/dumps");
        assert!(writes("/var/lib/provisioner/x") && !writes("/srv/dumps/x") && !writes("/etc/provisioner/x"));
        // `systemctl edit` writes this file.
        self.machine.write("/etc/systemd/system/provisioner.service.d/override.conf", &lines);
        self.machine.run("systemctl daemon-reload; systemctl restart provisioner");
        assert!(writes("/srv/dumps/x") && !writes("/etc/provisioner/x"));
    }

    fn survives_a_kill_and_refuses_a_wrong_configuration(&self) {
        self.machine.run("systemctl kill --signal KILL provisioner");
        assert!(self.has("evt_1"), "the other server answers");
        self.machine.run(
            "for _ in $(seq 100); do
                 [ \"$(systemctl show --property NRestarts --value provisioner)\" = 1 ] && systemctl --quiet is-active provisioner && break
                 sleep 0.1
             done",
        );
        assert_eq!(self.property("NRestarts"), "1");
        let config = self.machine.read(CONFIG);
        self.machine.write(CONFIG, &config.replace("mode: test", "mode: nonsense"));
        let output = self.machine.try_run("systemctl restart provisioner");
        assert!(!output.status.success(), "a start with a wrong configuration fails");
        let result = ["Result", "ExecMainStatus", "NRestarts", "ActiveState"].map(|name| self.property(name));
        assert_eq!(result, ["exit-code", "2", "0", "failed"], "it is not started again");
        let log = self.machine.run("journalctl --unit provisioner --output cat --lines 20");
        assert!(log.contains("nonsense") && log.contains("solobase.config.yml:"), "the log has file and line: {log}");
        self.machine.write(CONFIG, &config);
        self.machine.run("systemctl restart provisioner");
    }

    fn removes(&mut self) {
        self.machine.write("/etc/provisioner/my-business/catalog.yml", "products: []\n");
        let lines = self.page.take("Removing it", "sh");
        let (remove, purge) = lines.split_once('\n').expect("two lines");
        self.machine.run(remove);
        let exists = |path: &str| self.machine.path(path).symlink_metadata().is_ok();
        assert!(["/var/lib/provisioner/solobase/store.db", ENV, CONFIG].iter().all(|path| exists(path)), "they stay");
        assert!(!exists("/usr/bin/provisioner") && !exists("/usr/lib/provisioner"));
        assert!(!self.machine.run("ps -e -o comm").lines().any(|name| name == "provisioner"), "the server is stopped");
        self.machine.run(purge);
        for path in ["/var/lib/provisioner", "/var/cache/provisioner", "/usr/share/provisioner", ENV, CONFIG] {
            assert!(!exists(path), "{path} is left");
        }
        assert!(exists("/etc/provisioner/my-business/catalog.yml"), "a file of the person stays");
        assert!(!self.machine.try_run("getent passwd provisioner").status.success(), "the user is left");
        assert!(!exists("/etc/systemd/system/multi-user.target.wants/provisioner.service"), "the link is left");
    }
}
