//! What an entry of the index says of its row beside its key: what nearly every query asks for, in one byte. So a query that
//! asks for nothing else than this and what stands in the key need not fetch the row.

use super::row::Values;
use crate::dwn::{Cond, IndexValue};

/// Property, text and bit. Bits are stored: never reuse one.
const TEXTS: [(&str, &str, u8); 3] = [("interface", "Records", 1), ("method", "Write", 2), ("method", "Delete", 4)];
/// Property, value and bit.
const FLAGS: [(&str, bool, u8); 2] = [("published", true, 8), ("published", false, 16)];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EntryFlags(u8);

impl EntryFlags {
    pub fn of(values: &Values) -> Self {
        let has = |property: &str, wanted: &dyn Fn(&IndexValue) -> bool| {
            values.get(property).is_some_and(|values| values.iter().any(wanted))
        };
        let texts = TEXTS
            .into_iter()
            .filter(|(property, text, _)| has(property, &|value| matches!(value, IndexValue::String(s) if s == text)));
        let flags =
            FLAGS.into_iter().filter(|(property, flag, _)| has(property, &|value| *value == IndexValue::Bool(*flag)));
        Self(texts.map(|(_, _, bit)| bit).chain(flags.map(|(_, _, bit)| bit)).sum())
    }

    pub fn encode(self) -> Vec<u8> {
        vec![self.0]
    }

    pub fn decode(value: &[u8]) -> Option<Self> {
        value.first().copied().map(Self)
    }

    /// Does the row meet a condition that [`asked`] can be?
    pub fn meet(self, bits: u8) -> bool {
        self.0 & bits != 0
    }
}

/// The bits of which one says that a row meets the condition; `None`: flags do not tell.
pub fn asked(property: &str, cond: &Cond) -> Option<u8> {
    let values = match cond {
        Cond::Equal(value) => std::slice::from_ref(value),
        Cond::OneOf(values) => values,
        Cond::Range { .. } => return None,
    };
    let bit = |value: &IndexValue| match value {
        IndexValue::String(s) => TEXTS.into_iter().find(|(of, text, _)| *of == property && text == s).map(|it| it.2),
        IndexValue::Bool(b) => FLAGS.into_iter().find(|(of, flag, _)| *of == property && flag == b).map(|it| it.2),
        IndexValue::Number(_) => None,
    };
    values.iter().try_fold(0, |bits, value| Some(bits | bit(value)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::{prelude::*, sample::select};

    fn value() -> impl Strategy<Value = IndexValue> {
        prop_oneof![
            select(vec!["Records", "Write", "Delete", "Configure", ""]).prop_map(|s| IndexValue::String(s.into())),
            any::<bool>().prop_map(IndexValue::Bool),
            Just(IndexValue::Number(1.0)),
        ]
    }

    fn values() -> impl Strategy<Value = Vec<IndexValue>> {
        prop::collection::vec(value(), 0..3)
    }

    proptest! {
        #[test]
        fn flags_say_what_the_row_says(
            row in prop::collection::btree_map(select(vec!["interface", "method", "published"]).prop_map(str::to_owned),
                values(), 0..4),
            property in select(vec!["interface", "method", "published", "schema"]),
            wanted in values(),
        ) {
            if let Some(bits) = asked(property, &Cond::OneOf(wanted.clone())) {
                let meets = row.get(property).is_some_and(|values| values.iter().any(|value| wanted.contains(value)));
                let flags = EntryFlags::decode(&EntryFlags::of(&row).encode()).expect("decodes");
                prop_assert_eq!(flags.meet(bits), meets);
            }
        }
    }

    #[test]
    fn an_entry_without_flags_says_nothing() {
        assert_eq!(EntryFlags::decode(&[]), None);
        assert_eq!(asked("method", &Cond::Equal(IndexValue::String("Write".into()))), Some(2));
        assert_eq!(asked("published", &Cond::Equal(IndexValue::Number(1.0))), None);
    }
}
