//! The settings file: TOML, in which what is unknown, of the wrong type or written twice is refused with its line.

use std::fs;
use std::io::ErrorKind;
use std::ops::Range;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use mainspring_model::problem::nearest;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::setting::{Kind, Setting};
use super::source::{BadSetting, BadSettings, Source};
use super::table::SETTINGS;

/// What it is called where it is looked for.
const NAME: &str = "mainspring.toml";
/// Where the machine's own settings lie.
const SYSTEM: &str = "/etc/mainspring";
/// A settings file has a hundred lines; nothing larger is one.
const MOST: u64 = 1 << 20;

/// A file that was read.
#[derive(Debug)]
pub struct File {
    path: PathBuf,
    entries: Vec<Entry>,
}

/// One setting of the file, as a text.
pub struct Entry {
    pub setting: &'static Setting,
    pub text: String,
    pub source: Source,
}

impl std::fmt::Debug for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({})", self.setting.key, self.source)
    }
}

/// The named file, else `mainspring.toml` in the working folder, the data folder, `/etc/mainspring`: the first that is there, alone.
///
/// # Errors
/// A file that is named and not there, cannot be read, or does not hold.
pub fn find(named: Option<&Path>, data: &Path) -> Result<Option<File>, BadSettings> {
    if let Some(path) = named {
        return File::open(path).map(Some);
    }
    let places = [PathBuf::from(NAME), data.join(NAME), Path::new(SYSTEM).join(NAME)];
    match places.into_iter().find(|path| path.is_file()) {
        Some(path) => {
            refuse_strangers(&path)?;
            File::open(&path).map(Some)
        }
        None => Ok(None),
    }
}

/// What everybody can write decides nothing: a file that was found and not named may lie in a folder that is shared.
fn refuse_strangers(path: &Path) -> Result<(), BadSettings> {
    let mode = fs::metadata(path).map_err(|error| unread(path, &error))?.permissions().mode();
    if mode & 0o002 != 0 {
        let reason =
            format!("every user of this machine may write it, so it is not read; `chmod o-w {}`, or name it with --config", path.display());
        return Err(in_file(path.display().to_string(), reason).into());
    }
    Ok(())
}

fn unread(path: &Path, error: &std::io::Error) -> BadSettings {
    let reason = match error.kind() {
        ErrorKind::NotFound => "there is no such file; `mainspring config init` writes one".to_owned(),
        _ => format!("it cannot be read: {error}"),
    };
    in_file(path.display().to_string(), reason).into()
}

fn in_file(place: String, reason: String) -> BadSetting {
    BadSetting { code: "BAD_SETTINGS_FILE", place, reason }
}

impl File {
    /// Reads the file at `path`.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub fn open(path: &Path) -> Result<File, BadSettings> {
        let size = fs::metadata(path).map_err(|error| unread(path, &error))?.len();
        if size > MOST {
            return Err(in_file(path.display().to_string(), format!("it has {size} bytes, which is no settings file")).into());
        }
        let text = fs::read_to_string(path).map_err(|error| unread(path, &error))?;
        File::parse(path, &text)
    }

    /// Reads its text.
    ///
    /// # Errors
    /// All that is wrong with it; of broken TOML the first.
    pub fn parse(path: &Path, text: &str) -> Result<File, BadSettings> {
        let mut reader = Reader { path, text, entries: Vec::new(), bad: Vec::new() };
        match DeTable::parse(text) {
            Ok(table) => reader.table("", table.get_ref()),
            Err(error) => {
                // Only the sentence: what stands around may be a secret.
                let sentence = error.message().lines().next().unwrap_or_default().to_owned();
                reader.refuse(&error.span().unwrap_or_default(), "BAD_SETTINGS_FILE", format!("this is no TOML: {sentence}"));
            }
        }
        let Reader { entries, mut bad, .. } = reader;
        if bad.is_empty() {
            return Ok(File { path: path.to_owned(), entries });
        }
        bad.sort_by_key(|(at, _)| *at);
        Err(BadSettings(bad.into_iter().map(|(_, bad)| bad).collect()))
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    pub(super) fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.setting.key == key)
    }

    /// Whether it holds what nobody else should read.
    pub fn has_secrets(&self) -> bool {
        self.entries.iter().any(|entry| entry.setting.kind.is_secret())
    }
}

struct Reader<'a> {
    path: &'a Path,
    text: &'a str,
    entries: Vec<Entry>,
    bad: Vec<(usize, BadSetting)>,
}

impl Reader<'_> {
    fn place(&self, span: &Range<usize>) -> Source {
        let before = self.text.get(..span.start).unwrap_or(self.text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        Source::File { path: self.path.to_owned(), line, column }
    }

    fn refuse(&mut self, span: &Range<usize>, code: &'static str, reason: String) {
        let place = self.place(span).to_string();
        self.bad.push((span.start, BadSetting { code, place, reason }));
    }

    fn table(&mut self, above: &str, table: &DeTable<'_>) {
        for (name, value) in table.iter() {
            let key = if above.is_empty() { name.get_ref().to_string() } else { format!("{above}.{}", name.get_ref()) };
            match (SETTINGS.iter().find(|setting| setting.key == key), value.get_ref()) {
                (Some(setting), _) if setting.variables.is_empty() => {
                    let flag = setting.flag.unwrap_or_default();
                    self.refuse(&name.span(), "BAD_SETTINGS_FILE", format!("{key} is a flag alone: `mainspring serve {flag}`"));
                }
                (Some(setting), _) => self.setting(setting, value),
                (None, DeValue::Table(inner)) if is_table(&key) => self.table(&key, inner),
                (None, _) if is_table(&key) => {
                    self.refuse(&name.span(), "BAD_SETTINGS_FILE", format!("{key} is a table of settings; write [{key}] above them"));
                }
                (None, _) => self.unknown(&key, &name.span()),
            }
        }
    }

    fn unknown(&mut self, key: &str, span: &Range<usize>) {
        // A key of a table may be written without it, and the other way about.
        let last = |key: &str| key.rsplit('.').next().unwrap_or_default().to_owned();
        let keys = || SETTINGS.iter().filter(|setting| !setting.variables.is_empty()).map(|setting| setting.key);
        let tables = SETTINGS.iter().filter_map(|setting| setting.key.split_once('.').map(|(table, _)| table));
        let near = nearest(key, keys().chain(tables)).or_else(|| keys().find(|known| last(known) == last(key)));
        let meant = near.map_or_else(|| "`mainspring config print` lists them".to_owned(), |near| format!("did you mean \"{near}\"?"));
        self.refuse(span, "BAD_SETTINGS_FILE", format!("there is no setting \"{key}\"; {meant}"));
    }

    fn setting(&mut self, setting: &'static Setting, value: &Spanned<DeValue<'_>>) {
        let text = match (setting.kind, value.get_ref()) {
            (Kind::Text | Kind::Secret | Kind::Address, DeValue::String(text)) => Some(text.to_string()),
            (Kind::Number, DeValue::Integer(number)) if number.radix() == 10 => Some(number.as_str().to_owned()),
            (Kind::Switch, DeValue::Boolean(on)) => Some(on.to_string()),
            (Kind::List, DeValue::Array(items)) => texts(items.iter().map(Spanned::get_ref)),
            _ => None,
        };
        match text {
            // An empty one counts as not set, as with variables.
            Some(text) if text.is_empty() => {}
            Some(text) => self.entries.push(Entry { setting, text, source: self.place(&value.span()) }),
            None => {
                let reason = format!("{} wants {}", setting.key, setting.shape());
                self.refuse(&value.span(), "BAD_SETTING", reason);
            }
        }
    }
}

fn is_table(key: &str) -> bool {
    SETTINGS.iter().any(|setting| setting.key.split_once('.').is_some_and(|(table, _)| table == key))
}

/// The items between commas; `None` when one is no text, or has a comma itself.
fn texts<'a, 'i: 'a>(items: impl Iterator<Item = &'a DeValue<'i>>) -> Option<String> {
    let texts: Option<Vec<&str>> = items
        .map(|item| match item {
            DeValue::String(text) if !text.contains(',') => Some(&**text),
            _ => None,
        })
        .collect();
    texts.map(|texts| texts.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str) -> String {
        File::parse(Path::new("m.toml"), text)
            .map(|file| format!("{:?}", file.entries))
            .unwrap_or_else(|bad| format!("{}\n{bad}", bad.code()))
    }

    #[test]
    fn each_kind_of_mistake_has_its_line_and_column() {
        let lines = |texts: &[&str]| texts.iter().map(|text| said(text)).collect::<Vec<_>>().join("\n\n");
        let broken = ["listen = \"8080\"\nlog = 'warn\n", "a = 1\na = 2\n"];
        let unknown = ["\n  lisetn = \"8080\"\n[database]\nkeep_for = \"1d\"\n[egres]\nmode = \"dev\"\n", "dev = true\n"];
        let scalars = "# ä\n\"log\" = 3\nencryption_key = 1979-05-27\nruns.keep = 0xff\nhttp.max_body = \"1\"\nmetrics.listen = {a = 1}\n";
        let lists = "egress = 4\n[http]\ncors_origins = \"a\"\n[node]\nroles = [\"a,b\"]\ntags = [1]\n[database]\nauto_migrate = \"no\"\n";
        insta::assert_snapshot!(lines(&broken), @r"
        BAD_SETTINGS_FILE
        m.toml:2:12: this is no TOML: invalid literal string, expected `'`

        BAD_SETTINGS_FILE
        m.toml:2:1: this is no TOML: duplicate key
        ");
        insta::assert_snapshot!(lines(&unknown), @r#"
        BAD_SETTINGS_FILE
        m.toml:2:3: there is no setting "lisetn"; did you mean "listen"?
        m.toml:4:1: there is no setting "database.keep_for"; did you mean "runs.keep_for"?
        m.toml:5:2: there is no setting "egres"; did you mean "egress"?

        BAD_SETTINGS_FILE
        m.toml:1:1: dev is a flag alone: `mainspring serve --dev`
        "#);
        insta::assert_snapshot!(lines(&[scalars, lists]), @r#"
        BAD_SETTING
        m.toml:2:9: log wants a text in quotation marks
        m.toml:3:18: encryption_key wants a text in quotation marks
        m.toml:4:13: runs.keep wants a whole number
        m.toml:5:17: http.max_body wants a whole number
        m.toml:6:18: metrics.listen wants a text in quotation marks

        BAD_SETTINGS_FILE
        m.toml:1:1: egress is a table of settings; write [egress] above them
        m.toml:3:16: http.cors_origins wants a list of texts, ["…", "…"]
        m.toml:5:9: node.roles wants a list of texts, ["…", "…"]
        m.toml:6:8: node.tags wants a list of texts, ["…", "…"]
        m.toml:8:16: database.auto_migrate wants true or false
        "#);
    }

    #[test]
    fn the_nearest_of_three_places_is_read_alone() {
        let base = tempfile::tempdir().unwrap();
        let data = base.path().join("data");
        fs::create_dir(&data).unwrap();
        fs::write(data.join(NAME), "listen = \"1\"\n").unwrap();
        assert_eq!(find(None, &data).unwrap().unwrap().path(), data.join(NAME));
        fs::set_permissions(data.join(NAME), fs::Permissions::from_mode(0o666)).unwrap();
        let refused = find(None, &data).unwrap_err().to_string();
        assert!(refused.contains("chmod o-w"), "{refused}");
        let named = base.path().join("other.toml");
        assert!(find(Some(&named), &data).unwrap_err().to_string().contains("there is no such file"));
        fs::write(&named, "").unwrap();
        assert_eq!(find(Some(&named), &data).unwrap().unwrap().path(), named);
    }
}
