//! The codes of a plan document's problems; each has a page in `docs/errors/`.

/// The text is no JSON or YAML.
pub const SYNTAX: &str = "SYNTAX";
/// An object names a field twice.
pub const DUPLICATE_KEY: &str = "DUPLICATE_KEY";
/// YAML that a plan does not use: tags, several documents, keys that are no text.
pub const UNSUPPORTED_YAML: &str = "UNSUPPORTED_YAML";
/// A number that 64 bits do not hold, or that JSON does not know.
pub const NUMBER_RANGE: &str = "NUMBER_RANGE";
/// Too large, too deep, or grown by aliases.
pub const DOCUMENT_LIMIT: &str = "DOCUMENT_LIMIT";
/// More problems were found than are listed.
pub const TOO_MANY_PROBLEMS: &str = "TOO_MANY_PROBLEMS";

/// A value of the wrong type.
pub const WRONG_TYPE: &str = "WRONG_TYPE";
/// A field that must be written is not.
pub const MISSING_FIELD: &str = "MISSING_FIELD";
/// A field that does not exist.
pub const UNKNOWN_FIELD: &str = "UNKNOWN_FIELD";
/// A field, trigger or action of a later version.
pub const NOT_YET_SUPPORTED: &str = "NOT_YET_SUPPORTED";
/// The right type, but not a value that may stand there.
pub const INVALID_VALUE: &str = "INVALID_VALUE";
/// No duration, or one out of range.
pub const INVALID_DURATION: &str = "INVALID_DURATION";
/// Two fields that exclude each other, or one without the one it belongs to.
pub const CONFLICTING_FIELDS: &str = "CONFLICTING_FIELDS";
/// An earlier document that counts its steps from 0 and from 1.
pub const MIXED_NUMBERING: &str = "MIXED_NUMBERING";
/// An earlier document that says something ours cannot.
pub const UNTRANSLATABLE: &str = "UNTRANSLATABLE";

/// Two steps, or two triggers, with one id.
pub const DUPLICATE_ID: &str = "DUPLICATE_ID";
/// More than 1,000 steps.
pub const TOO_MANY_STEPS: &str = "TOO_MANY_STEPS";
/// Steps nested more than 64 deep.
pub const TOO_DEEP: &str = "TOO_DEEP";
/// No step has this id.
pub const UNKNOWN_STEP: &str = "UNKNOWN_STEP";
/// The step does not end in such a port.
pub const UNKNOWN_PORT: &str = "UNKNOWN_PORT";
/// Steps that wait for each other.
pub const CYCLE: &str = "CYCLE";
/// `join` must be written here.
pub const JOIN_REQUIRED: &str = "JOIN_REQUIRED";
/// An expression reads a step that has not ended when the expression is evaluated.
pub const NOT_AN_ANCESTOR: &str = "NOT_AN_ANCESTOR";
/// An expression reads a name that is not in scope here.
pub const UNKNOWN_NAME: &str = "UNKNOWN_NAME";
/// An expression reads a field that is known not to exist.
pub const UNRESOLVED_REFERENCE: &str = "UNRESOLVED_REFERENCE";

/// No such provider.
pub const UNKNOWN_PROVIDER: &str = "UNKNOWN_PROVIDER";
/// The provider has no such action.
pub const UNKNOWN_ACTION: &str = "UNKNOWN_ACTION";
/// The provider is there in another major version.
pub const UNKNOWN_VERSION: &str = "UNKNOWN_VERSION";
/// Params that do not fit the action.
pub const INVALID_PARAMS: &str = "INVALID_PARAMS";
/// An input's declaration is no JSON Schema.
pub const INVALID_SCHEMA: &str = "INVALID_SCHEMA";
/// A run's inputs do not fit the plan's declaration.
pub const INVALID_INPUT: &str = "INVALID_INPUT";
