//! The part of the table that says how users' code is run.

use std::path::PathBuf;

use mainspring_sandbox::Isolation;

use super::Settings;
use super::setting::{Kind, Setting};
use super::values::{number, put};

/// How users' code is run, as the operator said.
#[derive(Clone, Debug, Default)]
pub struct Code {
    /// `None`: full in production, elsewhere what the kernel gives.
    pub isolation: Option<Isolation>,
    pub sandbox: mainspring_sandbox::Settings,
}

impl Code {
    /// What the sandbox is given.
    pub fn terms(&self, settings: &Settings) -> mainspring_sandbox::Settings {
        let usual = if settings.is_production() { Isolation::Full } else { Isolation::Filter };
        mainspring_sandbox::Settings { isolation: self.isolation.unwrap_or(usual), ..self.sandbox.clone() }
    }
}

/// Another program than this one as the child: tests run inside one of their own.
impl Code {
    #[must_use]
    pub fn with_program(mut self, program: impl Into<PathBuf>) -> Code {
        self.sandbox.program = program.into();
        self
    }
}

pub(super) static ALL: &[Setting] = &[
    Setting {
        key: "code.children",
        variables: &["MAINSPRING_CODE_CHILDREN"],
        flag: None,
        kind: Kind::Number,
        default: "4",
        meaning: "processes for users' code: calls at the same time, and how many are kept warm; see [code steps](code-steps.md)",
        examples: ["4", "16"],
        take: |settings, text| put(&mut settings.code.sandbox.children, some(text, "processes")),
        value: |settings| Some(settings.code.sandbox.children.to_string()),
    },
    Setting {
        key: "code.memory",
        variables: &["MAINSPRING_CODE_MEMORY"],
        flag: None,
        kind: Kind::Number,
        default: "67108864",
        meaning: "memory of a code step that says nothing of its own, in bytes",
        examples: ["67108864", "33554432"],
        take: |settings, text| put(&mut settings.code.sandbox.limits.memory, some(text, "bytes")),
        value: |settings| Some(settings.code.sandbox.limits.memory.to_string()),
    },
    Setting {
        key: "code.most_memory",
        variables: &["MAINSPRING_CODE_MOST_MEMORY"],
        flag: None,
        kind: Kind::Number,
        default: "268435456",
        meaning: "the most memory that a code step may ask for, in bytes",
        examples: ["268435456", "1073741824"],
        take: |settings, text| put(&mut settings.code.sandbox.most_memory, some(text, "bytes")),
        value: |settings| Some(settings.code.sandbox.most_memory.to_string()),
    },
    Setting {
        key: "code.isolation",
        variables: &["MAINSPRING_CODE_ISOLATION"],
        flag: None,
        kind: Kind::Text,
        default: "`full` in production, else `seccomp`",
        meaning: "what a process for users' code needs before it takes any: `full` (namespaces of its own and the filter of system calls) or `seccomp` (the filter, and namespaces where the kernel gives them)",
        examples: ["full", "seccomp"],
        take: |settings, text| put(&mut settings.code.isolation, text.parse().map(Some)),
        value: |settings| settings.code.isolation.map(|isolation| isolation.as_str().to_owned()),
    },
    Setting {
        key: "code.python",
        variables: &["MAINSPRING_PYTHON"],
        flag: None,
        kind: Kind::Text,
        default: "",
        meaning: "the interpreter of `code.python`, which is not there without one; a program, or one in a virtual environment, and no script that finds one",
        examples: ["/usr/bin/python3", "/opt/automation/bin/python3"],
        take: |settings, text| put(&mut settings.code.sandbox.python, interpreter(text).map(Some)),
        value: |settings| settings.code.sandbox.python.as_ref().map(|program| program.display().to_string()),
    },
];

fn interpreter(text: &str) -> Result<PathBuf, String> {
    let program = PathBuf::from(text.trim());
    if program.is_absolute() { Ok(program) } else { Err(format!("\"{text}\" is no full path; write /usr/bin/python3 or where it is")) }
}

/// A number of at least one.
fn some<T: std::str::FromStr + Default + PartialEq>(text: &str, noun: &str) -> Result<T, String> {
    match number(text, noun) {
        Ok(none) if none == T::default() => Err(format!("write at least one of {noun}")),
        other => other,
    }
}
