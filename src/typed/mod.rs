//! Typed access to the records of a protocol: a module of code in Rust, TypeScript or Python, made from a definition and the JSON
//! Schemas of its data.
//!
//! Both are foreign: what stands in them becomes names (`names.rs`), texts in quotes and comments of one line, and never code. The
//! classes that do the work are written by hand (`repo`, `clients/ts`, `clients/python`); what is made here is their types.

mod names;
mod shape;
mod model;
mod typescript;
mod python;
mod rust;
#[cfg(test)]
mod tests;

pub use model::{Schemas, Unfit};

use serde_json::{Map, Value};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    Rust,
    TypeScript,
    Python,
}

/// A module for a definition, with types of the data that there are schemas of.
pub fn module(language: Language, definition: &Map<String, Value>, schemas: &Schemas) -> Result<String, Unfit> {
    match language {
        Language::Rust => rust::module(definition, schemas),
        Language::TypeScript => typescript::module(definition, schemas),
        Language::Python => python::module(definition, schemas),
    }
}
