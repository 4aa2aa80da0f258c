//! Licence expressions: whether what a package offers can be met by a list of allowed licences.

/// Whether `expression` (SPDX, and the older `MIT/Apache-2.0`) can be met by the licences of `allowed`.
/// Text that cannot be read is not met.
pub(crate) fn allowed(expression: &str, allowed: &[String]) -> bool {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut reader = Reader { words: &words, allowed };
    reader.or() == Some(true) && reader.words.is_empty()
}

/// `WITH` binds closest, then `AND`, then `OR`; each level answers `None` where the text is malformed.
struct Reader<'a> {
    words: &'a [&'a str],
    allowed: &'a [String],
}

impl Reader<'_> {
    fn or(&mut self) -> Option<bool> {
        let mut met = self.and()?;
        while self.eat("OR") {
            met |= self.and()?;
        }
        Some(met)
    }

    fn and(&mut self) -> Option<bool> {
        let mut met = self.one()?;
        while self.eat("AND") {
            met &= self.one()?;
        }
        Some(met)
    }

    fn one(&mut self) -> Option<bool> {
        if self.eat("(") {
            let met = self.or()?;
            return self.eat(")").then_some(met);
        }
        let mut name = self.next()?.to_owned();
        if matches!(name.as_str(), "AND" | "OR" | "WITH" | ")") {
            return None;
        }
        if self.eat("WITH") {
            name = format!("{name} WITH {}", self.next()?);
        }
        Some(self.allowed.contains(&name))
    }

    fn eat(&mut self, word: &str) -> bool {
        let found = self.words.first() == Some(&word);
        if found {
            self.words = &self.words[1..];
        }
        found
    }

    fn next(&mut self) -> Option<String> {
        let (first, rest) = self.words.split_first()?;
        self.words = rest;
        Some((*first).to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::allowed;

    #[test]
    fn expressions_are_met_or_not() {
        let list: Vec<String> = ["MIT", "Apache-2.0", "BSD-3-Clause"].map(str::to_owned).into();
        for met in ["MIT", "MIT OR GPL-3.0", "GPL-3.0/MIT", "(MIT OR GPL-3.0) AND BSD-3-Clause", "GPL-3.0 OR MIT AND Apache-2.0"] {
            assert!(allowed(met, &list), "{met}");
        }
        for not in ["", "GPL-3.0", "MIT AND GPL-3.0", "Apache-2.0 WITH LLVM-exception", "(MIT", "MIT MIT", "OR MIT", "MIT OR"] {
            assert!(!allowed(not, &list), "{not}");
        }
    }
}
