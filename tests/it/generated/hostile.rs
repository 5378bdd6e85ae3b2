//! The records of https://a.example/class, typed. Made by `toft protocol gen --lang rust`: make it anew, and do not change it.

#![allow(clippy::enum_variant_names, clippy::too_many_arguments, clippy::large_enum_variant)] // names and numbers are the protocol's

use toft::repo;

pub type XData = repo::Blob;

pub type XTags = repo::Tags;

pub type XTagFilter = repo::AnyTagFilter;

/// Records at x '''
#[derive(Debug, Clone, Copy)]
pub struct X;

impl repo::Place for X {
    const PROTOCOL: &'static str = "https://a.example/class";
    const PATH: &'static str = "\"* x\u{a}'''";
    const SCHEMA: Option<&'static str> = None;
    type Data = XData;
    type Tags = XTags;
    type TagFilter = XTagFilter;
    type Parent = ();

    fn encode(data: &Self::Data) -> Result<repo::Blob, repo::Failure> {
        Ok(data.clone())
    }

    fn decode(blob: repo::Blob) -> Result<Self::Data, repo::Failure> {
        Ok(blob)
    }
}

pub type String2Data = repo::Blob;

pub type String2Tags = repo::Tags;

pub type String2TagFilter = repo::AnyTagFilter;

/// Records at String
#[derive(Debug, Clone, Copy)]
pub struct String2;

impl repo::Place for String2 {
    const PROTOCOL: &'static str = "https://a.example/class";
    const PATH: &'static str = "String";
    const SCHEMA: Option<&'static str> = None;
    type Data = String2Data;
    type Tags = String2Tags;
    type TagFilter = String2TagFilter;
    type Parent = ();

    fn encode(data: &Self::Data) -> Result<repo::Blob, repo::Failure> {
        Ok(data.clone())
    }

    fn decode(blob: repo::Blob) -> Result<Self::Data, repo::Failure> {
        Ok(blob)
    }
}

pub type String3Data = repo::Blob;

pub type String3Tags = repo::Tags;

pub type String3TagFilter = repo::AnyTagFilter;

/// Records at String/日本
#[derive(Debug, Clone, Copy)]
pub struct String3;

impl repo::Place for String3 {
    const PROTOCOL: &'static str = "https://a.example/class";
    const PATH: &'static str = "String/\u{65e5}\u{672c}";
    const SCHEMA: Option<&'static str> = None;
    type Data = String3Data;
    type Tags = String3Tags;
    type TagFilter = String3TagFilter;
    type Parent = String;

    fn encode(data: &Self::Data) -> Result<repo::Blob, repo::Failure> {
        Ok(data.clone())
    }

    fn decode(blob: repo::Blob) -> Result<Self::Data, repo::Failure> {
        Ok(blob)
    }
}

pub type ClassData = repo::Blob;

#[derive(Debug, Clone, Copy, PartialEq, Eq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub enum ClassTagsType {
    #[serde(rename = "\"")]
    Is,
    #[serde(rename = "\\")]
    Is2,
    #[serde(rename = "\u{a}")]
    Is3,
    #[serde(rename = "*/")]
    Is4,
    #[serde(rename = "'''")]
    Is5,
    #[serde(rename = "\u{2028}")]
    Is6,
}

#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct ClassTags {
    #[serde(rename = "type")]
    pub type_: ClassTagsType,
    #[serde(rename = "\"\u{a}*/")]
    pub field: repo::Json,
    #[serde(rename = "__proto__", default, skip_serializing_if = "Option::is_none")]
    pub proto: Option<bool>,
    #[serde(rename = "self", default, skip_serializing_if = "Option::is_none")]
    pub self_: Option<f64>,
    #[serde(rename = "\u{65e5}", default, skip_serializing_if = "Option::is_none")]
    pub field2: Option<String>,
}

impl ClassTags {
    pub fn new(type_: ClassTagsType, field: repo::Json) -> Self {
        Self { type_, field, proto: None, self_: None, field2: None }
    }
}

#[derive(Debug, Clone, PartialEq, Default, repo::serde::Serialize)]
#[serde(crate = "toft::repo::serde")]
pub struct ClassTagFilter {
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub type_: Option<ClassTagsType>,
    #[serde(rename = "\"\u{a}*/", skip_serializing_if = "Option::is_none")]
    pub field: Option<repo::AnyFilter>,
    #[serde(rename = "__proto__", skip_serializing_if = "Option::is_none")]
    pub proto: Option<bool>,
    #[serde(rename = "self", skip_serializing_if = "Option::is_none")]
    pub self_: Option<repo::NumberFilter<f64>>,
    #[serde(rename = "\u{65e5}", skip_serializing_if = "Option::is_none")]
    pub field2: Option<repo::TextFilter>,
}

/// Records at class
#[derive(Debug, Clone, Copy)]
pub struct Class;

impl repo::Place for Class {
    const PROTOCOL: &'static str = "https://a.example/class";
    const PATH: &'static str = "class";
    const SCHEMA: Option<&'static str> = None;
    type Data = ClassData;
    type Tags = ClassTags;
    type TagFilter = ClassTagFilter;
    type Parent = ();

    fn encode(data: &Self::Data) -> Result<repo::Blob, repo::Failure> {
        Ok(data.clone())
    }

    fn decode(blob: repo::Blob) -> Result<Self::Data, repo::Failure> {
        Ok(blob)
    }
}

pub type ClassSelfData = repo::Blob;

pub type ClassSelfTags = repo::Tags;

pub type ClassSelfTagFilter = repo::AnyTagFilter;

/// Records at class/self
#[derive(Debug, Clone, Copy)]
pub struct ClassSelf;

impl repo::Place for ClassSelf {
    const PROTOCOL: &'static str = "https://a.example/class";
    const PATH: &'static str = "class/self";
    const SCHEMA: Option<&'static str> = None;
    type Data = ClassSelfData;
    type Tags = ClassSelfTags;
    type TagFilter = ClassSelfTagFilter;
    type Parent = String;

    fn encode(data: &Self::Data) -> Result<repo::Blob, repo::Failure> {
        Ok(data.clone())
    }

    fn decode(blob: repo::Blob) -> Result<Self::Data, repo::Failure> {
        Ok(blob)
    }
}

#[derive(Debug, Clone, PartialEq, Default, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct ClassSelfConstructorDataFieldObject {
    #[serde(rename = "fn", default, skip_serializing_if = "Option::is_none")]
    pub fn_: Option<()>,
    /// What else is in it.
    #[serde(flatten)]
    pub more: repo::Members,
}

#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde", untagged)]
pub enum ClassSelfConstructorDataField {
    Text(String),
    Object(ClassSelfConstructorDataFieldObject),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub enum ClassSelfConstructorDataType {
    #[serde(rename = "self")]
    Self2,
    #[serde(rename = "Self")]
    Self3,
    #[serde(rename = "none")]
    None,
    #[serde(rename = "None")]
    None2,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub enum ClassSelfConstructorDataDef {
    #[serde(rename = "self")]
    Self2,
    #[serde(rename = "Self")]
    Self3,
    #[serde(rename = "none")]
    None,
    #[serde(rename = "None")]
    None2,
}

#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde", untagged)]
pub enum ClassSelfConstructorDataMoreItem {
    Integer(i64),
    Flag(bool),
}

/// /
#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct ClassSelfConstructorData {
    #[serde(rename = "*/")]
    pub field: ClassSelfConstructorDataField,
    #[serde(rename = "type")]
    pub type_: ClassSelfConstructorDataType,
    #[serde(rename = "__class__", default, skip_serializing_if = "Option::is_none")]
    pub class: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub def: Option<ClassSelfConstructorDataDef>,
    #[serde(rename = "more", default, skip_serializing_if = "Option::is_none")]
    pub more_: Option<Vec<ClassSelfConstructorDataMoreItem>>,
}

impl ClassSelfConstructorData {
    pub fn new(field: ClassSelfConstructorDataField, type_: ClassSelfConstructorDataType) -> Self {
        Self { field, type_, class: None, def: None, more_: None }
    }
}

pub type ClassSelfConstructorTags = repo::Tags;

pub type ClassSelfConstructorTagFilter = repo::AnyTagFilter;

/// Records at class/self/constructor
#[derive(Debug, Clone, Copy)]
pub struct ClassSelfConstructor;

impl repo::Place for ClassSelfConstructor {
    const PROTOCOL: &'static str = "https://a.example/class";
    const PATH: &'static str = "class/self/constructor";
    const SCHEMA: Option<&'static str> = Some("https://a.example/c");
    type Data = ClassSelfConstructorData;
    type Tags = ClassSelfConstructorTags;
    type TagFilter = ClassSelfConstructorTagFilter;
    type Parent = String;

    fn encode(data: &Self::Data) -> Result<repo::Blob, repo::Failure> {
        repo::to_json(data, "application/json")
    }

    fn decode(blob: repo::Blob) -> Result<Self::Data, repo::Failure> {
        repo::from_json(&blob)
    }
}

#[derive(Debug, Clone, PartialEq, Default, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct ConstructorDataFieldObject {
    #[serde(rename = "fn", default, skip_serializing_if = "Option::is_none")]
    pub fn_: Option<()>,
    /// What else is in it.
    #[serde(flatten)]
    pub more: repo::Members,
}

#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde", untagged)]
pub enum ConstructorDataField {
    Text(String),
    Object(ConstructorDataFieldObject),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub enum ConstructorDataType {
    #[serde(rename = "self")]
    Self2,
    #[serde(rename = "Self")]
    Self3,
    #[serde(rename = "none")]
    None,
    #[serde(rename = "None")]
    None2,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub enum ConstructorDataDef {
    #[serde(rename = "self")]
    Self2,
    #[serde(rename = "Self")]
    Self3,
    #[serde(rename = "none")]
    None,
    #[serde(rename = "None")]
    None2,
}

#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde", untagged)]
pub enum ConstructorDataMoreItem {
    Integer(i64),
    Flag(bool),
}

/// /
#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct ConstructorData {
    #[serde(rename = "*/")]
    pub field: ConstructorDataField,
    #[serde(rename = "type")]
    pub type_: ConstructorDataType,
    #[serde(rename = "__class__", default, skip_serializing_if = "Option::is_none")]
    pub class: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub def: Option<ConstructorDataDef>,
    #[serde(rename = "more", default, skip_serializing_if = "Option::is_none")]
    pub more_: Option<Vec<ConstructorDataMoreItem>>,
}

impl ConstructorData {
    pub fn new(field: ConstructorDataField, type_: ConstructorDataType) -> Self {
        Self { field, type_, class: None, def: None, more_: None }
    }
}

#[derive(Debug, Clone, PartialEq, Default, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct ConstructorTags {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub def: Option<String>,
    /// What else is in it.
    #[serde(flatten)]
    pub more: repo::Tags,
}

#[derive(Debug, Clone, PartialEq, Default, repo::serde::Serialize)]
#[serde(crate = "toft::repo::serde")]
pub struct ConstructorTagFilter {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub def: Option<repo::TextFilter>,
    /// What else is in it.
    #[serde(flatten)]
    pub more: repo::AnyTagFilter,
}

/// Records at constructor
#[derive(Debug, Clone, Copy)]
pub struct Constructor;

impl repo::Place for Constructor {
    const PROTOCOL: &'static str = "https://a.example/class";
    const PATH: &'static str = "constructor";
    const SCHEMA: Option<&'static str> = Some("https://a.example/c");
    type Data = ConstructorData;
    type Tags = ConstructorTags;
    type TagFilter = ConstructorTagFilter;
    type Parent = ();

    fn encode(data: &Self::Data) -> Result<repo::Blob, repo::Failure> {
        repo::to_json(data, "application/json")
    }

    fn decode(blob: repo::Blob) -> Result<Self::Data, repo::Failure> {
        repo::from_json(&blob)
    }
}

pub type TypeData = repo::Blob;

pub type TypeTags = repo::Tags;

pub type TypeTagFilter = repo::AnyTagFilter;

/// Records at 日本
#[derive(Debug, Clone, Copy)]
pub struct Type;

impl repo::Place for Type {
    const PROTOCOL: &'static str = "https://a.example/class";
    const PATH: &'static str = "\u{65e5}\u{672c}";
    const SCHEMA: Option<&'static str> = None;
    type Data = TypeData;
    type Tags = TypeTags;
    type TagFilter = TypeTagFilter;
    type Parent = ();

    fn encode(data: &Self::Data) -> Result<repo::Blob, repo::Failure> {
        Ok(data.clone())
    }

    fn decode(blob: repo::Blob) -> Result<Self::Data, repo::Failure> {
        Ok(blob)
    }
}

/// All of its records.
#[derive(Debug, Clone)]
pub struct ClassProtocol {
    access: repo::Access,
}

impl ClassProtocol {
    pub fn new(access: impl Into<repo::Access>) -> Self {
        Self { access: access.into() }
    }

    pub fn access(&self) -> &repo::Access {
        &self.access
    }

    /// x '''
    pub fn x(&self) -> repo::Records<X> {
        repo::Records::new(&self.access)
    }

    /// String
    pub fn string2(&self) -> repo::Records<String2> {
        repo::Records::new(&self.access)
    }

    /// String/日本
    pub fn string3(&self) -> repo::Records<String3> {
        repo::Records::new(&self.access)
    }

    /// class
    pub fn class(&self) -> repo::Records<Class> {
        repo::Records::new(&self.access)
    }

    /// class/self
    pub fn class_self(&self) -> repo::Records<ClassSelf> {
        repo::Records::new(&self.access)
    }

    /// class/self/constructor
    pub fn class_self_constructor(&self) -> repo::Records<ClassSelfConstructor> {
        repo::Records::new(&self.access)
    }

    /// constructor
    pub fn constructor(&self) -> repo::Records<Constructor> {
        repo::Records::new(&self.access)
    }

    /// 日本
    pub fn type_(&self) -> repo::Records<Type> {
        repo::Records::new(&self.access)
    }
}
