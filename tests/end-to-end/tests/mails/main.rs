//! Every mail that the businesses of the fixtures send in their scenarios, as people get it. `UPDATE_SCREENSHOTS=1` writes the pictures in
//! `docs/images/mails`, by Chromium.

mod pictures;
mod sent;

use end_to_end::world::root;
use host_business::folder::BusinessFolder;
use host_providers::{MailSite, MailTemplates, Wanted, built_in_mails};
use sent::{SentMail, of_server, sent_by};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// The businesses whose mails are their own or built in.
const BUSINESSES: [&str; 5] = ["orchestra", "saas-plugins", "solobase", "tesslate", "twobot"];
/// Businesses whose scenarios send further mails.
const OTHERS: [&str; 8] = [
    "discounts",
    "families-and-add-ons",
    "full-podcasts",
    "prepaid",
    "seats",
    "solobase-upstream",
    "trials",
    "use-by-month",
];
/// The business with German mails.
const GERMAN: &str = "saas-plugins";

/// Returns the name of an instance: the word in its id, if a person has chosen it.
fn name_of(id: &str) -> String {
    let word = id.split_once('_').map_or(id, |(_, word)| word);
    let is_hash = word.len() == 16 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    let mut letters = word.chars();
    match letters.next().filter(|_| !is_hash) {
        Some(first) => first.to_uppercase().chain(letters).collect(),
        None => "City Philharmonic".to_owned(),
    }
}

/// A mail as a recipient gets it.
struct Rendered {
    sent: SentMail,
    subject: String,
    plain: String,
    html: String,
}

fn folder(name: &str) -> std::path::PathBuf {
    test_support::in_business(name)
}

/// Returns the templates of a business, with the pages of the business at an address of its own.
fn templates(name: &str) -> MailTemplates {
    let business = BusinessFolder::load(&folder(name)).expect("a business").filled(&[]);
    let url = format!("https://{name}.example");
    MailTemplates { folders: business.template_folders(), site: business.mail_site(&url, &url).expect("pages") }
}

/// Returns the templates of a business that has written none.
fn no_templates() -> MailTemplates {
    MailTemplates { folders: Vec::new(), site: MailSite::new("My Shop".to_owned(), "https://shop.example") }
}

fn render(templates: &MailTemplates, sent: &SentMail, language: Option<&str>) -> Result<Rendered, String> {
    // A server knows the names of instances.
    let beyond = sent.values["beyond"].as_array().into_iter().flatten();
    let ids = sent.values.get("instance").into_iter().chain(beyond).filter_map(Value::as_str);
    let instances = ids.map(|id| (id.to_owned(), name_of(id))).collect();
    let wanted = Wanted {
        template: &sent.template,
        is_for_operators: sent.is_for_operators(),
        account: &sent.account,
        instances: &instances,
        language,
    };
    let text = templates.fill(&wanted, &sent.values).map_err(|error| error.to_string())?;
    Ok(Rendered { sent: sent.clone(), subject: text.subject, plain: text.plain, html: text.html })
}

/// Returns why a mail cannot be sent to people.
fn faults(mail: &Rendered, site: &MailSite) -> Vec<String> {
    let mut found = Vec::new();
    let mut fault = |is: bool, what: &str| {
        if is {
            found.push(what.to_owned());
        }
    };
    let text = format!("{}\n{}", mail.subject, mail.plain);
    fault(mail.subject.trim().is_empty() || mail.plain.trim().is_empty(), "a part is empty");
    // The message of an error may name a place of the catalog in braces, for operators.
    let is_raw = match mail.sent.is_for_operators() {
        true => ["{{", "{\"", "[\"", "\":", "{}", "[]"].iter().any(|part| text.contains(part)),
        false => text.contains(['{', '}', '[', ']', '"']),
    };
    fault(is_raw, "raw JSON or a placeholder");
    fault(["undefined", "null", "none."].iter().any(|word| text.contains(word)), "a value that is none");
    fault(["  ", " .", " ,", " :", "()", "(,"].iter().any(|gap| text.contains(gap)), "an empty place");
    fault(text.lines().any(|line| line.trim_end().ends_with([':', '-'])), "a line without its value");
    fault(text.contains("-01-01T") || text.contains(":00Z") || text.contains(".000Z"), "a time for programs");
    fault(!mail.plain.contains(&site.title), "the business is not named");
    fault(!mail.html.contains(&site.title) || !mail.html.contains("<h1>"), "the HTML has no frame");
    fault(
        mail.html.contains("{{") || mail.html.contains("<p></p>") || mail.html.contains("<td></td>"),
        "an empty place in HTML",
    );
    fault(!mail.plain.contains("https://") && !mail.plain.contains("secret:scripted/"), "no link");
    let is_linked = mail.html.matches("href=").count() > 1 || mail.plain.contains("secret:scripted/");
    fault(!is_linked, "no link in HTML");
    if mail.sent.is_for_operators() {
        fault(!mail.plain.lines().any(|line| line.starts_with("- ")), "no facts");
        fault(!mail.plain.contains(&site.console), "no link to the console");
    } else {
        let is_raw = |line: &str| {
            let name = line.split_once(": ").map(|(name, _)| name.trim_start_matches("- "));
            name.is_some_and(|name| name.starts_with(|letter: char| letter.is_ascii_lowercase()) || name.contains('_'))
        };
        fault(mail.plain.lines().any(is_raw), "a name of a program");
        fault(text.contains("prod_"), "the id of a product of the catalog");
    }
    found
}

/// Returns the values of the mails without a clause, as `docs/reference/effects.md` lists them, by mail.
fn documented() -> BTreeMap<String, BTreeSet<String>> {
    let text = std::fs::read_to_string(root().join("docs/reference/effects.md")).expect("the document");
    let tables = ["<!-- mails -->", "<!-- mails of the server -->"]
        .map(|mark| text.split(mark).nth(1).and_then(|rest| rest.split("<!-- end -->").next()).expect("a table"));
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for row in tables.into_iter().flat_map(str::lines).filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let names = cells[4].split(", ").map(|name| name.trim_matches('`').to_owned());
        found.entry(cells[1].trim_matches('`').to_owned()).or_default().extend(names);
    }
    for mail in of_server() {
        let listed = &found[&mail.template];
        assert!(mail.values.as_object().expect("an object").keys().all(|name| listed.contains(name)), "{mail:?}");
    }
    found
}

// covers: PLG-34, PLG-64, ORC-19, ORC-30, TES-46
#[test]
fn every_mail_of_every_business_can_be_read_by_people() {
    let built_in: BTreeSet<&str> = built_in_mails().map(|(name, _)| name).collect();
    let (mut problems, mut seen) = (Vec::new(), BTreeSet::new());
    let (mut everything, mut sheets, mut products) = (Vec::new(), Vec::new(), BTreeMap::new());
    let mut check = |business: &str, templates: &MailTemplates, sent: &[SentMail], language: Option<&str>| {
        let mut sheet = Vec::new();
        for mail in sent {
            let rendered = render(templates, mail, language);
            let faults =
                rendered.as_ref().map_or_else(|error| vec![error.clone()], |shown| faults(shown, &templates.site));
            let shown =
                rendered.as_ref().map(|shown| format!("{}\n\n{}", shown.subject, shown.plain)).unwrap_or_default();
            problems.extend(
                faults
                    .into_iter()
                    .map(|fault| format!("{business}: {}: {fault}: {}\n{shown}", mail.template, mail.values)),
            );
            sheet.extend(rendered);
        }
        sheets.push((business.to_owned(), language.is_some(), sheet));
    };
    for business in BUSINESSES.iter().chain(&OTHERS) {
        let (templates, mut sent) = (templates(business), sent_by(business));
        sent.retain(|mail| !templates.is_switched_off(&mail.template).expect("the file can be read"));
        products.extend(templates.site.products.clone());
        if BUSINESSES.contains(business) {
            sent.extend(of_server());
            for mail in &sent {
                seen.insert(mail.template.clone());
                let has_file = has_template(&templates, &mail.template, "");
                assert!(
                    has_file || built_in.contains(mail.template.as_str()),
                    "{business}: `{}` has no template",
                    mail.template
                );
            }
            check(business, &templates, &sent, None);
            if *business == GERMAN {
                let customers: Vec<SentMail> = sent.iter().filter(|mail| !mail.is_for_operators()).cloned().collect();
                for mail in &customers {
                    assert!(has_template(&templates, &mail.template, ".de"), "`{}` is not in German", mail.template);
                }
                check(business, &templates, &customers, Some("de-DE"));
            }
        }
        seen.extend(sent.iter().map(|mail| mail.template.clone()));
        everything.extend(sent);
    }
    everything.extend(sent::rare());
    let mut none = no_templates();
    none.site.products = products;
    check("no templates", &none, &everything, None);
    assert!(problems.is_empty(), "{} problems:\n{}", problems.len(), problems.join("\n"));
    seen.extend(sent::rare().into_iter().map(|mail| mail.template));
    let unseen: Vec<&&str> = built_in.iter().filter(|name| !seen.contains(**name)).collect();
    assert_eq!(unseen, [&""; 0], "built-in mails of no scenario");
    if std::env::var_os("UPDATE_SCREENSHOTS").is_some() {
        pictures::write(&sheets);
    }
}

fn has_template(templates: &MailTemplates, name: &str, language: &str) -> bool {
    templates.folders.iter().any(|folder| folder.join(format!("{name}{language}.txt")).is_file())
}

#[test]
fn every_placeholder_of_a_mail_is_a_value_that_the_mail_has() {
    let documented = documented();
    let check = |place: &str, name: &str, placeholders: &[String]| {
        let Some(known) = documented.get(name) else { return };
        for placeholder in placeholders {
            assert!(known.contains(placeholder), "{place}: `{placeholder}` in {name} is none of {known:?}");
        }
    };
    let mut built_in = BTreeSet::new();
    for (name, placeholders) in built_in_mails() {
        assert!(documented.contains_key(name), "docs/reference/effects.md does not list `{name}`");
        check("built in", name, &placeholders);
        built_in.insert(name.to_owned());
    }
    let missing: Vec<&String> = documented.keys().filter(|name| !built_in.contains(*name)).collect();
    assert_eq!(missing, [""; 0], "mails without a built-in text");
    for business in BUSINESSES {
        let own = BusinessFolder::load(&folder(business)).expect("a business").templates;
        for (name, placeholders) in own {
            let placeholders: Vec<String> = serde_json::from_value(placeholders).expect("names");
            check(business, &name, &placeholders);
        }
    }
}

/// The check notices what people should not get.
#[test]
fn a_mail_with_a_fault_is_noticed() {
    let sent = SentMail {
        template: "welcome".to_owned(),
        to: "account".to_owned(),
        account: "user:ada".to_owned(),
        values: json!({"name": "Ada", "list": ["a"], "none": null, "at": "2026-01-01T00:00:00Z"}),
    };
    let faults_of = |body: &str| {
        let dir = tempfile::tempdir().expect("a folder");
        std::fs::write(dir.path().join("welcome.txt"), format!("Subject: Hello\n\n{body}\n")).expect("written");
        let templates = MailTemplates { folders: vec![Path::to_owned(dir.path())], site: no_templates().site };
        match render(&templates, &sent, None) {
            Ok(mail) => faults(&mail, &templates.site),
            Err(error) => vec![error],
        }
    };
    let link = "\n\n[Open]({{ links.dashboard }})";
    assert_eq!(faults_of(&format!("My Shop greets {{{{ name }}}}.{link}")), [""; 0]);
    for (body, fault) in [
        ("My Shop greets {{ nmae }}.", "`nmae` has no value"),
        ("My Shop has {{ list }}.", "raw JSON or a placeholder"),
        ("My Shop greets {{ none }} today.", "an empty place"),
        ("My Shop\n\nName: {{ none }}", "a line without its value"),
        ("My Shop\n\nlogin url: {{ name }}", "a name of a program"),
        ("My Shop begins on {{ at }}.", "a time for programs"),
        ("We greet you.", "the business is not named"),
    ] {
        let found = faults_of(&format!("{body}{link}"));
        assert!(found.iter().any(|found| found.contains(fault)), "{body}: {found:?}");
    }
    assert!(faults_of("My Shop greets you.").contains(&"no link".to_owned()));
}

/// Returns an object; for the payloads of mails.
fn object(values: Value) -> Map<String, Value> {
    values.as_object().cloned().unwrap_or_default()
}
