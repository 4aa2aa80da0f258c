//! `cargo x sbom`: what the released program is made of, as a CycloneDX document, from `cargo metadata` and the lock file alone.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::project::{Project, metadata};

const ROOT: &str = "mainspring-server";
const TARGET: &str = "x86_64-unknown-linux-gnu";

/// Prints the document, or writes it to the file that is named.
pub(crate) fn sbom(project: &Project, args: &[String]) -> Result<ExitCode> {
    let metadata = metadata(&project.root, &["--locked", "--filter-platform", TARGET])?;
    let lock = fs::read_to_string(project.root.join("Cargo.lock")).context("Cargo.lock")?;
    let text = serde_json::to_string_pretty(&document(&metadata, &checksums(&lock))?)?;
    match args {
        [] => println!("{text}"),
        [file] => fs::write(file, text + "\n").with_context(|| format!("cannot write {file}"))?,
        _ => bail!("cargo x sbom [file]"),
    }
    Ok(ExitCode::SUCCESS)
}

/// CycloneDX 1.5. Without a serial number and a date: the same sources give the same document.
fn document(metadata: &Value, checksums: &BTreeMap<String, String>) -> Result<Value> {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let packages: BTreeMap<String, Value> =
        list(&metadata["packages"]).into_iter().map(|package| (text(&package["id"]), package)).collect();
    let nodes: BTreeMap<String, Value> = list(&metadata["resolve"]["nodes"]).into_iter().map(|node| (text(&node["id"]), node)).collect();
    let root = packages.values().find(|package| package["name"] == ROOT).context("the server is not in the metadata")?;
    // What is only for tests is not in the program.
    let needed = |id: &str| -> Vec<String> {
        let deps = list(&nodes.get(id).map_or(Value::Null, |node| node["deps"].clone()));
        let built = |dep: &Value| list(&dep["dep_kinds"]).iter().any(|kind| kind["kind"].as_str() != Some("dev"));
        deps.iter().filter(|dep| built(dep)).map(|dep| text(&dep["pkg"])).collect()
    };
    let (mut seen, mut next) = (BTreeSet::new(), vec![text(&root["id"])]);
    while let Some(id) = next.pop() {
        if seen.insert(id.clone()) {
            next.extend(needed(&id));
        }
    }
    let reference = |id: &str| packages.get(id).map(purl).unwrap_or_default();
    let parts: Vec<&Value> = seen.iter().filter(|id| **id != text(&root["id"])).filter_map(|id| packages.get(id)).collect();
    let mut components: Vec<Value> = parts.iter().map(|package| component(package, "library", checksums)).collect();
    components.sort_by_key(|component| text(&component["bom-ref"]));
    let mut dependencies: Vec<Value> = seen
        .iter()
        .map(|id| {
            let on: BTreeSet<String> = needed(id).iter().map(|id| reference(id)).collect();
            json!({"ref": reference(id), "dependsOn": on})
        })
        .collect();
    dependencies.sort_by_key(|dependency| text(&dependency["ref"]));
    Ok(json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"component": component(root, "application", checksums)},
        "components": components,
        "dependencies": dependencies,
    }))
}

fn component(package: &Value, kind: &str, checksums: &BTreeMap<String, String>) -> Value {
    let (name, version) = (text(&package["name"]), text(&package["version"]));
    let mut component = json!({"type": kind, "bom-ref": purl(package), "name": name, "version": version, "purl": purl(package)});
    if let Some(licence) = package["license"].as_str() {
        // The older spelling of a choice is no expression.
        component["licenses"] = json!([{"expression": licence.replace('/', " OR ")}]);
    }
    if let Some(hash) = checksums.get(&format!("{name} {version}")) {
        component["hashes"] = json!([{"alg": "SHA-256", "content": hash}]);
    }
    component
}

fn purl(package: &Value) -> String {
    format!("pkg:cargo/{}@{}", text(&package["name"]), text(&package["version"]))
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// `name version` → checksum, as the lock file has it.
fn checksums(lock: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for package in lock.split("[[package]]") {
        let field = |key: &str| package.lines().find_map(|line| line.strip_prefix(key)?.split('"').nth(1));
        if let (Some(name), Some(version), Some(hash)) = (field("name = "), field("version = "), field("checksum = ")) {
            found.insert(format!("{name} {version}"), hash.to_owned());
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_built_is_in_it_and_what_is_only_for_tests_is_not() {
        let package = |name: &str| json!({"id": name, "name": name, "version": "1.0.0", "license": "MIT/Apache-2.0"});
        let dep = |name: &str, kind: Value| json!({"pkg": name, "dep_kinds": [{"kind": kind}]});
        let metadata = json!({
            "packages": [package(ROOT), package("a"), package("b"), package("tester"), package("stranger")],
            "resolve": {"nodes": [
                {"id": ROOT, "deps": [dep("a", Value::Null), dep("tester", json!("dev"))]},
                {"id": "a", "deps": [dep("b", json!("build"))]},
                {"id": "b", "deps": []},
            ]},
        });
        let sums = checksums("[[package]]\nname = \"a\"\nversion = \"1.0.0\"\nchecksum = \"0f\"\n");
        let document = document(&metadata, &sums).unwrap();
        let names: Vec<&str> = document["components"].as_array().unwrap().iter().map(|part| part["name"].as_str().unwrap()).collect();
        assert_eq!((names, &document["metadata"]["component"]["name"]), (vec!["a", "b"], &json!(ROOT)));
        assert_eq!(document["components"][0]["hashes"][0]["content"], "0f");
        assert_eq!(document["components"][0]["licenses"][0]["expression"], "MIT OR Apache-2.0");
        assert_eq!(document["dependencies"][0], json!({"ref": "pkg:cargo/a@1.0.0", "dependsOn": ["pkg:cargo/b@1.0.0"]}));
    }
}
