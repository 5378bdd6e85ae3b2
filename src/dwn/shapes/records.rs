//! RecordsRead, RecordsQuery, RecordsSubscribe, RecordsDelete and the filter of records.

use super::{
    values::{CURSOR, DID, TIME, TIMES},
    write::{RECORDS, SIGNED_OR_DELEGATED},
};
use crate::dwn::schema::{ObjectSchema, Others, Shape, Wrong, step};
use serde_json::{Map, Value};

const DATE_SORT: Shape =
    Shape::Choice(&["createdAscending", "createdDescending", "publishedAscending", "publishedDescending"]);

pub(in crate::dwn) static RECORDS_DELETE: Shape = Shape::Object(&ObjectSchema::closed(
    &["authorization", "descriptor"],
    &[
        ("authorization", Shape::Object(&SIGNED_OR_DELEGATED)),
        (
            "descriptor",
            Shape::Object(&ObjectSchema::closed(
                &["interface", "method", "messageTimestamp", "recordId", "prune"],
                &[
                    ("interface", RECORDS),
                    ("method", Shape::Choice(&["Delete"])),
                    ("messageTimestamp", TIME),
                    ("recordId", Shape::Text),
                    ("prune", Shape::Flag),
                ],
            )),
        ),
    ],
));

pub(in crate::dwn) static RECORDS_READ: Shape = Shape::Object(&ObjectSchema::closed(
    &["descriptor"],
    &[
        ("authorization", Shape::Object(&SIGNED_OR_DELEGATED)),
        (
            "descriptor",
            Shape::Object(&ObjectSchema::closed(
                &["interface", "method", "messageTimestamp", "filter"],
                &[
                    ("interface", RECORDS),
                    ("method", Shape::Choice(&["Read"])),
                    ("messageTimestamp", TIME),
                    ("filter", Shape::Object(&RECORDS_FILTER)),
                    // Beyond the dialect: of several records the first in this order.
                    ("dateSort", DATE_SORT),
                ],
            )),
        ),
    ],
));

pub(in crate::dwn) static RECORDS_QUERY: Shape = Shape::Object(&ObjectSchema::closed(
    &["descriptor"],
    &[
        ("authorization", Shape::Object(&SIGNED_OR_DELEGATED)),
        (
            "descriptor",
            Shape::Object(&ObjectSchema::closed(
                &["interface", "method", "messageTimestamp", "filter"],
                &[
                    ("interface", RECORDS),
                    ("method", Shape::Choice(&["Query"])),
                    ("messageTimestamp", TIME),
                    ("filter", Shape::Object(&RECORDS_FILTER)),
                    (
                        "pagination",
                        Shape::Object(&ObjectSchema::closed(
                            &[],
                            &[("limit", Shape::NumberFrom(1.0)), ("cursor", Shape::Object(&CURSOR))],
                        )),
                    ),
                    ("dateSort", DATE_SORT),
                ],
            )),
        ),
    ],
));

pub(in crate::dwn) static RECORDS_SUBSCRIBE: Shape = Shape::Object(&ObjectSchema::closed(
    &["descriptor"],
    &[
        ("authorization", Shape::Object(&SIGNED_OR_DELEGATED)),
        (
            "descriptor",
            Shape::Object(&ObjectSchema::closed(
                &["interface", "method", "messageTimestamp", "filter"],
                &[
                    ("interface", RECORDS),
                    ("method", Shape::Choice(&["Subscribe"])),
                    ("messageTimestamp", TIME),
                    ("filter", Shape::Object(&RECORDS_FILTER)),
                ],
            )),
        ),
    ],
));

static RECORDS_FILTER: ObjectSchema = ObjectSchema {
    min: 1,
    between: Some(publication_date_means_published),
    ..ObjectSchema::closed(
        &[],
        &[
            ("protocol", Shape::Text),
            ("protocolPath", Shape::Text),
            ("author", DIDS),
            ("attester", DID),
            ("recipient", DIDS),
            ("contextId", Shape::Text),
            ("schema", Shape::Text),
            ("tags", Shape::Object(&TAG_FILTERS)),
            ("recordId", Shape::Text),
            ("parentId", Shape::Text),
            ("published", Shape::Flag),
            ("dataFormat", Shape::Text),
            ("dataSize", Shape::Object(&NUMBER_RANGE)),
            ("dataCid", Shape::Text),
            ("dateCreated", Shape::Object(&TIMES)),
            ("datePublished", Shape::Object(&TIMES)),
            ("dateUpdated", Shape::Object(&TIMES)),
        ],
    )
};

const DIDS: Shape = Shape::OneOf(&[DID, Shape::List { min: 0, max: usize::MAX, each: &DID }]);
static TAG_FILTERS: ObjectSchema =
    ObjectSchema { min: 1, others: Others::Are(&TAG_FILTER), ..ObjectSchema::closed(&[], &[]) };
static TAG_FILTER: Shape = Shape::OneOf(&[
    Shape::Text,
    Shape::Number,
    Shape::Flag,
    Shape::Object(&ObjectSchema { min: 1, ..ObjectSchema::closed(&[], &[("startsWith", Shape::Text)]) }),
    Shape::Object(&TEXT_RANGE),
    Shape::Object(&NUMBER_RANGE),
]);
static TEXT_RANGE: ObjectSchema = ObjectSchema {
    min: 1,
    between: Some(one_bound_per_side),
    ..ObjectSchema::closed(&[], &[("gt", Shape::Text), ("gte", Shape::Text), ("lt", Shape::Text), ("lte", Shape::Text)])
};
static NUMBER_RANGE: ObjectSchema = ObjectSchema {
    min: 1,
    between: Some(one_bound_per_side),
    ..ObjectSchema::closed(
        &[],
        &[("gt", Shape::Number), ("gte", Shape::Number), ("lt", Shape::Number), ("lte", Shape::Number)],
    )
};

fn one_bound_per_side(map: &Map<String, Value>, path: &str) -> Result<(), Wrong> {
    let both = |a, b| map.contains_key(a) && map.contains_key(b);
    if both("gt", "gte") || both("lt", "lte") { Err(Wrong::at(path, "must NOT be valid")) } else { Ok(()) }
}

fn publication_date_means_published(map: &Map<String, Value>, path: &str) -> Result<(), Wrong> {
    match map.get("published") {
        Some(published) if map.contains_key("datePublished") && *published != Value::Bool(true) => {
            Err(Wrong::not_allowed_value(&step(path, "published")))
        }
        _ => Ok(()),
    }
}
