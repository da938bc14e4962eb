//! Delivery to a real SMTP server and into a folder; mails are parsed by another library.

use counterparts::{Fault, FaultProxy, Protocol, Smtp as Sink};
use host_provider_api::{Call, CallOutcome, Provider, Secret, SecretAccess, Secrets};
use host_providers::mail::{
    AddressBook, AddressUnavailable, Config, Mail, MailSite, MailTemplates, MailTransport, Password, Recipient,
    Security, Smtp,
};
use host_vault::Vault;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

const TIMEOUT: Duration = Duration::from_millis(700);

/// An address book with one address of one account and two addresses of the operators.
struct TestAddressBook;
impl AddressBook for TestAddressBook {
    fn recipients(&self, scope: &str, to: &str) -> Result<Vec<Recipient>, AddressUnavailable> {
        match (scope, to) {
            ("shop/test/user:u", "account") => {
                Ok(vec![Recipient { address: "ana@example.com".to_owned(), language: Some("de-CH".to_owned()) }])
            }
            ("shop/test/user:later", _) => Err(AddressUnavailable("the directory is down".to_owned())),
            (_, "admin") => Ok(["ops@example.com", "night@example.com"].map(Recipient::new).to_vec()),
            (_, "account") => Ok(Vec::new()),
            (_, address) => Ok(vec![Recipient::new(address)]),
        }
    }

    fn instance_name(&self, scope: &str, instance: &str) -> Option<String> {
        ((scope, instance) == ("shop/test/user:u", "inst_1")).then(|| "Ana's site".to_owned())
    }
}

fn provider(transport: MailTransport, templates: Option<&Path>) -> Mail {
    let from = "Shop <shop@shop.example>".to_owned();
    Mail::new(Config {
        from,
        templates: MailTemplates {
            folders: templates.map(Path::to_owned).into_iter().collect(),
            site: MailSite::new("Shop".to_owned(), "https://shop.example"),
        },
        addresses: Arc::new(TestAddressBook),
        transport,
    })
    .expect("a provider")
}

fn smtp(address: SocketAddr, login: Option<(String, Password)>) -> Smtp {
    let (host, port) = (address.ip().to_string(), address.port());
    Smtp { host, port, security: Security::PlainOnLoopback, login, timeout: TIMEOUT, connections: 2 }
}

fn mail(key: &str, to: &str) -> Call {
    Call {
        kind: "mail.send".to_owned(),
        scope: "shop/test/user:u".to_owned(),
        key: key.to_owned(),
        generation: 1,
        attempt: 1,
        payload: json!({"template": "welcome", "to": to, "values": {"name": "Zoë <b>", "url": "https://a.example/?x=1&y=2"}}),
        lease: 1,
        ..Call::default()
    }
}

fn code(answer: &CallOutcome) -> &str {
    match answer {
        CallOutcome::Done(_) => "done",
        CallOutcome::Retry { code, .. } | CallOutcome::Refused { code, .. } => code,
        CallOutcome::InProgress { .. } => "in-progress",
    }
}

fn read(sink: &Sink, mail: &Path) -> Value {
    serde_json::from_str(&sink.read(mail)).expect("the reader's JSON")
}

fn header<'v>(mail: &'v Value, name: &str) -> Vec<&'v str> {
    let headers = mail["headers"].as_array().expect("the headers");
    let named = headers.iter().filter(|pair| pair[0].as_str().is_some_and(|found| found.eq_ignore_ascii_case(name)));
    named.filter_map(|pair| pair[1].as_str()).collect()
}

/// Creates templates of a business.
fn templates() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let text = "Subject: Willkommen, {{ name }}\n\nHallo {{ name }},\nhier entlang: {{ url }}\n";
    std::fs::write(folder.path().join("welcome.txt"), text).expect("the text");
    std::fs::write(folder.path().join("welcome.html"), "<p>Hallo {{ name }}, <a href=\"{{ url }}\">hier</a></p>")
        .expect("the html");
    folder
}

// covers: PLG-65
#[test]
fn a_mail_arrives_with_text_and_html() {
    let (sink, templates) = (Sink::start(None), templates());
    let provider = provider(MailTransport::Smtp(smtp(sink.address(), None)), Some(templates.path()));
    let CallOutcome::Done(outcome) = provider.call(&mail("mail:welcome", "zoe@example.com")) else {
        panic!("not sent")
    };
    let mails = sink.mails();
    let [file] = mails.as_slice() else { panic!("{} mails", mails.len()) };
    let found = read(&sink, file);
    assert_eq!(header(&found, "X-Envelope-To"), ["zoe@example.com"]);
    assert_eq!(header(&found, "From"), ["Shop <shop@shop.example>"]);
    assert_eq!(header(&found, "To"), ["zoe@example.com"]);
    assert_eq!(header(&found, "Subject"), ["Willkommen, Zoë <b>"]);
    let message_id = outcome["message_id"].as_str().expect("an id");
    assert_eq!(header(&found, "Message-ID"), [format!("<{message_id}>")]);
    assert!(message_id.ends_with("@shop.example") && message_id.len() == 24 + 13, "{message_id}");
    let plain = found["parts"]["text/plain"].as_str().expect("a text").replace("\r\n", "\n");
    assert_eq!(plain.trim_end(), "Hallo Zoë <b>,\nhier entlang: https://a.example/?x=1&y=2");
    let html = found["parts"]["text/html"].as_str().expect("a second form");
    assert!(html.contains("<p>Hallo Zoë &lt;b&gt;, <a href=\"https://a.example/?x=1&amp;y=2\">hier</a></p>"), "{html}");
    assert!(html.starts_with("<!doctype html>") && html.contains(">Shop</td>"), "in the frame: {html}");
}

#[test]
fn a_business_switches_a_built_in_mail_off_with_an_empty_template() {
    let folder = tempfile::tempdir().expect("a folder");
    let mails = folder.path().join("mails");
    std::fs::write(folder.path().join("instance_ready.txt"), "\n").expect("the template");
    let provider = provider(MailTransport::Folder(mails.clone()), Some(folder.path()));
    let of = |template: &str, to: &str| {
        let values = json!({"instance": "inst_1", "url": "https://a.example", "health": "healthy"});
        Call { payload: json!({"template": template, "to": to, "values": values}), ..mail(template, "") }
    };
    // Nobody needs to have an address for a mail that is not sent.
    let nobody = Call { scope: "shop/test/user:nobody".to_owned(), ..of("instance_ready", "account") };
    assert_eq!(provider.call(&nobody), CallOutcome::Done(json!({})));
    assert_eq!(code(&provider.call(&of("instance_recovered", "account"))), "done");
    assert_eq!(mails.read_dir().expect("the folder").count(), 1, "only the other mail is sent");
}

#[test]
fn a_built_in_mail_names_the_instance_and_goes_to_all_operators_or_in_the_language_of_the_account() {
    let sink = Sink::start(None);
    let folder = tempfile::tempdir().expect("a folder");
    let german = "Subject: Ihre Quittung\n\n{{ amount_paid_minor | money(currency) }}\n";
    std::fs::write(folder.path().join("receipt.de.txt"), german).expect("the text");
    let provider = provider(MailTransport::Smtp(smtp(sink.address(), None)), Some(folder.path()));
    let values = json!({"instance": "inst_1", "step": "server/migrate", "code": "x"});
    let payload = json!({"template": "step_failed", "to": "admin", "values": values});
    assert_eq!(code(&provider.call(&Call { payload, ..mail("a", "") })), "done");
    let values = json!({"invoice": "in_1", "amount_paid_minor": 123_450, "currency": "chf"});
    let payload = json!({"template": "receipt", "to": "account", "values": values});
    assert_eq!(code(&provider.call(&Call { payload, ..mail("b", "") })), "done");
    let mails = sink.mails();
    let (first, second) = (read(&sink, &mails[0]), read(&sink, &mails[1]));
    assert_eq!(header(&first, "X-Envelope-To"), ["ops@example.com", "night@example.com"]);
    assert_eq!(header(&first, "Subject"), ["A step of Ana's site failed"]);
    let plain = first["parts"]["text/plain"].as_str().expect("a text").replace("\r\n", "\n");
    assert!(plain.contains("- Account: user:u\n- Instance: inst_1\n- Step: server/migrate\n- Error: x\n"), "{plain}");
    assert!(plain.contains("https://shop.example/admin/accounts/user:u"), "{plain}");
    assert_eq!(header(&second, "X-Envelope-To"), ["ana@example.com"]);
    assert_eq!(header(&second, "Subject"), ["Ihre Quittung"]);
    let plain = second["parts"]["text/plain"].as_str().expect("a text");
    assert_eq!(plain.trim_end(), "CHF\u{a0}1’234.50", "as Switzerland writes it");
}

#[test]
fn values_and_addresses_can_not_inject_headers_or_recipients() {
    let sink = Sink::start(None);
    let templates = templates();
    let provider = provider(MailTransport::Smtp(smtp(sink.address(), None)), Some(templates.path()));
    let payload = json!({"template": "welcome", "to": "zoe@example.com", "values": {"name": "Zoë\r\nBcc: all@example.com", "url": ""}});
    assert_eq!(code(&provider.call(&Call { payload, ..mail("a", "") })), "done");
    let found = read(&sink, &sink.mails()[0]);
    assert_eq!((header(&found, "Bcc").len(), header(&found, "X-Envelope-To").len()), (0, 1));
    for to in ["a@example.com\r\nBcc: b@example.com", "a@example.com, b@example.com", "A <a@example.com>", "nobody", ""]
    {
        let answer = provider.call(&mail("b", to));
        assert_eq!(code(&answer), "bad-address", "{to:?}");
        assert!(!format!("{answer:?}").contains("a@example.com"), "addresses are not repeated: {answer:?}");
    }
    assert_eq!(sink.mails().len(), 1);
}

#[test]
fn permanent_rejections_are_refused_and_temporary_ones_retried() {
    let sink = Sink::start(None);
    let provider = provider(MailTransport::Smtp(smtp(sink.address(), None)), None);
    let refused = provider.call(&mail("a", "ana@refused.example"));
    assert!(
        matches!(&refused, CallOutcome::Refused { code, message } if code == "mail-refused" && message.contains("550"))
    );
    assert!(!format!("{refused:?}").contains("ana@"), "{refused:?}");
    let later = provider.call(&mail("b", "ana@later.example"));
    assert!(matches!(&later, CallOutcome::Retry { code, .. } if code == "mail-deferred"), "{later:?}");
    assert_eq!(code(&provider.call(&mail("b", "ana@later.example"))), "done");
    assert_eq!(sink.mails().len(), 1);
    let nobody = Call { scope: "shop/test/user:x".to_owned(), ..mail("c", "account") };
    assert_eq!(code(&provider.call(&nobody)), "no-address");
    let unknown = provider.call(&Call { scope: "shop/test/user:later".to_owned(), ..mail("d", "account") });
    assert!(matches!(&unknown, CallOutcome::Retry { code, .. } if code == "address-unavailable"), "{unknown:?}");
    assert_eq!(code(&provider.call(&Call { kind: "mail.read".to_owned(), ..mail("e", "account") })), "unsupported");
}

#[test]
fn a_password_is_sent_to_the_server_and_not_revealed() {
    let vault = Arc::new(Vault::in_memory().expect("a vault"));
    let kept = vault.put("shop/test/user:u", "smtp", "hunter2-plain").expect("kept");
    let secrets: Arc<dyn Secrets> = vault;
    let sink = Sink::start(Some("hunter2-plain"));
    let with =
        |password| provider(MailTransport::Smtp(smtp(sink.address(), Some(("shop".to_owned(), password)))), None);
    let call = Call { secrets: SecretAccess::new(Some(secrets)), ..mail("a", "ana@example.com") };
    assert_eq!(code(&with(Password::Reference(kept.reference)).call(&call)), "done");
    assert_eq!(code(&with(Password::Plain(Secret::new("hunter2-plain"))).call(&call)), "done");
    let wrong = with(Password::Plain(Secret::new("hunter3-plain"))).call(&call);
    assert!(matches!(&wrong, CallOutcome::Retry { code, .. } if code == "login-refused"), "{wrong:?}");
    assert!(!format!("{wrong:?}").contains("hunter"), "{wrong:?}");
    let missing = with(Password::Reference("secret:vault/none".to_owned())).call(&call);
    assert_eq!(code(&missing), "secret-unknown");
    assert_eq!(sink.mails().len(), 2);
}

#[test]
fn an_unencrypted_connection_is_limited_to_this_machine() {
    for (host, is_right) in
        [("127.0.0.1", true), ("localhost", true), ("::1", true), ("mail.example.com", false), ("10.0.0.1", false)]
    {
        let transport = MailTransport::Smtp(Smtp { host: host.to_owned(), ..smtp(([127, 0, 0, 1], 25).into(), None) });
        let config = Config {
            from: "a@b.example".to_owned(),
            templates: MailTemplates::default(),
            addresses: Arc::new(TestAddressBook),
            transport,
        };
        assert_eq!(Mail::new(config).is_ok(), is_right, "{host}");
    }
    let transport = MailTransport::Folder("mails".into());
    let config = Config {
        from: "nobody".to_owned(),
        templates: MailTemplates::default(),
        addresses: Arc::new(TestAddressBook),
        transport,
    };
    let outcome = Mail::new(config).err().expect("no address").to_string();
    assert!(outcome.starts_with("`from` is `nobody`: expected "), "{outcome}");
    // A server without TLS gets no mail if the connection requires STARTTLS.
    let sink = Sink::start(None);
    let strict = Smtp { host: "localhost".to_owned(), security: Security::StartTls, ..smtp(sink.address(), None) };
    let answer = provider(MailTransport::Smtp(strict), None).call(&mail("a", "ana@example.com"));
    assert!(matches!(&answer, CallOutcome::Retry { .. }), "{answer:?}");
    assert_eq!(sink.mails().len(), 0);
}

// covers: PLG-65
#[test]
fn a_mail_is_written_once_into_a_folder() {
    let (folder, templates) = (tempfile::tempdir().expect("a folder"), templates());
    let mails = folder.path().join("mails");
    let send = |call: &Call| provider(MailTransport::Folder(mails.clone()), Some(templates.path())).call(call);
    let first = send(&mail("a", "ana@example.com"));
    assert_eq!(code(&first), "done");
    let files = || -> Vec<_> {
        let entries = std::fs::read_dir(&mails).expect("the folder");
        entries.map(|entry| entry.expect("a file").path()).collect()
    };
    let [file] = files().try_into().expect("one file");
    assert!(std::fs::read_to_string(&file).expect("the mail").starts_with("From: Shop <shop@shop.example>"));
    // A mail that is written again may have the same date, so the file gets other contents, which a second write would
    // replace.
    std::fs::write(&file, "as it was").expect("marked");
    assert_eq!(send(&mail("a", "ana@example.com")), first, "the same mail is not written again");
    assert_eq!(std::fs::read(&file).expect("the mail"), b"as it was", "the file is unchanged");
    assert_ne!(send(&mail("b", "ana@example.com")), first);
    assert_ne!(send(&Call { scope: "shop/live/user:u".to_owned(), ..mail("a", "ana@example.com") }), first);
    assert_eq!(files().len(), 3);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(std::fs::metadata(&file).expect("the file").permissions().mode() & 0o777, 0o600);
    }
}

#[test]
fn a_secret_of_the_account_stands_in_the_mail_and_others_are_refused() {
    let vault = Arc::new(Vault::in_memory().expect("a vault"));
    let kept = vault.put("shop/test/user:u", "link", "https://a.example/?token=hidden").expect("kept");
    let foreign = vault.put("shop/test/user:v", "link", "https://a.example/?token=foreign").expect("kept");
    let secrets: Arc<dyn Secrets> = vault;
    let folder = tempfile::tempdir().expect("a folder");
    let send = |key: &str, reference: &str| {
        let mut call = Call { secrets: SecretAccess::new(Some(secrets.clone())), ..mail(key, "ana@example.com") };
        call.payload["template"] = json!("invited");
        call.payload["secrets"] = json!({"link": reference});
        provider(MailTransport::Folder(folder.path().to_owned()), None).call(&call)
    };
    let sent = send("a", &kept.reference);
    assert_eq!(code(&sent), "done");
    assert!(!format!("{sent:?}").contains("hidden"), "{sent:?}");
    let files = || std::fs::read_dir(folder.path()).expect("the folder").map(|file| file.expect("a file").path());
    let text = std::fs::read_to_string(files().next().expect("a mail")).expect("text");
    assert!(text.replace("=\r\n", "").replace("=3D", "=").contains("Link: https://a.example/?token=hidden"), "{text}");
    assert_eq!(code(&send("b", &foreign.reference)), "secret-unknown", "another account's");
    for machine in ["secret:env/PATH", "secret:file/key", "https://plain.example"] {
        assert_eq!(code(&send("c", machine)), "bad-secret", "{machine}");
    }
    assert_eq!(files().count(), 1);
    assert_eq!(code(&send("d", "secret:scripted/0f")), "done", "a simulated step has made it up");
    let simulated =
        files().any(|file| std::fs::read_to_string(file).expect("text").contains("Link: secret:scripted/0f"));
    assert!(simulated, "it stands for itself");
}

/// Counts mails and their distinct ids.
fn ids(sink: &Sink) -> (usize, BTreeSet<String>) {
    let mails = sink.mails();
    let ids = mails.iter().map(|mail| {
        let text = std::fs::read_to_string(mail).expect("a mail");
        let line = text.lines().find(|line| line.starts_with("Message-ID:")).expect("an id");
        line.to_owned()
    });
    (mails.len(), ids.collect())
}

// covers: ORC-19, ORC-30, PLG-63
#[test]
fn a_mail_arrives_under_one_id_despite_faults() {
    let sink = Sink::start(None);
    let faults = [Fault::Refuse, Fault::ResetBefore, Fault::ResetAfter, Fault::Truncate, Fault::Delay(TIMEOUT * 2)];
    let (mut struck, mut twice, mut late) = (0, 0, 0);
    // The exchanges of a new connection: greeting, EHLO, MAIL FROM, RCPT TO, DATA, the mail.
    for exchange in 0..6 {
        for fault in faults {
            let proxy = FaultProxy::start(sink.address(), Protocol::Plain);
            let provider = provider(MailTransport::Smtp(smtp(proxy.address(), None)), None);
            let before = ids(&sink);
            proxy.fail_nth(exchange, fault);
            let call = mail(&format!("{exchange}/{fault:?}"), "ana@example.com");
            let first = provider.call(&call);
            // The first call may succeed despite the fault, if the fault strikes a response for which the provider does
            // not wait.
            assert!(
                matches!(&first, CallOutcome::Done(_) | CallOutcome::Retry { .. }),
                "{exchange} {fault:?}: {first:?}"
            );
            // Counts late responses after which the provider reports a timeout. Without a timeout, it would wait and
            // report success.
            late += usize::from(matches!((fault, &first), (Fault::Delay(_), CallOutcome::Retry { .. })));
            struck += proxy.struck();
            proxy.clear();
            let second = provider.call(&call);
            assert_eq!(code(&second), "done", "{exchange} {fault:?}: {second:?}");
            let after = ids(&sink);
            assert_eq!(after.1.len(), before.1.len() + 1, "{exchange} {fault:?}: one id");
            twice += after.0 - before.0 - 1;
        }
    }
    assert!(struck >= 20, "only {struck} faults struck");
    assert!(late >= 5, "only {late} late responses were given up");
    assert!(twice > 0, "no response was lost after a mail was accepted");
}

#[test]
fn connections_are_reused() {
    let sink = Sink::start(None);
    let proxy = FaultProxy::start(sink.address(), Protocol::Plain);
    let provider = provider(MailTransport::Smtp(smtp(proxy.address(), None)), None);
    for number in 0..3 {
        assert_eq!(code(&provider.call(&mail(&number.to_string(), "ana@example.com"))), "done");
    }
    let hellos = proxy.seen().iter().filter(|line| line.starts_with("EHLO")).count();
    assert_eq!((hellos, sink.mails().len()), (1, 3));
}
