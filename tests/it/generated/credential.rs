//! The records of https://toft.invalid/protocols/credential, typed. Made by `toft protocol gen --lang rust`: make it anew, and do not change it.

#![allow(clippy::enum_variant_names, clippy::too_many_arguments, clippy::large_enum_variant)] // names and numbers are the protocol's

use toft::repo;

#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde", untagged)]
pub enum CredentialDataCredentialSubject {
    Object(std::collections::BTreeMap<String, repo::Json>),
    List(Vec<repo::Json>),
}

#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct CredentialDataIssuerObject {
    pub id: String,
    /// What else is in it.
    #[serde(flatten)]
    pub more: repo::Members,
}

impl CredentialDataIssuerObject {
    pub fn new(id: impl Into<String>) -> Self {
        Self { id: id.into(), more: repo::Members::new() }
    }
}

#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde", untagged)]
pub enum CredentialDataIssuer {
    Text(String),
    Object(CredentialDataIssuerObject),
}

#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde", untagged)]
pub enum CredentialDataProof {
    Object(std::collections::BTreeMap<String, repo::Json>),
    List(Vec<repo::Json>),
}

/// VerifiableCredential of the W3C data model 2.0. As JSON; the secured forms are checked by a verifier.
#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct CredentialData {
    #[serde(rename = "@context")]
    pub context: Vec<repo::Json>,
    #[serde(rename = "credentialSubject")]
    pub credential_subject: CredentialDataCredentialSubject,
    pub issuer: CredentialDataIssuer,
    #[serde(rename = "type")]
    pub type_: Vec<String>,
    #[serde(rename = "credentialSchema", default, skip_serializing_if = "Option::is_none")]
    pub credential_schema: Option<std::collections::BTreeMap<String, repo::Json>>,
    #[serde(rename = "credentialStatus", default, skip_serializing_if = "Option::is_none")]
    pub credential_status: Option<std::collections::BTreeMap<String, repo::Json>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<CredentialDataProof>,
    #[serde(rename = "validFrom", default, skip_serializing_if = "Option::is_none")]
    pub valid_from: Option<String>,
    #[serde(rename = "validUntil", default, skip_serializing_if = "Option::is_none")]
    pub valid_until: Option<String>,
    /// What else is in it.
    #[serde(flatten)]
    pub more: repo::Members,
}

impl CredentialData {
    pub fn new(context: Vec<repo::Json>, credential_subject: CredentialDataCredentialSubject, issuer: CredentialDataIssuer, type_: Vec<String>) -> Self {
        Self { context, credential_subject, issuer, type_, credential_schema: None, credential_status: None, id: None, proof: None, valid_from: None, valid_until: None, more: repo::Members::new() }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub enum CredentialTagsCredentialType {
    #[serde(rename = "education")]
    Education,
    #[serde(rename = "employment")]
    Employment,
    #[serde(rename = "financial")]
    Financial,
    #[serde(rename = "identity")]
    Identity,
    #[serde(rename = "health")]
    Health,
}

#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct CredentialTags {
    #[serde(rename = "credentialHash")]
    pub credential_hash: String,
    #[serde(rename = "credentialType")]
    pub credential_type: CredentialTagsCredentialType,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cid: Option<String>,
    #[serde(rename = "credentialSchema", default, skip_serializing_if = "Option::is_none")]
    pub credential_schema: Option<String>,
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub type_: Option<String>,
    #[serde(rename = "validUntil", default, skip_serializing_if = "Option::is_none")]
    pub valid_until: Option<String>,
}

impl CredentialTags {
    pub fn new(credential_hash: impl Into<String>, credential_type: CredentialTagsCredentialType) -> Self {
        Self { credential_hash: credential_hash.into(), credential_type, cid: None, credential_schema: None, type_: None, valid_until: None }
    }
}

#[derive(Debug, Clone, PartialEq, Default, repo::serde::Serialize)]
#[serde(crate = "toft::repo::serde")]
pub struct CredentialTagFilter {
    #[serde(rename = "credentialHash", skip_serializing_if = "Option::is_none")]
    pub credential_hash: Option<repo::TextFilter>,
    #[serde(rename = "credentialType", skip_serializing_if = "Option::is_none")]
    pub credential_type: Option<CredentialTagsCredentialType>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cid: Option<repo::TextFilter>,
    #[serde(rename = "credentialSchema", skip_serializing_if = "Option::is_none")]
    pub credential_schema: Option<repo::TextFilter>,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub type_: Option<repo::TextFilter>,
    #[serde(rename = "validUntil", skip_serializing_if = "Option::is_none")]
    pub valid_until: Option<repo::TextFilter>,
}

/// Records at credential
#[derive(Debug, Clone, Copy)]
pub struct Credential;

impl repo::Place for Credential {
    const PROTOCOL: &'static str = "https://toft.invalid/protocols/credential";
    const PATH: &'static str = "credential";
    const SCHEMA: Option<&'static str> = Some("https://toft.invalid/schemas/credential/credential");
    type Data = CredentialData;
    type Tags = CredentialTags;
    type TagFilter = CredentialTagFilter;
    type Parent = ();

    fn encode(data: &Self::Data) -> Result<repo::Blob, repo::Failure> {
        repo::to_json(data, "application/json")
    }

    fn decode(blob: repo::Blob) -> Result<Self::Data, repo::Failure> {
        repo::from_json(&blob)
    }
}

pub type CredentialProofData = repo::Blob;

#[derive(Debug, Clone, Copy, PartialEq, Eq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub enum CredentialProofTagsKind {
    #[serde(rename = "proof")]
    Proof,
    #[serde(rename = "publicInputs")]
    PublicInputs,
    #[serde(rename = "verificationKey")]
    VerificationKey,
}

#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct CredentialProofTags {
    pub kind: CredentialProofTagsKind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub circuit: Option<String>,
}

impl CredentialProofTags {
    pub fn new(kind: CredentialProofTagsKind) -> Self {
        Self { kind, circuit: None }
    }
}

#[derive(Debug, Clone, PartialEq, Default, repo::serde::Serialize)]
#[serde(crate = "toft::repo::serde")]
pub struct CredentialProofTagFilter {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<CredentialProofTagsKind>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub circuit: Option<repo::TextFilter>,
}

/// Records at credential/proof
#[derive(Debug, Clone, Copy)]
pub struct CredentialProof;

impl repo::Place for CredentialProof {
    const PROTOCOL: &'static str = "https://toft.invalid/protocols/credential";
    const PATH: &'static str = "credential/proof";
    const SCHEMA: Option<&'static str> = None;
    type Data = CredentialProofData;
    type Tags = CredentialProofTags;
    type TagFilter = CredentialProofTagFilter;
    type Parent = String;

    fn encode(data: &Self::Data) -> Result<repo::Blob, repo::Failure> {
        Ok(data.clone())
    }

    fn decode(blob: repo::Blob) -> Result<Self::Data, repo::Failure> {
        Ok(blob)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub enum CredentialRevocationDataReason {
    #[serde(rename = "keyCompromise")]
    KeyCompromise,
    #[serde(rename = "superseded")]
    Superseded,
    #[serde(rename = "holderRequest")]
    HolderRequest,
    #[serde(rename = "error")]
    Error,
    #[serde(rename = "other")]
    Other,
}

/// That the credential no longer holds
#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct CredentialRevocationData {
    pub date: String,
    pub reason: CredentialRevocationDataReason,
    #[serde(rename = "credentialHash", default, skip_serializing_if = "Option::is_none")]
    pub credential_hash: Option<String>,
    /// What else is in it.
    #[serde(flatten)]
    pub more: repo::Members,
}

impl CredentialRevocationData {
    pub fn new(date: impl Into<String>, reason: CredentialRevocationDataReason) -> Self {
        Self { date: date.into(), reason, credential_hash: None, more: repo::Members::new() }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub enum CredentialRevocationTagsReason {
    #[serde(rename = "keyCompromise")]
    KeyCompromise,
    #[serde(rename = "superseded")]
    Superseded,
    #[serde(rename = "holderRequest")]
    HolderRequest,
    #[serde(rename = "error")]
    Error,
    #[serde(rename = "other")]
    Other,
}

#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct CredentialRevocationTags {
    pub reason: CredentialRevocationTagsReason,
}

impl CredentialRevocationTags {
    pub fn new(reason: CredentialRevocationTagsReason) -> Self {
        Self { reason }
    }
}

#[derive(Debug, Clone, PartialEq, Default, repo::serde::Serialize)]
#[serde(crate = "toft::repo::serde")]
pub struct CredentialRevocationTagFilter {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<CredentialRevocationTagsReason>,
}

/// Records at credential/revocation
#[derive(Debug, Clone, Copy)]
pub struct CredentialRevocation;

impl repo::Place for CredentialRevocation {
    const PROTOCOL: &'static str = "https://toft.invalid/protocols/credential";
    const PATH: &'static str = "credential/revocation";
    const SCHEMA: Option<&'static str> = Some("https://toft.invalid/schemas/credential/revocation");
    type Data = CredentialRevocationData;
    type Tags = CredentialRevocationTags;
    type TagFilter = CredentialRevocationTagFilter;
    type Parent = String;

    fn encode(data: &Self::Data) -> Result<repo::Blob, repo::Failure> {
        repo::to_json(data, "application/json")
    }

    fn decode(blob: repo::Blob) -> Result<Self::Data, repo::Failure> {
        repo::from_json(&blob)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub enum CredentialStatusDataState {
    #[serde(rename = "issued")]
    Issued,
    #[serde(rename = "suspended")]
    Suspended,
    #[serde(rename = "revoked")]
    Revoked,
}

/// How the credential stands
#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct CredentialStatusData {
    pub date: String,
    pub state: CredentialStatusDataState,
    #[serde(rename = "statusListCredential", default, skip_serializing_if = "Option::is_none")]
    pub status_list_credential: Option<String>,
    #[serde(rename = "statusListIndex", default, skip_serializing_if = "Option::is_none")]
    pub status_list_index: Option<String>,
    #[serde(rename = "transactionHash", default, skip_serializing_if = "Option::is_none")]
    pub transaction_hash: Option<String>,
    /// What else is in it.
    #[serde(flatten)]
    pub more: repo::Members,
}

impl CredentialStatusData {
    pub fn new(date: impl Into<String>, state: CredentialStatusDataState) -> Self {
        Self { date: date.into(), state, status_list_credential: None, status_list_index: None, transaction_hash: None, more: repo::Members::new() }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub enum CredentialStatusTagsState {
    #[serde(rename = "issued")]
    Issued,
    #[serde(rename = "suspended")]
    Suspended,
    #[serde(rename = "revoked")]
    Revoked,
}

#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct CredentialStatusTags {
    pub state: CredentialStatusTagsState,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cid: Option<String>,
    #[serde(rename = "transactionHash", default, skip_serializing_if = "Option::is_none")]
    pub transaction_hash: Option<String>,
}

impl CredentialStatusTags {
    pub fn new(state: CredentialStatusTagsState) -> Self {
        Self { state, cid: None, transaction_hash: None }
    }
}

#[derive(Debug, Clone, PartialEq, Default, repo::serde::Serialize)]
#[serde(crate = "toft::repo::serde")]
pub struct CredentialStatusTagFilter {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<CredentialStatusTagsState>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cid: Option<repo::TextFilter>,
    #[serde(rename = "transactionHash", skip_serializing_if = "Option::is_none")]
    pub transaction_hash: Option<repo::TextFilter>,
}

/// Records at credential/status
#[derive(Debug, Clone, Copy)]
pub struct CredentialStatus;

impl repo::Place for CredentialStatus {
    const PROTOCOL: &'static str = "https://toft.invalid/protocols/credential";
    const PATH: &'static str = "credential/status";
    const SCHEMA: Option<&'static str> = Some("https://toft.invalid/schemas/credential/status");
    type Data = CredentialStatusData;
    type Tags = CredentialStatusTags;
    type TagFilter = CredentialStatusTagFilter;
    type Parent = String;

    fn encode(data: &Self::Data) -> Result<repo::Blob, repo::Failure> {
        repo::to_json(data, "application/json")
    }

    fn decode(blob: repo::Blob) -> Result<Self::Data, repo::Failure> {
        repo::from_json(&blob)
    }
}

pub type CredentialWitnessData = repo::Blob;

#[derive(Debug, Clone, PartialEq, Default, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct CredentialWitnessTags {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub circuit: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Default, repo::serde::Serialize)]
#[serde(crate = "toft::repo::serde")]
pub struct CredentialWitnessTagFilter {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub circuit: Option<repo::TextFilter>,
}

/// Records at credential/witness
#[derive(Debug, Clone, Copy)]
pub struct CredentialWitness;

impl repo::Place for CredentialWitness {
    const PROTOCOL: &'static str = "https://toft.invalid/protocols/credential";
    const PATH: &'static str = "credential/witness";
    const SCHEMA: Option<&'static str> = None;
    type Data = CredentialWitnessData;
    type Tags = CredentialWitnessTags;
    type TagFilter = CredentialWitnessTagFilter;
    type Parent = String;

    fn encode(data: &Self::Data) -> Result<repo::Blob, repo::Failure> {
        Ok(data.clone())
    }

    fn decode(blob: repo::Blob) -> Result<Self::Data, repo::Failure> {
        Ok(blob)
    }
}

/// Role of schema.org.
#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct IssuerData {
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

impl IssuerData {
    pub fn new(start_date: impl Into<String>) -> Self {
        Self { start_date: start_date.into(), description: None, role_name: None, more: repo::Members::new() }
    }
}

pub type IssuerTags = repo::Tags;

pub type IssuerTagFilter = repo::AnyTagFilter;

/// Records at issuer
#[derive(Debug, Clone, Copy)]
pub struct Issuer;

impl repo::Place for Issuer {
    const PROTOCOL: &'static str = "https://toft.invalid/protocols/credential";
    const PATH: &'static str = "issuer";
    const SCHEMA: Option<&'static str> = Some("https://toft.invalid/schemas/credential/issuer");
    type Data = IssuerData;
    type Tags = IssuerTags;
    type TagFilter = IssuerTagFilter;
    type Parent = ();

    fn encode(data: &Self::Data) -> Result<repo::Blob, repo::Failure> {
        repo::to_json(data, "application/json")
    }

    fn decode(blob: repo::Blob) -> Result<Self::Data, repo::Failure> {
        repo::from_json(&blob)
    }
}

#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde", untagged)]
pub enum PresentationDataVerifiableCredentialItem {
    Object(std::collections::BTreeMap<String, repo::Json>),
    Text(String),
}

#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde", untagged)]
pub enum PresentationDataProof {
    Object(std::collections::BTreeMap<String, repo::Json>),
    List(Vec<repo::Json>),
}

/// VerifiablePresentation of the W3C data model 2.0. As JSON; the secured forms are checked by a verifier.
#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct PresentationData {
    #[serde(rename = "@context")]
    pub context: Vec<repo::Json>,
    #[serde(rename = "type")]
    pub type_: Vec<String>,
    #[serde(rename = "verifiableCredential")]
    pub verifiable_credential: Vec<PresentationDataVerifiableCredentialItem>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holder: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<PresentationDataProof>,
    /// What else is in it.
    #[serde(flatten)]
    pub more: repo::Members,
}

impl PresentationData {
    pub fn new(context: Vec<repo::Json>, type_: Vec<String>, verifiable_credential: Vec<PresentationDataVerifiableCredentialItem>) -> Self {
        Self { context, type_, verifiable_credential, holder: None, proof: None, more: repo::Members::new() }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub enum PresentationTagsPurpose {
    #[serde(rename = "age")]
    Age,
    #[serde(rename = "location")]
    Location,
    #[serde(rename = "access")]
    Access,
    #[serde(rename = "purchase")]
    Purchase,
    #[serde(rename = "other")]
    Other,
}

#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct PresentationTags {
    pub purpose: PresentationTagsPurpose,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub challenge: Option<String>,
}

impl PresentationTags {
    pub fn new(purpose: PresentationTagsPurpose) -> Self {
        Self { purpose, challenge: None }
    }
}

#[derive(Debug, Clone, PartialEq, Default, repo::serde::Serialize)]
#[serde(crate = "toft::repo::serde")]
pub struct PresentationTagFilter {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub purpose: Option<PresentationTagsPurpose>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub challenge: Option<repo::TextFilter>,
}

/// Records at presentation
#[derive(Debug, Clone, Copy)]
pub struct Presentation;

impl repo::Place for Presentation {
    const PROTOCOL: &'static str = "https://toft.invalid/protocols/credential";
    const PATH: &'static str = "presentation";
    const SCHEMA: Option<&'static str> = Some("https://toft.invalid/schemas/credential/presentation");
    type Data = PresentationData;
    type Tags = PresentationTags;
    type TagFilter = PresentationTagFilter;
    type Parent = ();

    fn encode(data: &Self::Data) -> Result<repo::Blob, repo::Failure> {
        repo::to_json(data, "application/json")
    }

    fn decode(blob: repo::Blob) -> Result<Self::Data, repo::Failure> {
        repo::from_json(&blob)
    }
}

#[derive(Debug, Clone, PartialEq, Default, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct PresentationResultDataPredicate {
    #[serde(rename = "ageOver", default, skip_serializing_if = "Option::is_none")]
    pub age_over: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
}

/// What a verifier found
#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct PresentationResultData {
    #[serde(rename = "dateVerified")]
    pub date_verified: String,
    pub verified: bool,
    #[serde(rename = "dateExpires", default, skip_serializing_if = "Option::is_none")]
    pub date_expires: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub predicate: Option<PresentationResultDataPredicate>,
    /// What else is in it.
    #[serde(flatten)]
    pub more: repo::Members,
}

impl PresentationResultData {
    pub fn new(date_verified: impl Into<String>, verified: bool) -> Self {
        Self { date_verified: date_verified.into(), verified, date_expires: None, description: None, predicate: None, more: repo::Members::new() }
    }
}

#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct PresentationResultTags {
    pub verified: bool,
    #[serde(rename = "ageOver", default, skip_serializing_if = "Option::is_none")]
    pub age_over: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
    #[serde(rename = "dateExpires", default, skip_serializing_if = "Option::is_none")]
    pub date_expires: Option<String>,
}

impl PresentationResultTags {
    pub fn new(verified: bool) -> Self {
        Self { verified, age_over: None, country: None, date_expires: None }
    }
}

#[derive(Debug, Clone, PartialEq, Default, repo::serde::Serialize)]
#[serde(crate = "toft::repo::serde")]
pub struct PresentationResultTagFilter {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verified: Option<bool>,
    #[serde(rename = "ageOver", skip_serializing_if = "Option::is_none")]
    pub age_over: Option<repo::NumberFilter<i64>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub country: Option<repo::TextFilter>,
    #[serde(rename = "dateExpires", skip_serializing_if = "Option::is_none")]
    pub date_expires: Option<repo::TextFilter>,
}

/// Records at presentation/result
#[derive(Debug, Clone, Copy)]
pub struct PresentationResult;

impl repo::Place for PresentationResult {
    const PROTOCOL: &'static str = "https://toft.invalid/protocols/credential";
    const PATH: &'static str = "presentation/result";
    const SCHEMA: Option<&'static str> = Some("https://toft.invalid/schemas/credential/result");
    type Data = PresentationResultData;
    type Tags = PresentationResultTags;
    type TagFilter = PresentationResultTagFilter;
    type Parent = String;

    fn encode(data: &Self::Data) -> Result<repo::Blob, repo::Failure> {
        repo::to_json(data, "application/json")
    }

    fn decode(blob: repo::Blob) -> Result<Self::Data, repo::Failure> {
        repo::from_json(&blob)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub enum StatusListDataCredentialSubjectStatusPurpose {
    #[serde(rename = "revocation")]
    Revocation,
    #[serde(rename = "suspension")]
    Suspension,
    #[serde(rename = "refresh")]
    Refresh,
    #[serde(rename = "message")]
    Message,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub enum StatusListDataCredentialSubjectType {
    #[serde(rename = "BitstringStatusList")]
    BitstringStatusList,
}

#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct StatusListDataCredentialSubject {
    #[serde(rename = "encodedList")]
    pub encoded_list: String,
    #[serde(rename = "statusPurpose")]
    pub status_purpose: StatusListDataCredentialSubjectStatusPurpose,
    #[serde(rename = "type")]
    pub type_: StatusListDataCredentialSubjectType,
    /// What else is in it.
    #[serde(flatten)]
    pub more: repo::Members,
}

impl StatusListDataCredentialSubject {
    pub fn new(encoded_list: impl Into<String>, status_purpose: StatusListDataCredentialSubjectStatusPurpose, type_: StatusListDataCredentialSubjectType) -> Self {
        Self { encoded_list: encoded_list.into(), status_purpose, type_, more: repo::Members::new() }
    }
}

#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct StatusListDataIssuerObject {
    pub id: String,
    /// What else is in it.
    #[serde(flatten)]
    pub more: repo::Members,
}

impl StatusListDataIssuerObject {
    pub fn new(id: impl Into<String>) -> Self {
        Self { id: id.into(), more: repo::Members::new() }
    }
}

#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde", untagged)]
pub enum StatusListDataIssuer {
    Text(String),
    Object(StatusListDataIssuerObject),
}

#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde", untagged)]
pub enum StatusListDataProof {
    Object(std::collections::BTreeMap<String, repo::Json>),
    List(Vec<repo::Json>),
}

/// BitstringStatusListCredential of W3C.
#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct StatusListData {
    #[serde(rename = "@context")]
    pub context: Vec<repo::Json>,
    #[serde(rename = "credentialSubject")]
    pub credential_subject: StatusListDataCredentialSubject,
    pub issuer: StatusListDataIssuer,
    #[serde(rename = "type")]
    pub type_: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<StatusListDataProof>,
    #[serde(rename = "validFrom", default, skip_serializing_if = "Option::is_none")]
    pub valid_from: Option<String>,
    /// What else is in it.
    #[serde(flatten)]
    pub more: repo::Members,
}

impl StatusListData {
    pub fn new(context: Vec<repo::Json>, credential_subject: StatusListDataCredentialSubject, issuer: StatusListDataIssuer, type_: Vec<String>) -> Self {
        Self { context, credential_subject, issuer, type_, proof: None, valid_from: None, more: repo::Members::new() }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub enum StatusListTagsStatusPurpose {
    #[serde(rename = "revocation")]
    Revocation,
    #[serde(rename = "suspension")]
    Suspension,
    #[serde(rename = "refresh")]
    Refresh,
    #[serde(rename = "message")]
    Message,
}

#[derive(Debug, Clone, PartialEq, repo::serde::Serialize, repo::serde::Deserialize)]
#[serde(crate = "toft::repo::serde")]
pub struct StatusListTags {
    #[serde(rename = "statusPurpose")]
    pub status_purpose: StatusListTagsStatusPurpose,
}

impl StatusListTags {
    pub fn new(status_purpose: StatusListTagsStatusPurpose) -> Self {
        Self { status_purpose }
    }
}

#[derive(Debug, Clone, PartialEq, Default, repo::serde::Serialize)]
#[serde(crate = "toft::repo::serde")]
pub struct StatusListTagFilter {
    #[serde(rename = "statusPurpose", skip_serializing_if = "Option::is_none")]
    pub status_purpose: Option<StatusListTagsStatusPurpose>,
}

/// Records at statusList
#[derive(Debug, Clone, Copy)]
pub struct StatusList;

impl repo::Place for StatusList {
    const PROTOCOL: &'static str = "https://toft.invalid/protocols/credential";
    const PATH: &'static str = "statusList";
    const SCHEMA: Option<&'static str> = Some("https://toft.invalid/schemas/credential/statusList");
    type Data = StatusListData;
    type Tags = StatusListTags;
    type TagFilter = StatusListTagFilter;
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
pub struct CredentialProtocol {
    access: repo::Access,
}

impl CredentialProtocol {
    pub fn new(access: impl Into<repo::Access>) -> Self {
        Self { access: access.into() }
    }

    pub fn access(&self) -> &repo::Access {
        &self.access
    }

    /// credential
    pub fn credential(&self) -> repo::Records<Credential> {
        repo::Records::new(&self.access)
    }

    /// credential/proof
    pub fn credential_proof(&self) -> repo::Records<CredentialProof> {
        repo::Records::new(&self.access)
    }

    /// credential/revocation
    pub fn credential_revocation(&self) -> repo::Records<CredentialRevocation> {
        repo::Records::new(&self.access)
    }

    /// credential/status
    pub fn credential_status(&self) -> repo::Records<CredentialStatus> {
        repo::Records::new(&self.access)
    }

    /// credential/witness
    pub fn credential_witness(&self) -> repo::Records<CredentialWitness> {
        repo::Records::new(&self.access)
    }

    /// issuer
    pub fn issuer(&self) -> repo::Records<Issuer> {
        repo::Records::new(&self.access)
    }

    /// presentation
    pub fn presentation(&self) -> repo::Records<Presentation> {
        repo::Records::new(&self.access)
    }

    /// presentation/result
    pub fn presentation_result(&self) -> repo::Records<PresentationResult> {
        repo::Records::new(&self.access)
    }

    /// statusList
    pub fn status_list(&self) -> repo::Records<StatusList> {
        repo::Records::new(&self.access)
    }
}
