//! One setting: its names, its meaning, how it is read, and how it is shown without giving a secret away.

use url::Url;

use super::Settings;

/// How a value is written in the file, and whether it may be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Text,
    Number,
    Switch,
    /// A list of texts in the file, texts between commas elsewhere.
    List,
    /// Never shown.
    Secret,
    /// An address that may hold a password: shown without it.
    Address,
}

impl Kind {
    pub fn is_secret(self) -> bool {
        matches!(self, Kind::Secret | Kind::Address)
    }
}

/// A line of the table of settings, from which they are read, shown and described.
pub struct Setting {
    /// In the file: what stands before a dot is a table.
    pub key: &'static str,
    /// Ours first, then the names that earlier programs had. Without one it is a flag alone, and not in the file either.
    pub variables: &'static [&'static str],
    /// Of `serve`, or of every command.
    pub flag: Option<&'static str>,
    pub kind: Kind,
    /// What holds when nobody says anything.
    pub default: &'static str,
    /// A sentence's worth, without its full stop.
    pub meaning: &'static str,
    /// Two different values that can be used; the first is shown as an example.
    pub examples: [&'static str; 2],
    /// Reads a text. Errors: what to write instead; never the value of a secret.
    pub take: fn(&mut Settings, &str) -> Result<(), String>,
    /// The value as a text; `None` when there is none.
    pub value: fn(&Settings) -> Option<String>,
}

impl Setting {
    /// The value as everybody may see it.
    pub fn shown(&self, settings: &Settings) -> Option<String> {
        (self.value)(settings).map(|text| match self.kind {
            Kind::Secret => "<set>".to_owned(),
            Kind::Address => masked(&text),
            _ => text,
        })
    }

    /// What to write in the file.
    pub(super) fn shape(&self) -> &'static str {
        match self.kind {
            Kind::Text | Kind::Secret | Kind::Address => "a text in quotation marks",
            Kind::Number => "a whole number",
            Kind::Switch => "true or false",
            Kind::List => "a list of texts, [\"…\", \"…\"]",
        }
    }
}

/// The address without its password, and without parameters: a password may be one of them too.
fn masked(text: &str) -> String {
    let Ok(mut url) = Url::parse(text) else { return "<set>".to_owned() };
    if url.password().is_some() && url.set_password(Some("***")).is_err() {
        return "<set>".to_owned();
    }
    let query = url.query().is_some();
    url.set_query(None);
    url.set_fragment(None);
    let ending = if query { "?…" } else { "" };
    format!("{url}{ending}")
}

#[cfg(test)]
mod tests {
    use super::masked;

    #[test]
    fn an_address_keeps_its_password() {
        assert_eq!(masked("postgres://u:hunter2@db:5432/x"), "postgres://u:***@db:5432/x");
        assert_eq!(masked("postgres://db/x?user=u&password=hunter2"), "postgres://db/x?…");
        assert_eq!(masked("hunter2"), "<set>");
        assert_eq!(masked("postgres://u@db/x"), "postgres://u@db/x");
    }
}
