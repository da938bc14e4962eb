//! Reads measurements: `usage: {meter, quantity, id, at, …}`, or a list of them; other members are attributes.

use super::Measurement;
use crate::error::BadInput;
use crate::tree::{Node, Reader, Tree};

/// Reads one measurement or a list of them; a measurement without an id gets one that begins with `event`, the id of
/// its event.
pub(super) fn read(reader: Reader<'_>, node: &Node, event: &str) -> Result<Vec<Measurement>, BadInput> {
    let Tree::List(list) = &node.value else { return Ok(vec![measurement(reader, node, event.to_owned())?]) };
    if list.is_empty() {
        return Err(reader.bad(node.line, "no measurement", "a measurement or a list of them"));
    }
    let number = |(index, node)| measurement(reader, node, format!("{event}.{}", index + 1));
    list.iter().enumerate().map(number).collect()
}

fn measurement(reader: Reader<'_>, node: &Node, id: String) -> Result<Measurement, BadInput> {
    let mut fields = reader.fields("a measurement", node)?;
    let meter = reader.text("meter", fields.need("meter")?)?;
    let quantity = fields.need("quantity")?;
    let Tree::Int(quantity) = quantity.value else {
        return Err(reader.bad(quantity.line, format!("`quantity` is {}", quantity.kind()), "a whole number"));
    };
    let id = fields.take("id").map_or(Ok(id), |node| reader.text("id", node))?;
    let at = fields.take("at").map(|node| reader.time("at", node)).transpose()?;
    let mut attributes = Vec::new();
    for entry in fields.rest() {
        let text = match &entry.value.value {
            Tree::Text(text) => text.clone(),
            Tree::Int(number) => number.to_string(),
            Tree::Bool(truth) => truth.to_string(),
            _ => {
                let problem = format!("the attribute `{}` is {}", entry.key, entry.value.kind());
                return Err(reader.bad(entry.line, problem, "a text, a whole number or a truth value"));
            }
        };
        attributes.push((entry.key.clone(), text));
    }
    Ok(Measurement { id, meter, quantity, at, attributes })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn batch(text: &str) -> Result<Vec<Measurement>, String> {
        let file = Path::new("x.yml");
        let node = Node::parse(file, text).expect("valid YAML");
        read(Reader { file }, &node, "use_1").map_err(|error| error.to_string())
    }

    #[test]
    fn one_measurement_is_a_batch_and_other_members_are_attributes() {
        let found = batch("{meter: tokens, quantity: 5, at: 2026-01-02T00:00:00Z, model: m1, tier: 2, cached: true}");
        let attributes = [("model", "m1"), ("tier", "2"), ("cached", "true")];
        let expected = Measurement {
            id: "use_1".to_owned(),
            meter: "tokens".to_owned(),
            quantity: 5,
            at: Some(1_767_312_000_000),
            attributes: attributes.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec(),
        };
        assert_eq!(found, Ok(vec![expected]));
    }

    #[test]
    fn each_measurement_of_a_list_has_its_own_id() {
        let found = batch("[{meter: a, quantity: 1}, {meter: a, quantity: 2, id: mine}, {meter: a, quantity: 3}]");
        let ids: Vec<String> = found.expect("measurements").into_iter().map(|one| one.id).collect();
        assert_eq!(ids, ["use_1.1", "mine", "use_1.3"]);
    }

    #[test]
    fn malformed_measurements_are_refused_with_their_line() {
        for (text, message) in [
            ("[]", "x.yml:1: no measurement"),
            ("{meter: a}", "x.yml:1: a measurement has no `quantity`"),
            ("meter: a\nquantitiy: 1\n", "x.yml:2: unknown field `quantitiy` in a measurement; expected `quantity`"),
            ("{meter: a, quantity: 1.5}", "x.yml:1: `quantity` is a number"),
            ("{meter: a, quantity: 1, model: [m]}", "x.yml:1: the attribute `model` is a list"),
        ] {
            let error = batch(text).expect_err(text);
            assert!(error.starts_with(message), "{error}");
        }
    }
}
