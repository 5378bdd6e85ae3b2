//! Amounts: whole minor units, exact. Never a float.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::{borrow::Cow, fmt, str::FromStr};

/// Digits of an amount in a tag: with zeros before it, so that amounts are compared as texts are.
const DIGITS: usize = 20;

/// Minor units. Written as a text of decimal digits, read from that or from a whole number.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Amount(pub u64);

impl Amount {
    /// As it stands in a tag.
    pub fn tag(self) -> String {
        format!("{:0width$}", self.0, width = DIGITS)
    }

    /// Of a tag.
    pub fn of_tag(tag: &str) -> Option<Self> {
        if tag.len() != DIGITS || !tag.bytes().all(|digit| digit.is_ascii_digit()) {
            return None;
        }
        tag.parse().ok().map(Self)
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Amount {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let is_plain = !text.is_empty() && text.bytes().all(|digit| digit.is_ascii_digit());
        if !is_plain || text.len() > 1 && text.starts_with('0') {
            return Err(
                "an amount is a whole number of minor units, as decimal digits with no sign, point or zero before it"
                    .into(),
            );
        }
        text.parse().map(Self).map_err(|_| format!("an amount is at most {}", u64::MAX))
    }
}

impl Serialize for Amount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Digits;
        impl de::Visitor<'_> for Digits {
            type Value = Amount;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("minor units: decimal digits as a text, or a whole number")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Amount, E> {
                text.parse().map_err(E::custom)
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Amount, E> {
                Ok(Amount(number))
            }
        }
        deserializer.deserialize_any(Digits)
    }
}

impl JsonSchema for Amount {
    fn schema_name() -> Cow<'static, str> {
        "RgbAmount".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "Minor units: decimal digits, at most 18446744073709551615. A whole number is read too.",
            "type": "string",
            "pattern": "^(0|[1-9]\\d{0,19})$"
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn it_is_exact_or_refused() {
        let read = |value| serde_json::from_value::<Amount>(value).map_err(|e| e.to_string());
        assert_eq!(read(json!("18446744073709551615")), Ok(Amount(u64::MAX)));
        assert_eq!(read(json!(7)), Ok(Amount(7)));
        assert_eq!(serde_json::to_value(Amount(7)).expect("JSON"), json!("7"));
        assert!(read(json!("18446744073709551616")).expect_err("too large").contains("at most"));
        for wrong in [
            json!(1.5),
            json!(-1),
            json!("1.5"),
            json!("-1"),
            json!("+1"),
            json!("01"),
            json!(""),
            json!("1e3"),
            json!(null),
        ] {
            assert!(read(wrong.clone()).is_err(), "{wrong}");
        }
        assert_eq!(Amount(5).tag(), "00000000000000000005");
        assert_eq!(Amount::of_tag(&Amount(u64::MAX).tag()), Some(Amount(u64::MAX)));
        assert_eq!((Amount::of_tag("5"), Amount::of_tag("99999999999999999999")), (None, None));
    }
}
