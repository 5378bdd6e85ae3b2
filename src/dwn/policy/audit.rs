//! Which of the records that are there already a policy would not take.

use super::{
    document::{Document, Rules, Scalar, Unique, Within},
    expiry,
    judge::{fits, values},
};
use crate::dwn::{
    fields::{self, descriptor_text},
    view::Stored,
};
use serde_json::Value;
use std::collections::HashMap;

/// Combinations of values of one record that are compared.
const COMBINATIONS_MAX: usize = 1_000;

/// A policy, and what has been looked at.
#[derive(Debug)]
pub struct Audit<'a> {
    document: &'a Document,
    now: &'a str,
    /// Which record was the first to have something that is to be unique.
    first: HashMap<String, String>,
}

impl<'a> Audit<'a> {
    /// `now`: the time as messages write it.
    pub fn new(document: &'a Document, now: &'a str) -> Self {
        Self { document, now, first: HashMap::new() }
    }

    /// Has the data of such a record to be read?
    pub fn needs_data(&self, message: &Value) -> bool {
        self.rules(message)
            .is_some_and(|rules| rules.schema.is_some() || rules.expires.as_ref().is_some_and(expiry::is_in_data))
    }

    /// Why the policy would not take this state of a record, besides how it came to be; records are looked at one after the other.
    /// `data`: if it is small enough to lie beside its message.
    pub fn look(&mut self, state: &Stored, data: Option<&[u8]>) -> Vec<String> {
        let document = self.document;
        let path = descriptor_text(&state.message, "protocolPath").unwrap_or_default();
        let Some(rules) = document.at(path) else { return Vec::new() };
        let mut wrong = Vec::new();
        if let Some(schema) = rules.schema.as_ref().filter(|_| state.message.get("encryption").is_none()) {
            match data {
                Some(data) => wrong.extend(fits(schema, data).err()),
                None => wrong.push("its data is too large for a schema, or not here".to_owned()),
            }
        }
        match rules.expires.as_ref().map(|expires| expiry::end(expires, &state.message, data)) {
            Some(Ok(end)) if end.is_over(self.now) => wrong.push("it is over".to_owned()),
            Some(Err(why)) => wrong.push(why),
            _ => {}
        }
        wrong.extend(rules.transitions.iter().filter_map(|transitions| {
            let known =
                transitions.moves.iter().flat_map(|one| one.from.iter().chain(&one.to)).chain(&transitions.start);
            let values = values(&format!("tag.{}", transitions.tag), &state.message, None);
            let lost = values.iter().find(|value| !known.clone().any(|one| one == *value))?;
            Some(format!("its `{}` is {lost:?}, from where nothing goes on", transitions.tag))
        }));
        for (n, unique) in rules.unique.iter().enumerate() {
            wrong.extend(self.twice(&format!("{path} {n}"), unique, state));
        }
        wrong
    }

    fn rules(&self, message: &Value) -> Option<&'a Rules> {
        self.document.at(descriptor_text(message, "protocolPath").unwrap_or_default())
    }

    fn twice(&mut self, rule: &str, unique: &Unique, state: &Stored) -> Option<String> {
        let message = &*state.message;
        let of = |name: &String| values(name, message, Some(&state.author));
        let is_asked = unique.only.iter().all(|(name, wanted)| of(name).iter().any(|value| wanted.contains(value)));
        if !is_asked {
            return None;
        }
        let parent = descriptor_text(message, "parentId").filter(|_| unique.within == Within::Parent);
        let mut keys = vec![vec![Scalar::Text(parent.unwrap_or_default().to_owned())]];
        for name in &unique.by {
            let values = of(name);
            keys = keys
                .iter()
                .flat_map(|key| values.iter().map(|value| [&key[..], std::slice::from_ref(value)].concat()))
                .collect();
            keys.truncate(COMBINATIONS_MAX);
        }
        let id = fields::record_id(message)?;
        let mut other = None;
        for key in keys {
            let first = self.first.entry(format!("{rule} {key:?}")).or_insert_with(|| id.to_owned());
            if first != id {
                other.get_or_insert_with(|| first.clone());
            }
        }
        other.map(|other| format!("the record {other} has the same {}", unique.by.join(", ")))
    }
}
