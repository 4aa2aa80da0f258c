//! Accounts at the command line.

use super::program::Place;

#[test]
fn the_first_owner_and_others_are_made_by_hand() {
    let place = Place::new();
    let list = place.run(&["user", "list"]).expect(0);
    assert!(list.out.contains("owner create") || list.err.contains("owner create"), "{}{}", list.out, list.err);
    let weak = place.feed(&["owner", "create", "--email", "ada@example.org"], "password123\n").expect(3);
    assert!(weak.err.contains("WEAK_PASSWORD") && !weak.err.contains("password123"), "{}", weak.err);
    place.feed(&["owner", "create", "--email", "no address"], "a quiet harbour 4711\n").expect(2);
    place.feed(&["owner", "create", "--email", "ada@example.org", "--name", "Ada"], "a quiet harbour 4711\n").expect(0);
    let twice = place.feed(&["owner", "create", "--email", "bob@example.org"], "a quiet harbour 4711\n").expect(3);
    assert!(twice.err.contains("already"), "{}", twice.err);
    place.feed(&["user", "create", "--email", "bob@example.org"], "a loud harbour 4711\n").expect(0);
    place.feed(&["user", "create", "--email", "BOB@example.org"], "a loud harbour 4711\n").expect(3);
    let list = place.run(&["user", "list", "-o", "json"]).expect(0).json();
    let users = list["users"].as_array().unwrap();
    let of = |email: &str| users.iter().find(|user| user["email"] == email).unwrap();
    assert_eq!((users.len(), &of("ada@example.org")["operator"], &of("bob@example.org")["operator"]), (2, &true.into(), &false.into()));
    assert!(!list.to_string().contains("argon2"), "{list}");
    place.run(&["user", "disable", "bob@example.org"]).expect(0);
    let list = place.run(&["user", "list", "-o", "json"]).expect(0).json();
    assert!(list["users"].as_array().unwrap().iter().any(|user| !user["disabled_at"].is_null()), "{list}");
    place.run(&["user", "disable", "bob@example.org", "--undo"]).expect(0);
    place.feed(&["user", "reset-password", "bob@example.org"], "a third harbour 4711\n").expect(0);
    place.run(&["user", "disable", "nobody@example.org"]).expect(5);
}

#[test]
fn a_link_makes_the_owner_later() {
    let place = Place::new();
    let made = place.run(&["owner", "create", "--link"]).expect(0);
    assert!(made.out.trim().starts_with("mso_"), "{}", made.out);
}

#[test]
fn an_account_is_deleted_after_it_was_said_what_goes() {
    let place = Place::new();
    place.feed(&["owner", "create", "--email", "ada@example.org"], "a quiet harbour 4711\n").expect(0);
    place.feed(&["user", "create", "--email", "bob@example.org", "--name", "Bob"], "a loud harbour 4711\n").expect(0);
    let last = place.run(&["user", "delete", "ada@example.org", "--confirm", "ada@example.org"]).expect(3);
    assert!(last.err.contains("only one who administers"), "{}", last.err);
    let said = place.run(&["user", "delete", "bob@example.org"]).expect(2);
    assert!(said.err.contains("cannot be undone") && said.err.contains("--delete-organization bob"), "{}", said.err);
    place.run(&["user", "delete", "bob@example.org", "--confirm", "bob@example.org"]).expect(2);
    let done = place.run(&["user", "delete", "bob@example.org", "--confirm", "bob@example.org", "--delete-organization", "bob"]);
    done.expect(0);
    assert!(!place.run(&["user", "list", "-o", "json"]).expect(0).out.contains("bob@"));
    place.run(&["user", "delete", "bob@example.org"]).expect(5);
}
