#![no_main]
use silta_adapter::adapter::{Adapter, Limits};
use silta_adapter::mapping::Mappings;
use std::sync::LazyLock;

static MAPPINGS: LazyLock<Mappings> = LazyLock::new(|| Mappings::builtin().unwrap());

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let validator = silta_elm::Elm.validator().unwrap();
    for profile in validator.profiles() {
        let _ = validator.validate(&mut &*data, profile, &Limits::default(), &MAPPINGS, &mut |_, _| {});
    }
});
