//! Whether users' code can be run here, and what the kernel refuses.

use mainspring_sandbox::{Isolation, Sandbox, Settings as Terms};

use super::{Check, State};
use crate::settings::Settings;

/// Starts a child, and the interpreter where one is set, and lets them go.
pub(super) async fn runs(settings: &Settings) -> Check {
    let check = javascript(settings).await;
    let Some(python) = &settings.code.sandbox.python else { return check };
    match Sandbox::new(settings.code.terms(settings)).probe_python().await {
        Ok(()) if check.is_fine() => Check::ok(check.name, format!("{}; and {}", check.found, python.display())),
        Ok(()) => check,
        Err(reason) => Check::new(check.name, State::Warning, format!("code.python fails: {reason}"))
            .next("see that code.python names the interpreter itself; it needs namespaces whatever code.isolation says"),
    }
}

async fn javascript(settings: &Settings) -> Check {
    const NAME: &str = "code";
    const NEXT: &str = "let this user make user and network namespaces (sysctl kernel.unprivileged_userns_clone or \
                        kernel.apparmor_restrict_unprivileged_userns, the container's seccomp profile), or set code.isolation to seccomp";
    let terms = settings.code.terms(settings);
    let asked = terms.isolation;
    let full = Sandbox::new(Terms { isolation: Isolation::Full, ..terms.clone() }).probe().await;
    match (full, asked) {
        (Ok(()), _) => Check::ok(NAME, "a process for code starts, with namespaces of its own and the filter of system calls"),
        (Err(reason), Isolation::Full) => Check::new(NAME, State::Warning, format!("code steps fail: {reason}")).next(NEXT),
        (Err(reason), Isolation::Filter) => match Sandbox::new(terms).probe().await {
            Ok(()) if settings.code.isolation.is_some() => {
                Check::ok(NAME, format!("by the filter of system calls alone, as code.isolation says: {reason}"))
            }
            Ok(()) => {
                Check::new(NAME, State::Warning, format!("by the filter of system calls alone, which production would refuse: {reason}"))
                    .next(NEXT)
            }
            Err(reason) => Check::new(NAME, State::Warning, format!("code steps fail: {reason}"))
                .next("this kernel cannot hold code back; plans without code are not touched"),
        },
    }
}
