//! Tables of what was done and what was said: every difference at once.

/// Fails with each row whose text is not the expected one.
#[track_caller]
pub fn same(rows: &[(String, String, String)]) {
    let wrong: Vec<String> = rows
        .iter()
        .filter(|(_, said, expected)| said != expected)
        .map(|(what, said, expected)| format!("{what}\n   says {said}\n   not  {expected}"))
        .collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}
