//! The pages about error codes, within the binary: every error that people meet names one.

use std::borrow::Cow;

use rust_embed::RustEmbed;

#[derive(RustEmbed)]
#[folder = "../../docs/errors"]
#[include = "*.md"]
#[exclude = "README.md"]
struct Pages;

/// The page of a code, as Markdown. Any case.
pub fn page(code: &str) -> Option<Cow<'static, str>> {
    let file = Pages::get(&format!("{}.md", code.trim().to_ascii_uppercase()))?;
    Some(match file.data {
        Cow::Borrowed(bytes) => String::from_utf8_lossy(bytes),
        Cow::Owned(bytes) => Cow::Owned(String::from_utf8_lossy(&bytes).into_owned()),
    })
}

/// Every code that has a page, in order.
pub fn codes() -> Vec<String> {
    let mut codes: Vec<String> = Pages::iter().filter_map(|name| name.strip_suffix(".md").map(str::to_owned)).collect();
    codes.sort_unstable();
    codes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_its_page_within() {
        let codes = codes();
        assert!(codes.len() > 50 && codes.is_sorted() && !codes.contains(&"README".to_owned()));
        for code in &codes {
            assert!(page(&code.to_lowercase()).unwrap().starts_with(&format!("# {code}\n")), "{code}");
        }
        assert!(page("../errors/CYCLE").is_none() && page("NO_SUCH_CODE").is_none());
    }
}
