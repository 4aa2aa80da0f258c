//! What organizations' plans may reach.

use mainspring_model::id::{OrgId, Owner};
use mainspring_model::store::EgressRuleRecord;

use super::make::{World, owner};

fn rule(world: &World, Owner { org, user }: Owner, host: &str, note: &str) -> EgressRuleRecord {
    EgressRuleRecord { org, host: host.to_owned(), note: note.to_owned(), user, created_at: world.now() }
}

async fn hosts(world: &World, org: OrgId) -> Vec<String> {
    world.store.list_egress_rules(org).await.unwrap().into_iter().map(|rule| rule.host).collect()
}

pub async fn rules(world: &World) {
    let (one, two) = (owner(1), owner(2));
    let revision = world.store.plans_revision().await.unwrap();
    let first = rule(world, one, "api.example.com", "");
    for rule in [&first, &rule(world, one, "*.a.test", "why"), &rule(world, two, "b.test:8443", "")] {
        world.store.put_egress_rule(rule).await.unwrap();
    }
    assert_ne!(world.store.plans_revision().await.unwrap(), revision, "other nodes look");
    assert_eq!(hosts(world, one.org).await, ["*.a.test", "api.example.com"]);
    assert_eq!(hosts(world, two.org).await, ["b.test:8443"]);
    world.pass(1);
    world.store.put_egress_rule(&rule(world, one, "api.example.com", "another note")).await.unwrap();
    let kept = world.store.list_egress_rules(one.org).await.unwrap().remove(1);
    assert_eq!(kept, EgressRuleRecord { note: "another note".to_owned(), ..first }, "it stays as old as it was");
    assert_eq!(world.store.all_egress_rules().await.unwrap().len(), 3);
    assert!(!world.store.delete_egress_rule(two.org, "api.example.com").await.unwrap(), "it is another's");
    assert!(world.store.delete_egress_rule(one.org, "api.example.com").await.unwrap());
    assert_eq!(hosts(world, one.org).await, ["*.a.test"]);
}
