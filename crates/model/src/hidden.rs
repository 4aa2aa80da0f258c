//! Hidden fields: members of run data that only some roles see, found by their names wherever they stand.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::role::Role;

/// What stands in the place of a hidden value.
pub const HIDDEN: &str = "[hidden]";

/// A rule of an organization: members of this name are seen from this role on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HiddenField {
    /// The name in any case of letters; `*` at either end stands for anything.
    pub field: String,
    /// The least role that sees the values.
    pub least: Role,
}

impl HiddenField {
    /// Why this is no rule, if it is none.
    pub fn problem(&self) -> Option<&'static str> {
        let bare = self.field.trim_matches('*');
        if self.least == Role::Viewer {
            Some("a field that viewers see is not hidden")
        } else if bare.is_empty() || bare.contains('*') {
            Some("a name of a field, with * at its ends at most")
        } else if self.field.chars().count() > 100 {
            Some("at most 100 characters")
        } else {
            None
        }
    }

    fn covers(&self, name: &str) -> bool {
        let (pattern, name) = (self.field.to_lowercase(), name.to_lowercase());
        let bare = pattern.trim_matches('*');
        match (pattern.starts_with('*'), pattern.ends_with('*')) {
            (false, false) => name == bare,
            (true, false) => name.ends_with(bare),
            (false, true) => name.starts_with(bare),
            (true, true) => name.contains(bare),
        }
    }
}

/// The rules that hold for one reader.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Veil(Vec<HiddenField>);

impl Veil {
    /// Of somebody with this role. Nothing is hidden from an owner.
    pub fn of(role: Role, rules: &[HiddenField]) -> Veil {
        Veil(rules.iter().filter(|rule| role < rule.least).cloned().collect())
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Hides in place, at any depth. A text that holds JSON, whole or cut off, is looked into as well.
    pub fn over(&self, value: &mut Value) {
        if self.is_empty() {
            return;
        }
        match value {
            Value::Object(fields) => {
                for (name, inner) in fields {
                    if self.0.iter().any(|rule| rule.covers(name)) {
                        if !inner.is_null() {
                            *inner = Value::String(HIDDEN.to_owned());
                        }
                    } else {
                        self.over(inner);
                    }
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.over(item)),
            Value::String(text) => self.over_text(text),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    /// Previews are the beginnings of JSON texts: one that cannot be read to its end is not shown at all.
    fn over_text(&self, text: &mut String) {
        if !text.trim_start().starts_with(['{', '[']) {
            return;
        }
        match serde_json::from_str::<Value>(text) {
            Ok(mut inner) => {
                let before = inner.clone();
                self.over(&mut inner);
                if inner != before {
                    *text = inner.to_string();
                }
            }
            Err(_) => HIDDEN.clone_into(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn rule(field: &str, least: Role) -> HiddenField {
        HiddenField { field: field.to_owned(), least }
    }

    #[test]
    fn a_role_sees_what_its_rules_leave() {
        let rules = [rule("email", Role::Admin), rule("*_NUMBER", Role::Member), rule("pin*", Role::Owner)];
        let seen = |role: Role| {
            let mut value = json!({"Email": "a@b.c", "card_number": 7, "pins": [1], "name": "Ada", "none": null,
                "deep": [{"email": {"all": "of it"}, "ok": true}], "text": "{\"email\":\"a@b.c\",\"n\":1}", "plain": "email is no JSON"});
            Veil::of(role, &rules).over(&mut value);
            value
        };
        let viewer = seen(Role::Viewer);
        assert_eq!((&viewer["Email"], &viewer["card_number"], &viewer["pins"]), (&json!(HIDDEN), &json!(HIDDEN), &json!(HIDDEN)));
        assert_eq!(viewer["deep"], json!([{"email": HIDDEN, "ok": true}]));
        assert_eq!(viewer["text"], json!("{\"email\":\"[hidden]\",\"n\":1}"));
        assert_eq!((&viewer["name"], &viewer["none"], &viewer["plain"]), (&json!("Ada"), &json!(null), &json!("email is no JSON")));
        assert_eq!((&seen(Role::Member)["card_number"], &seen(Role::Member)["Email"]), (&json!(7), &json!(HIDDEN)));
        assert_eq!((&seen(Role::Admin)["Email"], &seen(Role::Admin)["pins"]), (&json!("a@b.c"), &json!(HIDDEN)));
        assert!(Veil::of(Role::Owner, &rules).is_empty());
    }

    #[test]
    fn what_was_cut_off_is_not_shown() {
        let veil = Veil::of(Role::Viewer, &[rule("email", Role::Member)]);
        for (text, expected) in [("{\"email\":\"a@b", HIDDEN), ("[1,2", HIDDEN), ("plain", "plain"), ("[1,2]", "[1,2]")] {
            let mut value = json!(text);
            veil.over(&mut value);
            assert_eq!(value, json!(expected));
        }
    }

    #[test]
    fn a_rule_has_a_name_and_hides_something() {
        for (field, least, good) in [
            ("email", Role::Member, true),
            ("*email*", Role::Owner, true),
            ("*", Role::Owner, false),
            ("a*b", Role::Owner, false),
            ("email", Role::Viewer, false),
        ] {
            assert_eq!(rule(field, least).problem().is_none(), good, "{field}");
        }
    }
}
