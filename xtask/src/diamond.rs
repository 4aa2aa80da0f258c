//! The diamond: which crate may know which. One table; an edge that is not in it fails the check.

use crate::finding::Finding;
use crate::project::{Package, Project};

const RULE: &str = "diamond";

/// What a crate may depend on among the workspace's own, in any dependency table: a test that needs a neighbour
/// belongs to `server`, where the pieces are joined.
enum May {
    Only(&'static [&'static str]),
    /// Every crate of the product; not the tools beside it.
    Product,
    Anything,
}

#[rustfmt::skip]
const TABLE: &[(&str, May)] = &[
    ("mainspring-model",     May::Only(&[])),
    ("mainspring-vault",     May::Only(&["mainspring-model"])),
    ("mainspring-engine",    May::Only(&["mainspring-model", "mainspring-vault"])),
    ("mainspring-store",     May::Only(&["mainspring-model"])),
    ("mainspring-providers", May::Only(&["mainspring-model"])),
    ("mainspring-sandbox",   May::Only(&["mainspring-model"])),
    ("mainspring-server",    May::Product),
    ("mainspring-bench",     May::Anything),
    ("xtask",                May::Only(&[])),
];

/// A pack is a crate under `packs/`, whatever its name.
const PACK: May = May::Only(&["mainspring-model"]);

/// Crates that are built beside the product and are no part of it.
const TOOLS: &[&str] = &["xtask", "mainspring-bench"];

pub(crate) fn check(project: &Project) -> Vec<Finding> {
    broken(&project.packages)
}

fn broken(packages: &[Package]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for package in packages {
        let Some(may) = rule_of(package) else {
            let text = "has no line in the table of xtask/src/diamond.rs: say what it may depend on";
            findings.push(Finding::new(&package.name, RULE, text));
            continue;
        };
        for dependency in &package.dependencies {
            let ours = packages.iter().any(|p| p.name == dependency.name);
            if ours && !allows(may, &dependency.name) {
                let text = format!("{} → {} ({} dependency) is no edge of the diamond", package.name, dependency.name, dependency.kind);
                findings.push(Finding::new(&format!("{}/Cargo.toml", package.folder), RULE, text));
            }
        }
    }
    findings
}

fn rule_of(package: &Package) -> Option<&'static May> {
    if package.folder.starts_with("packs/") {
        return Some(&PACK);
    }
    TABLE.iter().find(|(name, _)| *name == package.name).map(|(_, may)| may)
}

fn allows(may: &May, dependency: &str) -> bool {
    match may {
        May::Only(names) => names.contains(&dependency),
        May::Product => !TOOLS.contains(&dependency),
        May::Anything => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::project::packages;
    use serde_json::{Value, json};

    fn package(folder: &str, name: &str, dependencies: &[(&str, Option<&str>)]) -> Value {
        let dependencies: Vec<Value> = dependencies.iter().map(|(name, kind)| json!({"name": name, "kind": kind})).collect();
        json!({"name": name, "manifest_path": format!("/w/{folder}/Cargo.toml"), "dependencies": dependencies})
    }

    fn findings(packages_: &[Value]) -> Vec<String> {
        let metadata = json!({"workspace_root": "/w", "packages": packages_});
        broken(&packages(&metadata)).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_diamond_as_drawn_holds() {
        let graph = [
            package("crates/model", "mainspring-model", &[("serde", None), ("proptest", Some("dev"))]),
            package("crates/vault", "mainspring-vault", &[("mainspring-model", None)]),
            package("crates/engine", "mainspring-engine", &[("mainspring-model", None), ("mainspring-vault", Some("dev"))]),
            package("crates/server", "mainspring-server", &[("mainspring-engine", None), ("mainspring-pack-tax", None)]),
            package("packs/tax", "mainspring-pack-tax", &[("mainspring-model", None)]),
            package("bench", "mainspring-bench", &[("mainspring-server", None)]),
            package("xtask", "xtask", &[("anyhow", None)]),
        ];
        assert_eq!(findings(&graph), Vec::<String>::new());
    }

    #[test]
    fn a_broken_graph_names_each_edge() {
        let graph = [
            package("crates/model", "mainspring-model", &[]),
            package("crates/store", "mainspring-store", &[("mainspring-model", None)]),
            package("crates/engine", "mainspring-engine", &[("mainspring-store", Some("dev"))]),
            package("crates/server", "mainspring-server", &[("xtask", Some("build"))]),
            package("packs/tax", "tax", &[("mainspring-engine", None)]),
            package("crates/new", "mainspring-new", &[]),
            package("xtask", "xtask", &[("mainspring-model", None)]),
        ];
        assert_eq!(
            findings(&graph),
            [
                "crates/engine/Cargo.toml: mainspring-engine → mainspring-store (dev dependency) is no edge of the diamond [diamond]",
                "crates/server/Cargo.toml: mainspring-server → xtask (build dependency) is no edge of the diamond [diamond]",
                "packs/tax/Cargo.toml: tax → mainspring-engine (normal dependency) is no edge of the diamond [diamond]",
                "mainspring-new: has no line in the table of xtask/src/diamond.rs: say what it may depend on [diamond]",
                "xtask/Cargo.toml: xtask → mainspring-model (normal dependency) is no edge of the diamond [diamond]",
            ]
        );
    }
}
