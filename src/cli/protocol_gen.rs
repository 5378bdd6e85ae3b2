//! `toft protocol gen`: typed code for the records of a protocol.

use super::{
    file::Target,
    output::{Output, bytes},
    protocol_file::{File, definition, shipped_name, text, wrong},
};
use crate::{
    rpc::control::{Failure, Kind, shipped},
    typed::{Language, Schemas, module},
};
use serde_json::json;
use std::{
    fs,
    path::{Path, PathBuf},
};

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    file: File,
    /// The language of the code.
    #[arg(long, value_name = "LANGUAGE")]
    lang: Lang,
    /// Folder with a JSON Schema for each type of JSON data: TYPE.json. What comes with toft has its own.
    #[arg(long, value_name = "DIR")]
    schemas: Option<PathBuf>,
    /// Where to write it (default, and -: the terminal). A file that exists is not replaced.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Replace a file that exists.
    #[arg(long)]
    force: bool,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Lang {
    Rust,
    Ts,
    Python,
}

pub async fn run(args: &Args) -> Result<Option<Output>, Failure> {
    let target = args.output.as_ref().map_or(Ok(Target::Terminal), |path| Target::find(path, args.force))?;
    let file = &args.file.file;
    let definition = definition(file)?;
    let schemas = match (&args.schemas, shipped_name(file)) {
        (Some(folder), _) => schemas_in(folder)?,
        (None, Some(name)) => shipped::schemas_of(name),
        (None, None) => Schemas::new(),
    };
    let language = match args.lang {
        Lang::Rust => Language::Rust,
        Lang::Ts => Language::TypeScript,
        Lang::Python => Language::Python,
    };
    let code = module(language, &definition, &schemas).map_err(|unfit| wrong(file, unfit.to_string()))?;
    let size = target.put(code.as_bytes()).await?;
    let Some(name) = target.name() else { return Ok(None) };
    let text = format!("✓ {}   {}", name.display(), bytes(size));
    Ok(Some(Output::new(json!({"file": name, "size": size}), text)))
}

/// The schemas of a folder, by the names of its files. A type's name never becomes a path.
fn schemas_in(folder: &Path) -> Result<Schemas, Failure> {
    let unread = |path: &Path, why: String| Failure::new(Kind::Usage, format!("--schemas {}: {why}", path.display()));
    let entries = fs::read_dir(folder).map_err(|e| unread(folder, e.to_string()))?;
    let mut schemas = Schemas::new();
    for entry in entries {
        let path = entry.map_err(|e| unread(folder, e.to_string()))?.path();
        let name = path.file_name().and_then(|name| name.to_str()?.strip_suffix(".json")).map(str::to_owned);
        let Some(name) = name else { continue };
        let text = text(&path).map_err(|e| unread(&path, e.to_string()))?;
        let schema = serde_json::from_str(&text).map_err(|e| unread(&path, format!("a JSON Schema is JSON: {e}")))?;
        schemas.insert(name, schema);
    }
    if schemas.is_empty() {
        return Err(unread(folder, "no file here is called TYPE.json after a type of the protocol".into()));
    }
    Ok(schemas)
}
