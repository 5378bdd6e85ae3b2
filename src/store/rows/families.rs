//! By what, and in which orders, the index finds latest states.

/// By what a latest state is found. Numbers are stored: never reuse one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    All = 0,
    Protocol = 1,
    ProtocolPath = 2,
    Schema = 3,
    Author = 4,
    Recipient = 5,
    Attester = 6,
    Parent = 7,
    Context = 8,
    DataCid = 9,
    Tag = 10,
    Creator = 11,
}

/// Numbers are stored: never reuse one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    DateCreated = 0,
    MessageTimestamp = 1,
    DatePublished = 2,
}

impl Order {
    pub const EACH: [Order; 3] = [Order::DateCreated, Order::MessageTimestamp, Order::DatePublished];

    pub fn property(self) -> &'static str {
        match self {
            Order::DateCreated => "dateCreated",
            Order::MessageTimestamp => "messageTimestamp",
            Order::DatePublished => "datePublished",
        }
    }
}

impl Family {
    /// What its entries are found by.
    pub fn name(self) -> &'static str {
        match self {
            Family::All => "everything",
            Family::Protocol => "protocol",
            Family::ProtocolPath => "protocol and protocolPath",
            Family::Schema => "schema",
            Family::Author => "author",
            Family::Creator => "creator",
            Family::Recipient => "recipient",
            Family::Attester => "attester",
            Family::Parent => "parentId",
            Family::Context => "contextId",
            Family::DataCid => "dataCid",
            Family::Tag => "tag",
        }
    }

    /// Is there an index of this family in this order? The wide families have the two orders that clients can
    /// ask for; the narrow ones are cheap to sort.
    pub fn has(self, order: Order) -> bool {
        match order {
            Order::DateCreated => true,
            Order::DatePublished => matches!(self, Family::All | Family::Protocol | Family::ProtocolPath),
            Order::MessageTimestamp => false,
        }
    }
}

/// Properties whose values are interned: few values, many records.
pub const NUMBERED: [(Family, &str); 6] = [
    (Family::Protocol, "protocol"),
    (Family::Schema, "schema"),
    (Family::Author, "author"),
    (Family::Creator, "creator"),
    (Family::Recipient, "recipient"),
    (Family::Attester, "attester"),
];

/// Properties whose values stand in the key as they are.
pub const SPELLED: [(Family, &str); 2] = [(Family::Parent, "parentId"), (Family::DataCid, "dataCid")];
