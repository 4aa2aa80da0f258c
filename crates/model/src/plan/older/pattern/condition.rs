//! A pattern's condition as an expression, with the precedence that its words have: `not` before `and` before `or`.

use serde_json::Value;

use super::{Known, path};

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Path(String),
    Literal(String),
    Sign(&'static str),
    Open,
    Close,
}

const SIGNS: [&str; 8] = ["==", "!=", "<=", ">=", "<", ">", "[", "]"];

/// The expression.
///
/// # Errors
/// What is wrong with it, for people.
pub(super) fn expression(text: &str, known: &mut Known) -> Result<String, String> {
    let tokens = tokens(text)?;
    let mut reader = Reader { tokens: &tokens, known };
    let read = reader.any_of()?;
    match reader.tokens.first() {
        None => Ok(read),
        Some(token) => Err(format!("the condition is not understood from {token:?} on")),
    }
}

fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = if rest.starts_with("{{") {
            let end = rest.find("}}").ok_or("\"{{\" has no \"}}\"")?;
            tokens.push(Token::Path(rest[2..end].trim().to_owned()));
            end + 2
        } else if first == '"' || first == '\'' {
            let end = rest[1..].find(first).ok_or("a text has no end")?;
            tokens.push(Token::Literal(Value::from(&rest[1..=end]).to_string()));
            end + 2
        } else if first == '(' || first == ')' {
            tokens.push(if first == '(' { Token::Open } else { Token::Close });
            1
        } else if first == ',' {
            tokens.push(Token::Sign(","));
            1
        } else if let Some(sign) = SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
            tokens.push(Token::Sign(sign));
            sign.len()
        } else {
            let end = rest.find(|character: char| !(character.is_alphanumeric() || "_.-".contains(character))).unwrap_or(rest.len());
            if end == 0 {
                return Err(format!("{first:?} is not understood"));
            }
            tokens.push(word(&rest[..end]));
            end
        };
        rest = rest[length..].trim_start();
    }
    Ok(tokens)
}

fn word(word: &str) -> Token {
    match word {
        "and" => Token::Sign("and"),
        "or" => Token::Sign("or"),
        "not" => Token::Sign("not"),
        "is" => Token::Sign("is"),
        "in" => Token::Sign("in"),
        "null" | "None" => Token::Literal("null".to_owned()),
        "true" | "True" => Token::Literal("true".to_owned()),
        "false" | "False" => Token::Literal("false".to_owned()),
        number if number.parse::<f64>().is_ok_and(f64::is_finite) => Token::Literal(number.to_owned()),
        path => Token::Path(path.to_owned()),
    }
}

struct Reader<'t, 'k> {
    tokens: &'t [Token],
    known: &'k mut Known,
}

impl Reader<'_, '_> {
    fn take(&mut self, sign: &str) -> bool {
        let found = matches!(self.tokens.first(), Some(Token::Sign(known)) if *known == sign);
        if found {
            self.tokens = &self.tokens[1..];
        }
        found
    }

    fn any_of(&mut self) -> Result<String, String> {
        let mut text = self.all_of()?;
        while self.take("or") {
            text = format!("{text} || {}", self.all_of()?);
        }
        Ok(text)
    }

    fn all_of(&mut self) -> Result<String, String> {
        let mut text = self.one()?;
        while self.take("and") {
            text = format!("{text} && {}", self.one()?);
        }
        Ok(text)
    }

    fn one(&mut self) -> Result<String, String> {
        if self.take("not") {
            return Ok(format!("!({})", self.one()?));
        }
        let left = self.value()?;
        let Some(Token::Sign(sign)) = self.tokens.first().cloned() else { return Ok(format!("!!({left})")) };
        match sign {
            "==" | "!=" => {
                self.take(sign);
                Ok(format!("({left} {sign} {})", self.value()?))
            }
            "is" => {
                self.take(sign);
                let operator = if self.take("not") { "!=" } else { "==" };
                Ok(format!("({left} {operator} {})", self.value()?))
            }
            // A comparison with what is missing was an error, which counted as false.
            "<" | ">" | "<=" | ">=" => {
                self.take(sign);
                let right = self.value()?;
                Ok(format!("({left} != null && {right} != null && {left} {sign} {right})"))
            }
            "in" => {
                self.take(sign);
                Ok(format!("({} ?? []).includes({left})", self.value()?))
            }
            "not" => {
                self.take(sign);
                if !self.take("in") {
                    return Err("\"not\" between two values is followed by \"in\"".to_owned());
                }
                Ok(format!("!({} ?? []).includes({left})", self.value()?))
            }
            _ => Ok(format!("!!({left})")),
        }
    }

    fn value(&mut self) -> Result<String, String> {
        let Some((token, rest)) = self.tokens.split_first() else { return Err("the condition ends too early".to_owned()) };
        self.tokens = rest;
        match token {
            Token::Literal(literal) => Ok(literal.clone()),
            Token::Path(path) => path::lenient(path, self.known),
            Token::Open => {
                let inner = self.any_of()?;
                match self.tokens.split_first() {
                    Some((Token::Close, rest)) => self.tokens = rest,
                    _ => return Err("\"(\" has no \")\"".to_owned()),
                }
                Ok(format!("({inner})"))
            }
            Token::Sign("[") => {
                let mut items = Vec::new();
                while !self.take("]") {
                    items.push(self.value()?);
                    if !self.take(",") && !matches!(self.tokens.first(), Some(Token::Sign("]"))) {
                        return Err("\"[\" has no \"]\"".to_owned());
                    }
                }
                Ok(format!("[{}]", items.join(", ")))
            }
            other => Err(format!("{other:?} is no value")),
        }
    }
}
