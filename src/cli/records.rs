//! The records of a document of any format, for commands that look at all of them.

use super::Failure;
use super::convert::{Tally, format, open, unreadable};
use crate::registry;
use silta_adapter::adapter::{Adapter, DecodeContext, Decoded, Limits, Unreadable};
use silta_adapter::record::Record;
use smol_str::SmolStr;
use std::fs::File;
use std::io::{BufReader, Seek, SeekFrom};
use std::path::Path;

/// Reads all records of a document; without a format, as the first one that finds any in it.
pub(super) fn read(
    file: Option<&Path>,
    from: Option<&str>,
    tenant: &SmolStr,
    mappings: Option<&Path>,
) -> Result<Vec<Record>, Failure> {
    let codes = registry::mappings(mappings)?;
    let registry = registry::adapters_and_files(mappings, &codes)?;
    let ctx = DecodeContext { tenant: tenant.clone(), source: SmolStr::default(), limits: Limits::default() };
    let mut input = open(file, &ctx.limits)?;
    let mut tally = Tally::default();
    if let Some(from) = from {
        return decode(&*format(&registry, from, &codes)?, &mut input, &ctx, &mut tally).map_err(unreadable);
    }
    for format in registry.iter() {
        let mut silent = Vec::new();
        match decode_with(&**format, &mut input, &ctx, &mut |problem| silent.push(problem)) {
            Ok(records) if !records.is_empty() => {
                silent.iter().for_each(|problem| tally.problem(problem));
                return Ok(records);
            }
            _ => {}
        }
    }
    Err(Failure::usage("no format finds records in the document; say which it is with --from"))
}

fn decode(
    format: &dyn Adapter,
    input: &mut File,
    ctx: &DecodeContext,
    tally: &mut Tally,
) -> Result<Vec<Record>, Unreadable> {
    decode_with(format, input, ctx, &mut |problem| tally.problem(&problem))
}

fn decode_with(
    format: &dyn Adapter,
    input: &mut File,
    ctx: &DecodeContext,
    tell: &mut dyn FnMut(silta_adapter::problem::Problem),
) -> Result<Vec<Record>, Unreadable> {
    input.seek(SeekFrom::Start(0))?;
    let mut records = Vec::new();
    let Some(decoder) = format.decoder() else { return Ok(records) };
    decoder.decode(&mut BufReader::with_capacity(1 << 16, input), ctx, &mut |found| {
        match found {
            Decoded::Record(record, _) => records.push(*record),
            Decoded::Problem(problem) => tell(problem),
        }
        Ok(())
    })?;
    Ok(records)
}
