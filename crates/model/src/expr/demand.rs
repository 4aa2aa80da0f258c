//! What a condition demands for certain: an equality between a part of a local name and something known beforehand.

use serde_json::Value;

use super::fuel::Fuel;
use super::parse::Expr;
use super::scope::Scope;
use super::tree::{Access, Base, Node, Operator, Part};

impl Expr {
    /// A place in `local` and the value that must stand there for this condition to hold, where the condition is an equality with
    /// something that does not depend on `local`, or has one among conditions that must all hold: from
    /// `event.data.order == inputs.order && event.data.paid`, the pointer `/data/order` and the order. `None` says nothing.
    pub fn demand(&self, local: &str, scope: &dyn Scope) -> Option<(String, Value)> {
        demanded(&self.node, local, scope)
    }
}

fn demanded(node: &Node, local: &str, scope: &dyn Scope) -> Option<(String, Value)> {
    let Node::Fold(first, rest) = node else { return None };
    match &**rest {
        [(Operator::Equal, second)] => equality(first, second, local, scope).or_else(|| equality(second, first, local, scope)),
        all if all.iter().all(|(operator, _)| *operator == Operator::And) => {
            std::iter::once(&**first).chain(all.iter().map(|(_, node)| node)).find_map(|node| demanded(node, local, scope))
        }
        _ => None,
    }
}

fn equality(place: &Node, other: &Node, local: &str, scope: &dyn Scope) -> Option<(String, Value)> {
    let pointer = pointer(path(place)?, local)?;
    let known = match other {
        Node::Const(value) => value.clone(),
        other => {
            let access = path(other)?;
            if matches!(&access.base, Base::Root(name) if name == local) {
                return None;
            }
            Expr::of_node(other.clone()).eval(scope, &mut Fuel::default()).ok()?
        }
    };
    // A missing field equals null where it is guarded: such a condition holds without the place.
    (!known.is_null()).then_some((pointer, known))
}

/// A path with constant parts from a root or a step.
fn path(node: &Node) -> Option<&Access> {
    let node = if let Node::Guard(inner) = node { inner } else { node };
    let Node::Access(access) = node else { return None };
    let plain = matches!(access.base, Base::Root(_) | Base::Step(..)) && !access.parts.iter().any(|part| matches!(part, Part::Dynamic(_)));
    plain.then_some(access)
}

fn pointer(access: &Access, local: &str) -> Option<String> {
    if !matches!(&access.base, Base::Root(name) if name == local) || access.parts.is_empty() {
        return None;
    }
    let mut pointer = String::new();
    for part in &access.parts {
        pointer.push('/');
        match part {
            // The length of a text or a list is read like a field and is none.
            Part::Key(key) if key == "length" => return None,
            Part::Key(key) => pointer.push_str(&key.replace('~', "~0").replace('/', "~1")),
            Part::Index(index) => pointer.push_str(&index.to_string()),
            Part::Dynamic(_) => return None,
        }
    }
    Some(pointer)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::scope::NoScope;
    use super::*;

    fn demand(text: &str) -> Option<(String, Value)> {
        Expr::parse(text).unwrap().demand("event", &NoScope)
    }

    #[test]
    fn an_equality_is_found_wherever_it_must_hold() {
        let order = Some(("/data/order".to_owned(), json!(7)));
        for text in ["event.data.order == 7", "7 === event.data.order", "event.data.paid && event.data?.order == 7 && event.data.sum > 3"] {
            assert_eq!(demand(text), order, "{text}");
        }
        assert_eq!(demand("event.data['a/b'][0] == 'x'"), Some(("/data/a~1b/0".to_owned(), json!("x"))));
    }

    #[test]
    fn what_need_not_hold_demands_nothing() {
        for text in [
            "event.data.order == 7 || event.data.paid",
            "event.data.order != 7",
            "!(event.data.order == 7)",
            "event.data.a == event.data.b",
            "event.data?.gone == null",
            "event.data.items.length == 2",
            "event.data[event.data.k] == 1",
            "event.data.order == 7 == true",
        ] {
            assert_eq!(demand(text), None, "{text}");
        }
    }
}
