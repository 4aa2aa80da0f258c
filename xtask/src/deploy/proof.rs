//! The proof: one text in one file changed, and who must notice.

use anyhow::{Result, bail};

use super::linters::{COMPOSE, HADOLINT, HELM, KUBERNETES, SCHEMA, SECURITY, VERIFY, YAMLLINT};
use crate::tree::Text;

pub(crate) struct Broken {
    /// The name of the linter, or of the rule.
    pub(crate) linter: &'static str,
    pub(crate) file: &'static str,
    /// Stands there once.
    pub(crate) from: &'static str,
    pub(crate) to: &'static str,
}

impl Broken {
    const fn new(linter: &'static str, file: &'static str, from: &'static str, to: &'static str) -> Broken {
        Broken { linter, file, from, to }
    }

    /// The text of a file, broken when it is the one.
    ///
    /// # Errors
    /// What was to be changed does not stand there once: the proof would prove nothing.
    pub(crate) fn apply(&self, text: &Text) -> Result<String> {
        if text.path != self.file {
            return Ok(text.text.clone());
        }
        let count = text.text.matches(self.from).count();
        if count != 1 {
            bail!("`{}` stands {count} times in {}, so it cannot be broken there", self.from, self.file);
        }
        Ok(text.text.replacen(self.from, self.to, 1))
    }
}

const DOCKERFILE: &str = "deploy/Dockerfile";
const COMPOSE_FILE: &str = "deploy/compose.yaml";
const UNIT: &str = "deploy/mainspring.service";
const VALUES: &str = "deploy/helm/mainspring/values.yaml";
const VALUES_SCHEMA: &str = "deploy/helm/mainspring/values.schema.json";
const DEPLOYMENT: &str = "deploy/helm/mainspring/templates/deployment.yaml";
const MIGRATE: &str = "deploy/helm/mainspring/templates/migrate.yaml";
const SECRET: &str = "deploy/helm/mainspring/templates/secret.yaml";
const BUDGET: &str = "deploy/helm/mainspring/templates/poddisruptionbudget.yaml";

pub(crate) const BROKEN: &[Broken] = &[
    Broken::new(HADOLINT, DOCKERFILE, "rust:1.95.0-bookworm", "rust:latest"),
    Broken::new(HADOLINT, DOCKERFILE, "WORKDIR /src", "WORKDIR src"),
    Broken::new(HADOLINT, DOCKERFILE, "gcr.io/distroless/cc-debian12:nonroot", "example.org/distroless:nonroot"),
    // ShellCheck's part: a variable that the shell would split.
    Broken::new(HADOLINT, DOCKERFILE, "install -D -m 0755 target", "install -D -m 0755 $PWD/target"),
    Broken::new(YAMLLINT, COMPOSE_FILE, "    command: [migrate, up]", "    command: [migrate, up]\n    command: [serve]"),
    Broken::new(YAMLLINT, VALUES, "replicaCount: 3", "replicaCount:  3"),
    Broken::new(YAMLLINT, BUDGET, "kind: PodDisruptionBudget", "kind: PodDisruptionBudget\nkind: PodDisruptionBudget"),
    Broken::new(COMPOSE, COMPOSE_FILE, "      start_period: 30s", "      begin_period: 30s"),
    Broken::new(COMPOSE, COMPOSE_FILE, "  stop_grace_period: 35s", "  stop_grace_period: [35]"),
    Broken::new(SCHEMA, VALUES_SCHEMA, "\"propertyNames\": {", "\"propertyNames\": 7, \"x\": {"),
    Broken::new(SCHEMA, VALUES, "replicaCount: 3", "replicaCount: three"),
    Broken::new(HELM, DEPLOYMENT, "{{ .Values.replicaCount }}", "{{ .Values.replicaCount | noSuchFunction }}"),
    Broken::new(HELM, DEPLOYMENT, "{{- with .Values.tolerations }}", "{{- wiht .Values.tolerations }}"),
    Broken::new(HELM, VALUES_SCHEMA, "\"minimum\": 28", "\"minimum\": 1"),
    Broken::new(HELM, SECRET, "{{- fail \"", "{{- print \""),
    Broken::new(KUBERNETES, DEPLOYMENT, "  replicas: {{ .Values.replicaCount }}", "  replicas: many"),
    Broken::new(KUBERNETES, DEPLOYMENT, "          livenessProbe:", "          livelinessProbe:"),
    Broken::new(KUBERNETES, MIGRATE, "apiVersion: batch/v1", "apiVersion: batch/v1beta1"),
    Broken::new(VERIFY, UNIT, "ProtectSystem=strict", "ProtectSystm=strict"),
    Broken::new(VERIFY, UNIT, "TimeoutStopSec=35", "TimeoutStopSec=soon"),
    Broken::new(VERIFY, UNIT, "SystemCallFilter=@system-service", "SystemCallFilter=@no-such-group"),
    Broken::new(SECURITY, UNIT, "ProtectSystem=strict", "ProtectSystem=no"),
    Broken::new(SECURITY, UNIT, "CapabilityBoundingSet=\n", "\n"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deploy::linters::LINTERS;

    #[test]
    fn every_linter_is_put_to_the_proof() {
        for linter in LINTERS {
            assert!(BROKEN.iter().any(|broken| broken.linter == linter.name), "{}", linter.name);
        }
        assert!(BROKEN.iter().all(|broken| LINTERS.iter().any(|linter| linter.name == broken.linter)));
    }

    #[test]
    fn what_is_broken_stood_there_once() {
        let text = |text: &str| Text { path: UNIT.into(), text: text.into() };
        let broken = Broken::new(VERIFY, UNIT, "a", "b");
        assert_eq!(broken.apply(&text("xax")).unwrap(), "xbx");
        assert!(broken.apply(&text("aa")).is_err());
        assert_eq!(broken.apply(&Text { path: "other".into(), text: "aa".into() }).unwrap(), "aa");
    }
}
