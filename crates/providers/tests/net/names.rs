//! A resolver that answers what a test wrote, and counts.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::IpAddr;
use std::sync::Mutex;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, pending, ready};
use mainspring_providers::egress::Lookup;

#[derive(Default)]
pub struct Names {
    /// The answers of each name in turn; the last one stays.
    answers: Mutex<HashMap<String, VecDeque<Vec<IpAddr>>>>,
    /// What every other name means.
    other: Vec<IpAddr>,
    silent: bool,
    asked: Mutex<Vec<String>>,
}

impl Names {
    pub fn new() -> Names {
        Names::default()
    }

    pub fn with(self, name: &str, answers: &[&[&str]]) -> Names {
        let answers = answers.iter().map(|addresses| addresses.iter().map(|address| address.parse().unwrap()).collect()).collect();
        self.answers.lock().unwrap().insert(name.to_owned(), answers);
        self
    }

    pub fn otherwise(self, address: &str) -> Names {
        Names { other: vec![address.parse().unwrap()], ..self }
    }

    /// Never answers.
    pub fn silent() -> Names {
        Names { silent: true, ..Names::default() }
    }

    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

impl Lookup for Names {
    fn lookup(&self, host: &str) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
        self.asked.lock().unwrap().push(host.to_owned());
        if self.silent {
            return pending().boxed();
        }
        let mut answers = self.answers.lock().unwrap();
        let found = match answers.get_mut(host) {
            Some(answers) if answers.len() > 1 => answers.pop_front(),
            Some(answers) => answers.front().cloned(),
            None if self.other.is_empty() => None,
            None => Some(self.other.clone()),
        };
        ready(found.ok_or_else(|| io::Error::other("no such name"))).boxed()
    }
}
