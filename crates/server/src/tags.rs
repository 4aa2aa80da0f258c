//! What a worker serves of what plans and steps ask for: a machine with a graphics card, one inside a customer's network.

use std::fmt;
use std::str::FromStr;

use mainspring_model::plan::is_tag;
use mainspring_model::run::UNTAGGED;

/// At least one tag; `default` is that of steps that ask for none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tags(pub Vec<String>);

impl Default for Tags {
    fn default() -> Self {
        Tags(vec![UNTAGGED.to_owned()])
    }
}

impl FromStr for Tags {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut tags: Vec<String> = text.split(',').map(str::trim).filter(|tag| !tag.is_empty()).map(str::to_owned).collect();
        if let Some(bad) = tags.iter().find(|tag| !is_tag(tag)) {
            return Err(format!("\"{bad}\" is no tag; write small letters, digits, _ or -, beginning with a letter"));
        }
        tags.sort_unstable();
        tags.dedup();
        if tags.is_empty() {
            Err("a worker without a tag takes up nothing; write default, or default,gpu".to_owned())
        } else {
            Ok(Tags(tags))
        }
    }
}

impl fmt::Display for Tags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comma_list_is_read() {
        assert_eq!("gpu, default,gpu".parse(), Ok(Tags(vec!["default".to_owned(), "gpu".to_owned()])));
        assert!("GPU".parse::<Tags>().unwrap_err().contains("\"GPU\" is no tag"));
        assert!(" , ".parse::<Tags>().unwrap_err().contains("default,gpu"));
    }
}
