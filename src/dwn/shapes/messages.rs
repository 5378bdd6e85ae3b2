//! MessagesQuery, MessagesRead and MessagesSubscribe.

use super::{
    signatures::SIGNED,
    values::{CURSOR, TIME, TIMES},
};
use crate::dwn::schema::{ObjectSchema, Shape};

const MESSAGES: Shape = Shape::Choice(&["Messages"]);

pub(in crate::dwn) static MESSAGES_QUERY: Shape = Shape::Object(&ObjectSchema::closed(
    &["authorization", "descriptor"],
    &[
        ("authorization", Shape::Object(&SIGNED)),
        (
            "descriptor",
            Shape::Object(&ObjectSchema::closed(
                &["interface", "method", "messageTimestamp", "filters"],
                &[
                    ("interface", MESSAGES),
                    ("method", Shape::Choice(&["Query"])),
                    ("messageTimestamp", TIME),
                    ("filters", Shape::List { min: 0, max: usize::MAX, each: &Shape::Object(&MESSAGES_FILTER) }),
                    ("cursor", Shape::Object(&CURSOR)),
                    // Beyond the dialect: at most so many, and the cursor goes on from there.
                    ("limit", Shape::NumberFrom(1.0)),
                ],
            )),
        ),
    ],
));

static MESSAGES_FILTER: ObjectSchema = ObjectSchema {
    min: 1,
    ..ObjectSchema::closed(
        &[],
        &[
            ("interface", Shape::Choice(&["Protocols", "Records"])),
            ("method", Shape::Choice(&["Configure", "Delete", "Write"])),
            ("protocol", Shape::Text),
            ("messageTimestamp", Shape::Object(&TIMES)),
        ],
    )
};

pub(in crate::dwn) static MESSAGES_READ: Shape = Shape::Object(&ObjectSchema::closed(
    &["authorization", "descriptor"],
    &[
        ("authorization", Shape::Object(&SIGNED)),
        (
            "descriptor",
            Shape::Object(&ObjectSchema::closed(
                &["interface", "method", "messageTimestamp"],
                &[
                    ("interface", MESSAGES),
                    ("method", Shape::Choice(&["Read"])),
                    ("messageTimestamp", TIME),
                    ("messageCid", Shape::Text),
                ],
            )),
        ),
    ],
));

pub(in crate::dwn) static MESSAGES_SUBSCRIBE: Shape = Shape::Object(&ObjectSchema::closed(
    &["descriptor", "authorization"],
    &[
        ("authorization", Shape::Object(&SIGNED)),
        (
            "descriptor",
            Shape::Object(&ObjectSchema::closed(
                &["interface", "method", "messageTimestamp", "filters"],
                &[
                    ("interface", MESSAGES),
                    ("method", Shape::Choice(&["Subscribe"])),
                    // No shape of a time: the dialect forgot it, and looks at the time all the same later.
                    ("messageTimestamp", Shape::Text),
                    ("filters", Shape::List { min: 0, max: usize::MAX, each: &Shape::Object(&MESSAGES_FILTER) }),
                ],
            )),
        ),
    ],
));
