//! The records of https://toft.invalid/protocols/commerce, typed. Made by `toft protocol gen --lang rust`: make it anew, and do not change it.

#![allow(clippy::enum_variant_names, clippy::too_many_arguments, clippy::large_enum_variant)] // names and numbers are the protocol's

use toft::repo;

/// Role of schema.org.
#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct AuditorData {
    #[serde(rename = "startDate")]
    pub start_date: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    #[serde(rename = "roleName", default, skip_serializing_if = "Option::is_none")]
    pub role_name: Option<String>,
    /// What else is in it.
    #[serde(flatten)]
    pub more: repo::Members,
}

impl AuditorData {
    pub fn new(start_date: impl Into<String>) -> Self {
        Self { start_date: start_date.into(), description: None, role_name: None, more: repo::Members::new() }
    }
}

pub type AuditorTags = repo::Tags;

pub type AuditorTagFilter = repo::AnyTagFilter;

/// Records at auditor
#[derive(Debug, Clone, Copy)]
pub struct Auditor;

impl repo::Place for Auditor {
    const PROTOCOL: &'static str = "https://toft.invalid/protocols/commerce";
    const PATH: &'static str = "auditor";
    const SCHEMA: Option<&'static str> = Some("https://toft.invalid/schemas/commerce/auditor");
    type Data = AuditorData;
    type Tags = AuditorTags;
    type TagFilter = AuditorTagFilter;
    type Parent = ();

    fn encode(data: &Self::Data) -> Result<repo::Blob, repo::Failure> {
        repo::to_json(data, "application/json")
    }

    fn decode(blob: repo::Blob) -> Result<Self::Data, repo::Failure> {
        repo::from_json(&blob)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub enum PaymentDataMethod {
    #[serde(rename = "bolt11")]
    Bolt11,
    #[serde(rename = "bolt12")]
    Bolt12,
    #[serde(rename = "bitcoin")]
    Bitcoin,
    #[serde(rename = "evm")]
    Evm,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub enum PaymentDataPurpose {
    #[serde(rename = "subscription")]
    Subscription,
    #[serde(rename = "purchase")]
    Purchase,
    #[serde(rename = "royalty")]
    Royalty,
    #[serde(rename = "tip")]
    Tip,
}

/// PayAction of schema.org. The reference is a payment hash or the hash of a transaction.
#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct PaymentData {
    pub amount: String,
    pub currency: String,
    pub date: String,
    pub decimals: i64,
    pub method: PaymentDataMethod,
    pub purpose: PaymentDataPurpose,
    pub reference: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preimage: Option<String>,
    /// What else is in it.
    #[serde(flatten)]
    pub more: repo::Members,
}

impl PaymentData {
    pub fn new(amount: impl Into<String>, currency: impl Into<String>, date: impl Into<String>, decimals: i64, method: PaymentDataMethod, purpose: PaymentDataPurpose, reference: impl Into<String>) -> Self {
        Self { amount: amount.into(), currency: currency.into(), date: date.into(), decimals, method, purpose, reference: reference.into(), object: None, preimage: None, more: repo::Members::new() }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub enum PaymentTagsMethod {
    #[serde(rename = "bolt11")]
    Bolt11,
    #[serde(rename = "bolt12")]
    Bolt12,
    #[serde(rename = "bitcoin")]
    Bitcoin,
    #[serde(rename = "evm")]
    Evm,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub enum PaymentTagsPurpose {
    #[serde(rename = "subscription")]
    Subscription,
    #[serde(rename = "purchase")]
    Purchase,
    #[serde(rename = "royalty")]
    Royalty,
    #[serde(rename = "tip")]
    Tip,
}

#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct PaymentTags {
    pub amount: String,
    pub currency: String,
    pub method: PaymentTagsMethod,
    pub purpose: PaymentTagsPurpose,
    pub reference: String,
}

impl PaymentTags {
    pub fn new(amount: impl Into<String>, currency: impl Into<String>, method: PaymentTagsMethod, purpose: PaymentTagsPurpose, reference: impl Into<String>) -> Self {
        Self { amount: amount.into(), currency: currency.into(), method, purpose, reference: reference.into() }
    }
}

#[derive(Debug, Clone, PartialEq, Default, repo::serde::Serialize)]
#[serde(crate = "toft::repo::serde")]
pub struct PaymentTagFilter {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub amount: Option<repo::TextFilter>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub currency: Option<repo::TextFilter>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<PaymentTagsMethod>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub purpose: Option<PaymentTagsPurpose>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference: Option<repo::TextFilter>,
}

/// Records at payment
#[derive(Debug, Clone, Copy)]
pub struct Payment;

impl repo::Place for Payment {
    const PROTOCOL: &'static str = "https://toft.invalid/protocols/commerce";
    const PATH: &'static str = "payment";
    const SCHEMA: Option<&'static str> = Some("https://toft.invalid/schemas/commerce/payment");
    type Data = PaymentData;
    type Tags = PaymentTags;
    type TagFilter = PaymentTagFilter;
    type Parent = ();

    fn encode(data: &Self::Data) -> Result<repo::Blob, repo::Failure> {
        repo::to_json(data, "application/json")
    }

    fn decode(blob: repo::Blob) -> Result<Self::Data, repo::Failure> {
        repo::from_json(&blob)
    }
}

/// What was kept of the payment, by whom
#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct PaymentFeeData {
    pub amount: String,
    pub currency: String,
    pub date: String,
    pub decimals: i64,
    #[serde(rename = "basisPoints", default, skip_serializing_if = "Option::is_none")]
    pub basis_points: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payee: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// What else is in it.
    #[serde(flatten)]
    pub more: repo::Members,
}

impl PaymentFeeData {
    pub fn new(amount: impl Into<String>, currency: impl Into<String>, date: impl Into<String>, decimals: i64) -> Self {
        Self { amount: amount.into(), currency: currency.into(), date: date.into(), decimals, basis_points: None, payee: None, reference: None, more: repo::Members::new() }
    }
}

#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct PaymentFeeTags {
    pub amount: String,
    pub currency: String,
    #[serde(rename = "basisPoints", default, skip_serializing_if = "Option::is_none")]
    pub basis_points: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
}

impl PaymentFeeTags {
    pub fn new(amount: impl Into<String>, currency: impl Into<String>) -> Self {
        Self { amount: amount.into(), currency: currency.into(), basis_points: None, reference: None }
    }
}

#[derive(Debug, Clone, PartialEq, Default, repo::serde::Serialize)]
#[serde(crate = "toft::repo::serde")]
pub struct PaymentFeeTagFilter {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub amount: Option<repo::TextFilter>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub currency: Option<repo::TextFilter>,
    #[serde(rename = "basisPoints", skip_serializing_if = "Option::is_none")]
    pub basis_points: Option<repo::NumberFilter<i64>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference: Option<repo::TextFilter>,
}

/// Records at payment/fee
#[derive(Debug, Clone, Copy)]
pub struct PaymentFee;

impl repo::Place for PaymentFee {
    const PROTOCOL: &'static str = "https://toft.invalid/protocols/commerce";
    const PATH: &'static str = "payment/fee";
    const SCHEMA: Option<&'static str> = Some("https://toft.invalid/schemas/commerce/fee");
    type Data = PaymentFeeData;
    type Tags = PaymentFeeTags;
    type TagFilter = PaymentFeeTagFilter;
    type Parent = String;

    fn encode(data: &Self::Data) -> Result<repo::Blob, repo::Failure> {
        repo::to_json(data, "application/json")
    }

    fn decode(blob: repo::Blob) -> Result<Self::Data, repo::Failure> {
        repo::from_json(&blob)
    }
}

/// That the payment was given back, all or in part
#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct PaymentRefundData {
    pub amount: String,
    pub currency: String,
    pub date: String,
    pub decimals: i64,
    pub reference: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What else is in it.
    #[serde(flatten)]
    pub more: repo::Members,
}

impl PaymentRefundData {
    pub fn new(amount: impl Into<String>, currency: impl Into<String>, date: impl Into<String>, decimals: i64, reference: impl Into<String>) -> Self {
        Self { amount: amount.into(), currency: currency.into(), date: date.into(), decimals, reference: reference.into(), reason: None, more: repo::Members::new() }
    }
}

#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct PaymentRefundTags {
    pub amount: String,
    pub currency: String,
    pub reference: String,
}

impl PaymentRefundTags {
    pub fn new(amount: impl Into<String>, currency: impl Into<String>, reference: impl Into<String>) -> Self {
        Self { amount: amount.into(), currency: currency.into(), reference: reference.into() }
    }
}

#[derive(Debug, Clone, PartialEq, Default, repo::serde::Serialize)]
#[serde(crate = "toft::repo::serde")]
pub struct PaymentRefundTagFilter {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub amount: Option<repo::TextFilter>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub currency: Option<repo::TextFilter>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference: Option<repo::TextFilter>,
}

/// Records at payment/refund
#[derive(Debug, Clone, Copy)]
pub struct PaymentRefund;

impl repo::Place for PaymentRefund {
    const PROTOCOL: &'static str = "https://toft.invalid/protocols/commerce";
    const PATH: &'static str = "payment/refund";
    const SCHEMA: Option<&'static str> = Some("https://toft.invalid/schemas/commerce/refund");
    type Data = PaymentRefundData;
    type Tags = PaymentRefundTags;
    type TagFilter = PaymentRefundTagFilter;
    type Parent = String;

    fn encode(data: &Self::Data) -> Result<repo::Blob, repo::Failure> {
        repo::to_json(data, "application/json")
    }

    fn decode(blob: repo::Blob) -> Result<Self::Data, repo::Failure> {
        repo::from_json(&blob)
    }
}

/// MoneyTransfer of schema.org. The sum of the payments named, less their fees and refunds.
#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct PayoutData {
    pub amount: String,
    pub currency: String,
    pub date: String,
    pub decimals: i64,
    pub payments: Vec<String>,
    pub reference: String,
    #[serde(rename = "periodEnd", default, skip_serializing_if = "Option::is_none")]
    pub period_end: Option<String>,
    #[serde(rename = "periodStart", default, skip_serializing_if = "Option::is_none")]
    pub period_start: Option<String>,
    /// What else is in it.
    #[serde(flatten)]
    pub more: repo::Members,
}

impl PayoutData {
    pub fn new(amount: impl Into<String>, currency: impl Into<String>, date: impl Into<String>, decimals: i64, payments: Vec<String>, reference: impl Into<String>) -> Self {
        Self { amount: amount.into(), currency: currency.into(), date: date.into(), decimals, payments, reference: reference.into(), period_end: None, period_start: None, more: repo::Members::new() }
    }
}

#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct PayoutTags {
    pub amount: String,
    pub currency: String,
    pub reference: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub period: Option<String>,
}

impl PayoutTags {
    pub fn new(amount: impl Into<String>, currency: impl Into<String>, reference: impl Into<String>) -> Self {
        Self { amount: amount.into(), currency: currency.into(), reference: reference.into(), period: None }
    }
}

#[derive(Debug, Clone, PartialEq, Default, repo::serde::Serialize)]
#[serde(crate = "toft::repo::serde")]
pub struct PayoutTagFilter {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub amount: Option<repo::TextFilter>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub currency: Option<repo::TextFilter>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference: Option<repo::TextFilter>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub period: Option<repo::TextFilter>,
}

/// Records at payout
#[derive(Debug, Clone, Copy)]
pub struct Payout;

impl repo::Place for Payout {
    const PROTOCOL: &'static str = "https://toft.invalid/protocols/commerce";
    const PATH: &'static str = "payout";
    const SCHEMA: Option<&'static str> = Some("https://toft.invalid/schemas/commerce/payout");
    type Data = PayoutData;
    type Tags = PayoutTags;
    type TagFilter = PayoutTagFilter;
    type Parent = ();

    fn encode(data: &Self::Data) -> Result<repo::Blob, repo::Failure> {
        repo::to_json(data, "application/json")
    }

    fn decode(blob: repo::Blob) -> Result<Self::Data, repo::Failure> {
        repo::from_json(&blob)
    }
}

/// All of its records.
#[derive(Debug, Clone)]
pub struct CommerceProtocol {
    access: repo::Access,
}

impl CommerceProtocol {
    pub fn new(access: impl Into<repo::Access>) -> Self {
        Self { access: access.into() }
    }

    pub fn access(&self) -> &repo::Access {
        &self.access
    }

    /// auditor
    pub fn auditor(&self) -> repo::Records<Auditor> {
        repo::Records::new(&self.access)
    }

    /// payment
    pub fn payment(&self) -> repo::Records<Payment> {
        repo::Records::new(&self.access)
    }

    /// payment/fee
    pub fn payment_fee(&self) -> repo::Records<PaymentFee> {
        repo::Records::new(&self.access)
    }

    /// payment/refund
    pub fn payment_refund(&self) -> repo::Records<PaymentRefund> {
        repo::Records::new(&self.access)
    }

    /// payout
    pub fn payout(&self) -> repo::Records<Payout> {
        repo::Records::new(&self.access)
    }
}
