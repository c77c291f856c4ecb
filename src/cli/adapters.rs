//! `silta adapters`: what each adapter carries and what it loses.

use super::convert::format;
use super::{Exit, Outcome};
use crate::registry;
use clap::Parser;
use silta_adapter::adapter::Descriptor;

/// Describe the adapters: what each carries and what it loses.
#[derive(Debug, Parser)]
pub(super) struct Args {
    /// Print the documentation page of this adapter, or of a mapping file.
    #[arg(long, value_name = "NAME")]
    markdown: Option<String>,
}

pub(super) fn run(args: &Args) -> Outcome {
    let registry = registry::adapters();
    if let Some(name) = &args.markdown {
        let adapter = format(&registry, name, &registry::mappings(None)?)?;
        say!("{}", page(adapter.descriptor()).trim_end());
        return Ok(Exit::Clean);
    }
    for adapter in registry.iter() {
        let Descriptor { name, summary, .. } = adapter.descriptor();
        say!("{name}: {summary}");
    }
    Ok(Exit::Clean)
}

/// The documentation page of an adapter, made from its descriptor and its loss table.
fn page(descriptor: &Descriptor) -> String {
    let kinds: Vec<&str> = descriptor.kinds.iter().map(|k| k.name()).collect();
    let mut page = format!(
        "# {}\n\n<!-- made by `silta adapters --markdown {0}`; change the adapter, not this page -->\n\n{}\n\n\
         | | |\n|---|---|\n| media types | {} |\n| kinds | {} |\n| effect of a send | {:?} |\n| withdrawal | {:?} |\n\
         | can be read back | {} |\n| recognises a repeated key | {} |\n",
        descriptor.name,
        descriptor.summary,
        descriptor.media_types.join(", "),
        kinds.join(", "),
        descriptor.effect,
        descriptor.withdraw,
        if descriptor.readback { "yes" } else { "no" },
        if descriptor.honours_key { "yes" } else { "no" },
    );
    page.push_str("\n## What it does not hold as a record says it\n\n");
    if descriptor.losses.is_empty() {
        page.push_str("Nothing: it holds everything.\n");
        return page;
    }
    page.push_str("| rule | kinds | path | when | why |\n|---|---|---|---|---|\n");
    for rule in descriptor.losses {
        let kinds: Vec<&str> = rule.kinds.iter().map(|k| k.name()).collect();
        let kinds = if kinds.is_empty() { "all".to_owned() } else { kinds.join(", ") };
        let path = if rule.pattern.is_empty() { "the whole record" } else { rule.pattern };
        page.push_str(&format!("| {} | {kinds} | `{path}` | {} | {} |\n", rule.id, rule.when, rule.reason));
    }
    page
}
