//! The fuzz targets' short form: seeds and mutations of them, always the same ones, through the same entry.

#[path = "../../../model/tests/fuzz/dice.rs"]
mod dice;
mod entry;

use dice::Dice;

use crate::egress::spellings::spellings;

/// Every seed as it is, then mutations of all of them in turn; how many were taken.
fn each(seeds: &[String], mutations: usize, mut enter: impl FnMut(&str) -> bool) -> usize {
    let mut dice = Dice::new(0x5eed);
    let mut taken = seeds.iter().filter(|seed| enter(seed)).count();
    for at in 0..mutations {
        let mut text = seeds[at % seeds.len()].clone();
        for _ in 0..=dice.below(3) {
            text = dice.mutated(&text, seeds);
        }
        taken += usize::from(enter(&text));
    }
    taken
}

#[test]
fn mutated_urls_lead_nowhere_inside() {
    let egress = entry::strict();
    let mut seeds: Vec<String> = spellings().into_iter().map(|host| format!("http://{host}/")).collect();
    seeds.extend(
        ["https://api.example.com/v1?q=1#f", "http://8.8.8.8:8080/", "http://[2606:4700::1111]/", "https://user:pass@a.test/"]
            .map(str::to_owned),
    );
    let taken = each(&seeds, 30_000, |text| entry::url(text, &egress));
    assert!(taken > 500, "{taken} URLs were let through");
}

#[test]
fn mutated_definitions_are_answered() {
    let egress = entry::strict();
    let seeds = [
        r#"{"name":"shop","display_name":"My shop","description":"Orders.","base_url":"https://shop.test/api","auth_type":"api_key","auth_header":"X-Key","auth_prefix":"","actions":[{"id":"get","name":"Get","method":"GET","endpoint":"/orders/{id}","description":"One.","params":{"id":"string","n":{"type":"boolean","required":true}}}]}"#,
        r#"{"name":"a","base_url":"http://a.test","auth_type":"bearer","actions":[{"id":"x","method":"post","endpoint":"o?d=1","params":[{"name":"total","type":"number","required":true},"note"]}]}"#,
        r#"{"name":"b","base_url":"https://b.test/","auth_type":"none","actions":[{"id":"c","name":"c","method":"DELETE","endpoint":"/o/{id}","params":{"type":"object","properties":{"id":{},"why":{"type":"string"}},"required":["why"]}}]}"#,
    ]
    .map(str::to_owned);
    let taken = each(&seeds, 20_000, |text| entry::integration(text, &egress));
    assert!(taken > 300, "{taken} definitions became providers");
}
