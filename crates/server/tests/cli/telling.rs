//! Flags and rules of notifications from the command line.

use super::program::Place;

#[test]
fn flags_are_set_killed_and_explained() {
    let place = Place::new();
    let explained = |args: &[&str]| place.run(&[&["flag", "explain"], args].concat()).expect(0).out;
    assert_eq!(explained(&["new_editor"]), "new_editor is off, because nobody has said anything of it\n");
    place.run(&["flag", "set", "new_editor", "--on", "--description", "the new editor"]).expect(0);
    assert_eq!(explained(&["new_editor"]), "new_editor is on, because that holds for everybody of whom nothing else is said\n");
    let ada = "0190b8a0-0000-7000-8000-000000000001";
    place.run(&["flag", "set", "new_editor", "--user", &format!("{ada}=off"), "--rollout", "100"]).expect(0);
    assert_eq!(explained(&["new_editor", "--user", ada]), "new_editor is off, because it is set for this user\n");
    assert_eq!(explained(&["new_editor"]), "new_editor is on, because of where this user stands in the roll-out\n");
    place.run(&["flag", "kill", "new_editor"]).expect(0);
    assert_eq!(explained(&["new_editor"]), "new_editor is off, because the kill switch is on\n");
    place.run(&["flag", "kill", "new_editor", "--undo"]).expect(0);
    let listed = place.run(&["flag", "list", "-o", "json"]).expect(0).json();
    let flags = listed["feature_flags"].as_array().unwrap();
    let found = flags.iter().find(|flag| flag["name"] == "new_editor").unwrap();
    assert_eq!((&found["on"], &found["definition"]["description"]), (&true.into(), &"the new editor".into()), "the rest stayed as it was");
    let said = |args: &[&str]| {
        let done = place.run(&[&["flag", "list"], args].concat()).expect(0);
        let line = done.out.lines().find(|line| line.contains("new_editor")).unwrap_or_else(|| panic!("{}", done.out));
        (line.split_whitespace().nth(1).unwrap().to_owned(), done.err)
    };
    let (on, whose) = said(&[]);
    assert!(on == "on" && whose.contains("for the local owner in the local organization; defaults are those of dev mode"), "{on} {whose}");
    let (on, whose) = said(&["--user", ada]);
    assert!(on == "off" && whose.contains(ada), "{on} {whose}");
    place.run(&["flag", "set", "new_editor", "--user", ada]).expect(2);
    place.run(&["flag", "set", "New-Editor", "--on"]).expect(5);
}

#[test]
fn rules_are_made_listed_and_removed() {
    let place = Place::new();
    let hook = ["notification", "add", "pager", "--event", "run.failed", "--webhook", "https://hooks.example/x"];
    let made = place.run(&[&hook[..], &["-o", "json"]].concat()).expect(0).json();
    assert!(made["secret"].as_str().unwrap().starts_with("whsec_"));
    let id = made["notification_rule"]["id"].as_str().unwrap();
    place.run(&["notification", "add", "mail", "--event", "schedule.late", "--mail", "ada@example.com"]).expect(0);
    place.run(&["notification", "add", "mail", "--event", "schedule.late", "--mail", "nobody"]).expect(3);
    place.run(&["notification", "add", "nothing", "--event", "schedule.late"]).expect(2);
    let listed = place.run(&["notification", "rules"]).expect(0).out;
    assert!(listed.contains("pager") && listed.contains("ada@example.com") && !listed.contains("whsec_"), "{listed}");
    let rotated = place.run(&["notification", "rotate", id]).expect(0).out;
    assert!(rotated.contains("whsec_") && !rotated.contains(made["secret"].as_str().unwrap()), "{rotated}");
    place.run(&["notification", "remove", id]).expect(0);
    place.run(&["notification", "remove", id]).expect(5);
    assert!(place.run(&["notification", "list", "--unread"]).expect(0).out.contains("nothing was told"));
}
