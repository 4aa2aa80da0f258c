//! Reads a CSS selector.

use super::html_selector::{Chain, Combinator, Compound, How, Selector, Test};

/// `:not(:is(…))` and so on go no deeper.
const DEEPEST: usize = 8;

impl Selector {
    /// Errors: what is wrong, and where.
    pub(super) fn parse(text: &str) -> Result<Selector, String> {
        let mut reader = Reader { text, at: 0, depth: 0 };
        let selector = reader.list()?;
        match reader.peek() {
            None => Ok(selector),
            Some(_) => Err(reader.wrong("it goes on where it should end")),
        }
    }
}

struct Reader<'t> {
    text: &'t str,
    at: usize,
    depth: usize,
}

impl Reader<'_> {
    fn wrong(&self, what: &str) -> String {
        format!("{what}, at character {}", self.text[..self.at].chars().count() + 1)
    }

    fn peek(&self) -> Option<char> {
        self.text[self.at..].chars().next()
    }

    fn take(&mut self, wanted: &str) -> bool {
        let found = self.text[self.at..].starts_with(wanted);
        self.at += if found { wanted.len() } else { 0 };
        found
    }

    fn skip(&mut self) -> bool {
        let rest = self.text[self.at..].trim_start();
        let space = self.text.len() - rest.len() - self.at;
        self.at += space;
        space > 0
    }

    fn list(&mut self) -> Result<Selector, String> {
        if self.depth > DEEPEST {
            return Err(self.wrong("it nests too deeply"));
        }
        let mut chains = Vec::new();
        loop {
            chains.push(self.chain()?);
            if !self.take(",") {
                return Ok(Selector(chains));
            }
        }
    }

    fn chain(&mut self) -> Result<Chain, String> {
        self.skip();
        let mut before = Vec::new();
        let mut last = self.compound()?;
        loop {
            let space = self.skip();
            let combinator = match self.peek() {
                Some('>') => Combinator::Child,
                Some('+') => Combinator::Next,
                Some('~') => Combinator::Later,
                None | Some(',' | ')') => return Ok(Chain { last, before }),
                Some(_) if space => {
                    before.push((Combinator::Descendant, std::mem::replace(&mut last, self.compound()?)));
                    continue;
                }
                Some(_) => return Err(self.wrong("a combinator is expected")),
            };
            self.at += 1;
            self.skip();
            before.push((combinator, std::mem::replace(&mut last, self.compound()?)));
        }
    }

    fn compound(&mut self) -> Result<Compound, String> {
        let mut compound = Compound::default();
        let start = self.at;
        if !self.take("*")
            && let Some(name) = self.name()
        {
            compound.0.push(Test::Name(name.to_ascii_lowercase()));
        }
        loop {
            let test = match self.peek() {
                Some('#') => {
                    self.at += 1;
                    Test::Id(self.named("an id")?)
                }
                Some('.') => {
                    self.at += 1;
                    Test::Class(self.named("a class")?)
                }
                Some('[') => self.attribute()?,
                Some(':') => self.pseudo()?,
                _ if self.at == start => return Err(self.wrong("the name of an element, #id, .class, [attribute] or :test is expected")),
                _ => return Ok(compound),
            };
            compound.0.push(test);
        }
    }

    fn name(&mut self) -> Option<String> {
        let rest = &self.text[self.at..];
        let end = rest
            .find(|letter: char| !(letter.is_alphanumeric() || matches!(letter, '-' | '_') || !letter.is_ascii()))
            .unwrap_or(rest.len());
        self.at += end;
        (end > 0).then(|| rest[..end].to_owned())
    }

    fn named(&mut self, what: &str) -> Result<String, String> {
        self.name().ok_or_else(|| self.wrong(&format!("the name of {what} is expected")))
    }

    fn attribute(&mut self) -> Result<Test, String> {
        self.at += 1;
        self.skip();
        let name = self.named("an attribute")?.to_ascii_lowercase();
        self.skip();
        let kinds = [("=", How::Equal), ("~=", How::Word), ("|=", How::Dash), ("^=", How::Start), ("$=", How::End), ("*=", How::Within)];
        let how = kinds.into_iter().find(|(sign, _)| self.take(sign)).map(|(_, how)| how);
        let (mut value, mut ignore_case) = (String::new(), false);
        if how.is_some() {
            self.skip();
            value = match self.peek() {
                Some(quote @ ('"' | '\'')) => {
                    let rest = &self.text[self.at + 1..];
                    let end = rest.find(quote).ok_or_else(|| self.wrong("a quote is never closed"))?;
                    self.at += end + 2;
                    rest[..end].to_owned()
                }
                _ => self.named("a value")?,
            };
            self.skip();
            ignore_case = self.take("i") || self.take("I");
            self.skip();
        }
        if !self.take("]") {
            return Err(self.wrong("] is expected"));
        }
        Ok(Test::Attribute { name, how: how.unwrap_or(How::There), value, ignore_case })
    }

    fn pseudo(&mut self) -> Result<Test, String> {
        self.at += 1;
        let name = self.named("a test")?;
        let place = |a, b, last, of_type| Test::Nth { a, b, last, of_type };
        match name.as_str() {
            "first-child" => return Ok(place(0, 1, false, false)),
            "last-child" => return Ok(place(0, 1, true, false)),
            "first-of-type" => return Ok(place(0, 1, false, true)),
            "last-of-type" => return Ok(place(0, 1, true, true)),
            "empty" => return Ok(Test::Empty),
            _ => {}
        }
        if !self.take("(") {
            return Err(self.wrong(&format!(":{name} is not known here")));
        }
        self.depth += 1;
        let test = match name.as_str() {
            "nth-child" => self.nth(false, false)?,
            "nth-last-child" => self.nth(true, false)?,
            "nth-of-type" => self.nth(false, true)?,
            "nth-last-of-type" => self.nth(true, true)?,
            "not" => Test::Not(self.list()?),
            "is" | "where" => Test::Is(self.list()?),
            _ => return Err(self.wrong(&format!(":{name}() is not known here"))),
        };
        self.depth -= 1;
        if self.take(")") { Ok(test) } else { Err(self.wrong(") is expected")) }
    }

    fn nth(&mut self, last: bool, of_type: bool) -> Result<Test, String> {
        let rest = &self.text[self.at..];
        let end = rest.find(')').ok_or_else(|| self.wrong(") is expected"))?;
        let written: String = rest[..end].chars().filter(|letter| !letter.is_whitespace()).collect::<String>().to_ascii_lowercase();
        let wrong = || self.wrong("a place such as 2, odd, 3n or 2n+1 is expected");
        let number = |text: &str| text.parse::<i32>().map(i64::from).map_err(|_| wrong());
        let (a, b) = match (written.as_str(), written.split_once('n')) {
            ("odd", _) => (2, 1),
            ("even", _) => (2, 0),
            (_, Some((a, b))) => {
                let a = match a {
                    "" | "+" => 1,
                    "-" => -1,
                    a => number(a)?,
                };
                (a, if b.is_empty() { 0 } else { number(b)? })
            }
            (b, None) => (0, number(b)?),
        };
        self.at += end;
        Ok(Test::Nth { a, b, last, of_type })
    }
}
