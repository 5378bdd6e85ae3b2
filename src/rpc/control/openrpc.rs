//! The table as an OpenRPC document (1.3.2).

use super::{
    examples::filled,
    failure::{COMMON, Kind},
    method::{Entry, Example},
};
use schemars::{SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value, json};

/// Where schemas that several methods share stand in the document.
const SCHEMAS: &str = "/components/schemas";

/// All methods with the schemas of what they take and give, in the order of the table.
pub fn document<On: Sync>(table: &[&[Entry<On>]]) -> Value {
    let settings = SchemaSettings::draft07().with(|settings| {
        settings.definitions_path = SCHEMAS.into();
        settings.meta_schema = None;
    });
    let mut schemas = settings.into_generator();
    let methods: Vec<_> =
        table.iter().flat_map(|group| group.iter()).map(|entry| method(entry, &mut schemas)).collect();
    let named: Map<_, _> = Kind::ALL.iter().map(|(kind, ..)| (kind.name(), error(*kind))).collect();
    json!({
        "openrpc": "1.3.2",
        "info": {
            "title": "toft",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "The methods of a toft node: JSON-RPC 2.0 over its Unix socket, and over HTTP and WebSocket on loopback. \
                x-scope: what a caller must be allowed. x-from: \"socket\" for what no caller over TCP may do.",
            "license": {"name": "MIT OR Apache-2.0"},
        },
        "methods": methods,
        "components": {"schemas": schemas.take_definitions(true), "errors": named},
    })
}

fn method<On: Sync>(entry: &Entry<On>, schemas: &mut SchemaGenerator) -> Value {
    let errors: Vec<_> = COMMON
        .iter()
        .chain(entry.errors)
        .map(|kind| json!({"$ref": format!("#/components/errors/{}", kind.name())}))
        .collect();
    let result = (entry.result)(schemas).to_value();
    json!({
        "name": entry.name,
        "summary": entry.summary,
        "paramStructure": "by-name",
        "params": params(entry, schemas),
        "result": {"name": "result", "schema": result},
        "errors": errors,
        "examples": entry.examples.iter().map(example).collect::<Vec<_>>(),
        "x-scope": entry.scope.to_string(),
        "x-from": entry.from.to_string(),
    })
}

/// Content descriptors, one for each parameter: those that must be given first.
fn params<On: Sync>(entry: &Entry<On>, schemas: &mut SchemaGenerator) -> Vec<Value> {
    let mut schema = (entry.params)(schemas);
    // As the generator does with what it keeps by name.
    schemas.transforms_mut().for_each(|transform| transform.transform(&mut schema));
    let schema = schema.to_value();
    let required: Vec<_> = schema.get("required").and_then(Value::as_array).cloned().unwrap_or_default();
    let properties = schema.get("properties").and_then(Value::as_object).cloned().unwrap_or_default();
    let mut params: Vec<_> = properties
        .into_iter()
        .map(|(name, mut schema)| {
            let description = schema.as_object_mut().and_then(|schema| schema.remove("description"));
            let mut param = json!({"name": name, "required": required.contains(&json!(name)), "schema": schema});
            if let Some(description) = description {
                param["description"] = description;
            }
            param
        })
        .collect();
    params.sort_by_key(|param| param["required"] == false);
    params
}

fn example(example: &Example) -> Value {
    let value = |text: &str| serde_json::from_str::<Value>(&filled(text)).unwrap_or_default();
    let params = value(example.params);
    let params: Vec<_> =
        params.as_object().into_iter().flatten().map(|(name, value)| json!({"name": name, "value": value})).collect();
    json!({"name": example.name, "params": params, "result": {"name": "result", "value": value(example.result)}})
}

fn error(kind: Kind) -> Value {
    let about = Kind::ALL.iter().find(|(one, ..)| *one == kind).map_or("", |(_, _, about)| about);
    json!({"code": kind.code(), "message": about, "data": {"kind": kind.name()}})
}
