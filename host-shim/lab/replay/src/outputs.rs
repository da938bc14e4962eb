//! Finds outputs in a catalog that its resources do not have, in `outputs` and in the placeholders of `with` and `url`.
//!
//! The outputs of a business's own resources are not declared, so any name is accepted.

use host_business::folder::BusinessFolder;
use host_business::yaml::{Node, Tree};
use host_provider_api::scripted::outputs_of;
use host_scenario::error::{BadInput, Place};
use std::collections::{BTreeMap, BTreeSet};

/// Returns the mistakes of a catalog, in the order of its types.
pub(crate) fn unknown_outputs(business: &BusinessFolder) -> Vec<BadInput> {
    let types = business.lines.at("/product_types").ok().and_then(Node::items).unwrap_or_default();
    types
        .iter()
        .enumerate()
        .flat_map(|(index, of_type)| of_type_at(of_type, &format!("/product_types/{index}")))
        .collect()
}

fn of_type_at(of_type: &Node, pointer: &str) -> Vec<BadInput> {
    let provisions = of_type.at("/provisions").ok().and_then(Node::items).unwrap_or_default();
    let known: BTreeMap<String, BTreeSet<String>> = provisions.iter().filter_map(known_outputs).collect();
    let mut found = Vec::new();
    for (index, entry) in provisions.iter().enumerate() {
        let pointer = format!("{pointer}/provisions/{index}");
        let name = text_at(entry, "/name").unwrap_or_default();
        for output in entry.at("/outputs").ok().and_then(Node::entries).unwrap_or_default() {
            let (Some(outputs), Some(named)) = (known.get(&name), output.value.scalar()) else { continue };
            let place = output.value.place().at(&format!("{pointer}/outputs/{}", output.key));
            found.extend(unknown(place, &name, &named, outputs));
        }
        if let Ok(with) = entry.at("/with") {
            of_templates(with, &format!("{pointer}/with"), &known, &mut found);
        }
    }
    if let Ok(url) = of_type.at("/url") {
        of_templates(url, &format!("{pointer}/url"), &known, &mut found);
    }
    found
}

/// Returns the name of an entry with the outputs of its resource, including those that a person reports; none for a resource whose outputs
/// are not declared.
fn known_outputs(entry: &Node) -> Option<(String, BTreeSet<String>)> {
    let outputs = outputs_of(&text_at(entry, "/resource")?)?;
    let asks = entry.at("/or_manual/asks").ok().and_then(Node::items).unwrap_or_default();
    let asked = asks.iter().filter_map(|field| text_at(field, "/name"));
    Some((text_at(entry, "/name")?, outputs.iter().map(|name| (*name).to_owned()).chain(asked).collect()))
}

fn text_at(node: &Node, pointer: &str) -> Option<String> {
    node.at(pointer).ok().and_then(Node::scalar)
}

/// Finds the placeholders `{ENTRY.OUTPUT}` at or below a value.
fn of_templates(node: &Node, pointer: &str, known: &BTreeMap<String, BTreeSet<String>>, found: &mut Vec<BadInput>) {
    match &node.value {
        Tree::Text(text) => {
            let places = text.split('{').skip(1).filter_map(|part| part.split_once('}')?.0.split_once('.'));
            for (name, output) in places {
                let output = output.split('.').next().unwrap_or_default();
                let outputs = known.get(name).into_iter();
                found.extend(outputs.filter_map(|outputs| unknown(node.place().at(pointer), name, output, outputs)));
            }
        }
        Tree::List(list) => {
            for (index, item) in list.iter().enumerate() {
                of_templates(item, &format!("{pointer}/{index}"), known, found);
            }
        }
        Tree::Map(map) => map.iter().for_each(|entry| {
            of_templates(&entry.value, &format!("{pointer}/{}", entry.key), known, found);
        }),
        Tree::Null | Tree::Bool(_) | Tree::Int(_) | Tree::Float(_) => {}
    }
}

fn unknown(place: Place, entry: &str, output: &str, known: &BTreeSet<String>) -> Option<BadInput> {
    if known.contains(output) {
        return None;
    }
    let what = format!("not an output of `{entry}`");
    Some(BadInput::unknown_name(place, output, &what, known.iter().map(String::as_str)))
}
