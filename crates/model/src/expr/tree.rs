//! The tree that is evaluated: small, owned, and holding nothing but what the subset allows.

use std::sync::Arc;

use regex::Regex;
use serde_json::Value;

use super::function::{Function, Methods};
use super::scope::{StepField, StepKey};

#[derive(Clone, Debug)]
pub(crate) enum Node {
    Const(Value),
    Access(Box<Access>),
    Call(Box<Call>),
    /// The whole of a path with `?.`: null when anything on it is missing.
    Guard(Box<Node>),
    Template(Box<[Piece]>),
    List(Box<[Item]>),
    Object(Box<[Entry]>),
    Not(Box<Node>),
    Negate(Box<Node>),
    /// Unary `+`.
    Same(Box<Node>),
    /// A chain of binary operators, grouped from the left: flat, so that a long sum is not a deep tree.
    Fold(Box<Node>, Box<[(Operator, Node)]>),
    /// `a ? b : c ? d : e`, flat for the same reason.
    Choose(Box<[(Node, Node)]>, Box<Node>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
    Power,
    Equal,
    Unequal,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    In,
    And,
    Or,
    Otherwise,
}

impl Operator {
    pub(crate) fn text(self) -> &'static str {
        match self {
            Operator::Add => "+",
            Operator::Subtract => "-",
            Operator::Multiply => "*",
            Operator::Divide => "/",
            Operator::Remainder => "%",
            Operator::Power => "**",
            Operator::Equal => "==",
            Operator::Unequal => "!=",
            Operator::Less => "<",
            Operator::LessEqual => "<=",
            Operator::Greater => ">",
            Operator::GreaterEqual => ">=",
            Operator::In => "in",
            Operator::And => "&&",
            Operator::Or => "||",
            Operator::Otherwise => "??",
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) enum Piece {
    Text(String),
    Node(Node),
}

#[derive(Clone, Debug)]
pub(crate) enum Item {
    One(Node),
    Spread(Node),
}

#[derive(Clone, Debug)]
pub(crate) enum Entry {
    Field(String, Node),
    Computed(Node, Node),
    Spread(Node),
}

/// A path: where it starts and the parts after it.
#[derive(Clone, Debug)]
pub(crate) struct Access {
    pub base: Base,
    pub parts: Box<[Part]>,
    /// On the spine of a chain with `?.`.
    pub guarded: bool,
}

#[derive(Clone, Debug)]
pub(crate) enum Base {
    Root(String),
    Step(StepKey, StepField),
    /// An arrow function's parameter: how many functions outwards, and which parameter there.
    Local {
        up: usize,
        slot: usize,
        name: String,
    },
    Node(Node),
}

#[derive(Clone, Debug)]
pub(crate) enum Part {
    Key(String),
    Index(usize),
    Dynamic(Node),
}

#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub target: Target,
    pub args: Box<[Arg]>,
    pub guarded: bool,
    /// The compiled pattern, when it is constant.
    pub pattern: Option<Arc<Regex>>,
}

#[derive(Clone, Debug)]
pub(crate) enum Target {
    Function(&'static Function),
    Method(&'static Methods, Node),
}

#[derive(Clone, Debug)]
pub(crate) enum Arg {
    Value(Node),
    /// An arrow function; its parameters are found by place.
    Arrow(Node),
}
