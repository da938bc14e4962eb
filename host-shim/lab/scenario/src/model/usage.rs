//! Reads measurements: `usage: {meter, quantity, id, at, …}`, or a list of them; other members are attributes.

use super::Measurement;
use crate::tree::{Checked, Checker, Node, Tree, read_time};

/// Reads one measurement or a list of them; a measurement without an id gets one that begins with `event`, the id of
/// its event.
pub(super) fn read(check: &Checker, node: &Node, event: &str) -> Checked<Vec<Measurement>> {
    let Tree::List(list) = &node.value else { return Ok(vec![measurement(check, node, event.to_owned())?]) };
    if list.is_empty() {
        return Err(check.bad(node.place(), "no measurement", "a measurement or a list of them"));
    }
    let number = |(index, node)| measurement(check, node, format!("{event}.{}", index + 1));
    check.each(list.iter().enumerate(), number)
}

fn measurement(check: &Checker, node: &Node, id: String) -> Checked<Measurement> {
    let mut fields = check.fields("a measurement", node)?;
    let meter = fields.need("meter").and_then(|node| check.text("meter", node));
    let quantity = fields.need("quantity").and_then(|node| match node.value {
        Tree::Int(quantity) => Ok(quantity),
        _ => Err(check.wrong("quantity", node, "a whole number")),
    });
    let id = fields.optional("id", |node| check.text("id", node)).map(|given| given.unwrap_or(id));
    let at = fields.optional("at", |node| read_time(check, "at", node));
    let attributes = check.each(fields.rest(), |entry| match &entry.value.value {
        Tree::Text(_) | Tree::Int(_) | Tree::Bool(_) => {
            Ok((entry.key.clone(), entry.value.scalar().unwrap_or_default()))
        }
        _ => {
            let problem = format!("the attribute `{}` is {}", entry.key, entry.value.kind());
            Err(check.bad(entry.place(), problem, "a text, a whole number or a truth value"))
        }
    });
    Ok(Measurement { id: id?, meter: meter?, quantity: quantity?, at: at?, attributes: attributes? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn batch(text: &str) -> Result<Vec<Measurement>, String> {
        let node = Node::parse(Path::new("x.yml"), text).expect("valid YAML");
        Checker::read(|check| read(check, &node, "use_1")).map_err(|mistakes| mistakes.to_string())
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
