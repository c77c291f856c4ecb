#![no_main]
//! The first byte chooses the format.
use silta_adapter::mapping::Mappings;
use silta_tabular::Tabular;
use std::sync::LazyLock;

static FORMATS: LazyLock<Vec<Tabular>> = LazyLock::new(|| {
    let inputs = ["'csv'", "'xlsx'\nsheet = 'S'", "'ndjson'", "'json'\nrows = 'a[]/b[]'", "'xml'\nrows = 'A/B[]'"];
    let load = |input| {
        let text = format!(
            "[input]\nformat = {input}\n[[record]]\nkind = 'attainment'\nid = 'i'\nlearner = 'l'\nbody.credits.ects = 'c'"
        );
        Tabular::load("fuzz", "fuzz.mapping.toml", &text, &Mappings::default()).expect("a mapping")
    };
    inputs.into_iter().map(load).collect()
});

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Some((first, rest)) = data.split_first() {
        silta_fuzz::decode(&FORMATS[usize::from(*first) % FORMATS.len()], rest);
    }
});
