//! The clause `instances`: what customers create, with its resources. Each entry becomes a product type that is provisioned.

use super::features::{Features, Kind, check_name};
use super::place::{From, entry};
use crate::yaml::{Checked, Checker, Entry, Node, Tree};

/// The longest label.
const LABEL_MAX: usize = 40;
/// The longest name of a bucket at S3, which is the shortest limit of all resources.
const NAME_MAX: usize = 63;

/// The kinds of resources that the extension declares.
const KINDS: [&str; 5] = ["database", "bucket", "function", "cdn", "domain"];

/// A resource of an instance.
struct Resource<'n> {
    name: &'n str,
    kind: String,
    /// The members of the full level that the file gives.
    given: Vec<&'n Entry>,
    node: &'n Node,
}

/// Translates the clause.
pub(super) fn read(
    check: &Checker,
    clause: &Entry,
    features: &Features,
    document: &Node,
    has_plans: bool,
) -> Checked<Vec<Node>> {
    let own = document.member("resources").and_then(Node::entries).unwrap_or_default();
    let kinds: Vec<&str> = KINDS.into_iter().chain(own.iter().map(|entry| entry.key.as_str())).collect();
    check.each(check.map(&clause.key, &clause.value)?, |instance| one(check, instance, features, &kinds, has_plans))
}

fn one(check: &Checker, instance: &Entry, features: &Features, kinds: &[&str], has_plans: bool) -> Checked<Node> {
    check_name(check, instance, "an instance")?;
    let at = From(&instance.value);
    let mut fields = check.fields(format!("instance `{}`", instance.key), &instance.value)?;
    let label = fields.optional("label", |node| check.filled_text("label", node));
    let uses = fields.optional("uses", |node| used(check, node, features));
    let resources = fields.optional("resources", |node| resources(check, node, kinds));
    let address = fields.optional("address", |node| Ok((node, check.filled_text("address", node)?)));
    fields.finish()?;
    let label = label?.unwrap_or_else(|| "label".to_owned());
    let (resources, address) = (resources?.unwrap_or_default(), address?);
    if resources.is_empty() {
        let problem = format!("instance `{}` has no `resources`", instance.key);
        return Err(check.bad(instance.place(), problem, "what is made for it, such as `resources: {data: database}`"));
    }
    let longest = resources.iter().map(|resource| resource.name.len()).max().unwrap_or(0);
    let room = NAME_MAX.saturating_sub(instance.key.len() + longest + 2).min(LABEL_MAX);
    let field = at.map([
        entry("name", at.text(&label)),
        entry("type", at.text("string")),
        entry("required", at.truth(true)),
        entry("format", at.text("label")),
        entry("max_length", at.int(i64::try_from(room).unwrap_or(1))),
        entry("unique", at.truth(true)),
        entry("immutable", at.truth(true)),
    ]);
    let mut members = vec![
        entry("name", at.text(&instance.key)),
        entry("id_prefix", at.text(&instance.key)),
        entry("id_by", at.text(&label)),
        entry("fields", at.list([field])),
    ];
    let uses = uses?.unwrap_or_default();
    members.extend(uses.consumes.map(|consumes| entry("consumes", consumes)));
    if has_plans {
        let link = [entry("field", at.text("plan_id")), entry("family", at.text("plan"))];
        members.push(entry("plan", at.map(link)));
    }
    let measured = features.measured().iter().map(|meter| at.map([entry("meter", at.text(meter))]));
    let meters: Vec<Node> = measured.chain(uses.time).collect();
    if !meters.is_empty() {
        members.push(entry("meters", at.list(meters)));
    }
    let written = match &address {
        Some((node, text)) => Some(with_places(check, node, text, &label, &resources)?),
        None => None,
    };
    let host = written.as_deref().map(host_of);
    // If exactly one limit is measured, it applies to the contents; with several, the file must name one.
    let quota = features.measured().first().filter(|_| features.measured().len() == 1).map(String::as_str);
    let provisions: Checked<Vec<Node>> = check.each(&resources, |resource| {
        let (before, after) = (instance.key.replace('_', "-"), resource.name.replace('_', "-"));
        provision(check, resource, &resources, format!("{before}-{{instance.{label}}}-{after}"), (host, quota))
    });
    members.push(entry("provisions", at.list(provisions?)));
    members.extend(url(at, &resources, address.map(|(node, _)| node), written).map(|url| entry("url", url)));
    Ok(at.map(members))
}

/// What an instance uses.
#[derive(Default)]
struct Uses {
    /// The amounts of features that it takes while it exists.
    consumes: Option<Node>,
    /// The meters of the time for which it runs.
    time: Vec<Node>,
}

/// Reads what an instance uses: one unit of a feature, or amounts by feature. Of a feature with a price it uses a unit in each begun time
/// of a length.
fn used(check: &Checker, node: &Node, features: &Features) -> Checked<Uses> {
    let at = From(node);
    let of_kind =
        |kind: Kind| -> Vec<&str> { features.given().filter(|name| features.kind(name) == Some(kind)).collect() };
    let (amounts, priced) = (of_kind(Kind::Amount), of_kind(Kind::Use));
    if let Tree::Text(_) = &node.value {
        let consumes = at.map([entry(check.word("uses", node, &amounts)?, at.int(1))]);
        return Ok(Uses { consumes: Some(consumes), ..Uses::default() });
    }
    let entries = check.map("uses", node)?;
    check.only_known("`uses`", entries, &[&amounts[..], &priced].concat())?;
    let (times, amounts): (Vec<&Entry>, Vec<&Entry>) =
        entries.iter().partition(|entry| priced.contains(&entry.key.as_str()));
    let time = check.each(times, |used| match &used.value.value {
        Tree::Text(_) => Ok(at.map([entry("meter", at.text(&used.key)), entry("every", used.value.clone())])),
        _ => {
            let problem = format!("`uses.{}` is no time", used.key);
            Err(check.bad(used.value.place(), problem, "the time of which each begun one counts, such as `1h`"))
        }
    })?;
    let consumes = (!amounts.is_empty()).then(|| at.map(amounts.into_iter().cloned().collect::<Vec<Entry>>()));
    Ok(Uses { consumes, time })
}

/// Reads the resources: the kind of each, or the members of the full level.
fn resources<'n>(check: &Checker, node: &'n Node, kinds: &[&str]) -> Checked<Vec<Resource<'n>>> {
    check.each(check.map("resources", node)?, |resource| {
        check_name(check, resource, "a resource")?;
        let given: Vec<&Entry> = resource.value.entries().unwrap_or_default().iter().collect();
        let kind = match resource.value.entries() {
            None => check.word(&format!("resources.{}", resource.key), &resource.value, kinds)?.to_owned(),
            Some(_) => match resource.value.member("resource") {
                Some(kind) => check.filled_text("resource", kind)?,
                None => {
                    let problem = format!("`resources.{}` has no kind", resource.key);
                    return Err(check.bad(resource.place(), problem, "`resource: database`, or another kind"));
                }
            },
        };
        Ok(Resource { name: &resource.key, kind, given, node: &resource.value })
    })
}

/// Returns the entry of `provisions` for a resource, with the defaults of its kind. Members in the file take
/// precedence.
fn provision<'n>(
    check: &Checker,
    resource: &Resource<'n>,
    all: &[Resource<'n>],
    name: String,
    (host, quota): (Option<&str>, Option<&str>),
) -> Checked<Node> {
    let at = From(resource.node);
    let others = |kind: &str| all.iter().find(|other| other.kind == kind && other.name != resource.name);
    let mut with = vec![entry("name", at.text(name))];
    let mut after = Vec::new();
    let mut members = vec![entry("name", at.text(resource.name)), entry("resource", at.text(&resource.kind))];
    let mut place = |other: &Resource<'n>, output: &str| {
        if !after.contains(&other.name) {
            after.push(other.name);
        }
        at.text(format!("{{{}.{output}}}", other.name))
    };
    let output = match resource.kind.as_str() {
        "bucket" => {
            members.push(entry("on_archive", at.text("keep")));
            "bucket"
        }
        "database" => {
            members.push(entry("backup", at.truth(true)));
            "endpoint"
        }
        "function" => {
            if let Some(bucket) = others("bucket") {
                with.push(entry("bucket", place(bucket, "bucket")));
            }
            if let Some(database) = others("database") {
                for (member, output) in [
                    ("database", "endpoint"),
                    ("database_secret", "secret_ref"),
                    ("database_name", "name"),
                    ("database_user", "user"),
                ] {
                    with.push(entry(member, place(database, output)));
                }
            }
            members.push(entry("suspends", at.truth(true)));
            "url"
        }
        kind @ ("cdn" | "domain") => {
            let has_host = resource.node.member("with").is_some_and(|with| with.member("host").is_some());
            match host {
                Some(host) => with = vec![entry("host", at.text(host))],
                None if has_host => with.clear(),
                None => {
                    let problem = format!("`resources.{}` has no host name", resource.name);
                    let expected = "`address: \"https://{{ label }}.shop.example\"` of the instance";
                    return Err(check.bad(resource.node.place(), problem, expected));
                }
            }
            if let Some(function) = others("function").filter(|_| kind == "cdn") {
                with.push(entry("origin", place(function, "url")));
            }
            "domain"
        }
        _ => "id",
    };
    if let Some(quota) = quota.filter(|_| matches!(resource.kind.as_str(), "database" | "bucket")) {
        members.push(entry("quota", at.text(quota)));
    }
    members.push(entry("with", at.map(with)));
    if !after.is_empty() {
        members.push(entry("after", at.list(after.into_iter().map(|name| at.text(name)))));
    }
    members.push(entry("outputs", at.map([entry(resource.name, at.text(output))])));
    for given in &resource.given {
        members.retain(|member| member.key != given.key);
        members.push((*given).clone());
    }
    Ok(at.map(members))
}

/// Returns the addresses under which an instance is opened: the given one, or that of its function.
fn url(at: From<'_>, resources: &[Resource<'_>], given: Option<&Node>, address: Option<String>) -> Option<Node> {
    let of_kind = |kind: &str| resources.iter().find(|resource| resource.kind == kind);
    let serving = ["cdn", "domain", "function"].into_iter().find_map(of_kind);
    let (at, resource, value) = match (given, address) {
        (Some(node), Some(address)) => (From(node), serving.or(resources.last())?, address),
        _ => {
            let function = of_kind("function")?;
            (at, function, format!("{{{}.url}}", function.name))
        }
    };
    Some(at.list([at.map([entry("resource", at.text(resource.name)), entry("value", at.text(value))])]))
}

/// Replaces `{{ label }}` and `{{ site.url }}` by the places of the full level.
fn with_places(check: &Checker, node: &Node, text: &str, label: &str, resources: &[Resource<'_>]) -> Checked<String> {
    let refused = |found: &str| {
        let example = resources.first().map_or("site", |resource| resource.name);
        let expected = format!("`{{{{ {label} }}}}`, or an output such as `{{{{ {example}.url }}}}`");
        Err(check.bad(node.place(), format!("`{found}` in `address` is not a value of the instance"), expected))
    };
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, (inner, after))) =
        rest.split_once("{{").and_then(|(before, tail)| Some((before, tail.split_once("}}")?)))
    {
        let name = inner.trim();
        let is_output =
            name.split_once('.').is_some_and(|(of, _)| resources.iter().any(|resource| resource.name == of));
        if name != label && !is_output {
            return refused(&format!("{{{{{inner}}}}}"));
        }
        let place = if name == label { format!("instance.{name}") } else { name.to_owned() };
        out.push_str(&format!("{before}{{{place}}}"));
        if let Some(at) = before.find(['{', '}']) {
            return refused(&before[at..]);
        }
        rest = after;
    }
    match rest.find(['{', '}']) {
        Some(at) => refused(&rest[at..]),
        None => Ok(out + rest),
    }
}

/// Returns the host name of an address.
fn host_of(address: &str) -> &str {
    let rest = address.split_once("://").map_or(address, |(_, rest)| rest);
    rest.split('/').next().unwrap_or(rest)
}
